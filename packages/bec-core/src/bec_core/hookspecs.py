"""The hooks that a plugin may implement. A plugin is a module named by an entry point of group ``bec``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from bec_core.job import JobType
    from bec_core.observer import ObserverType
    from bec_core.source import SourceType

hookspec = pluggy.HookspecMarker("bec")
hookimpl = pluggy.HookimplMarker("bec")


@hookspec
def bec_job_types() -> list[JobType]:  # type: ignore[empty-body]  # a spec has no body
    """Return the job types that this plugin brings. Must be light: listing plugins calls it."""


@hookspec
def bec_sources() -> list[SourceType]:  # type: ignore[empty-body]  # a spec has no body
    """Return the sources of pages that this plugin brings. Must be light, as with the job types."""


@hookspec
def bec_observers() -> list[ObserverType]:  # type: ignore[empty-body]  # a spec has no body
    """Return the observers that this plugin brings. Must be light, as with the job types."""


@hookspec
def bec_commands(cli: click.Group) -> None:
    """Add the plugin's own commands to ``bec`` (``cli.add_command``). Every ``bec`` calls it: be light."""
