"""``--resource NAME=PLACE``, and the options of their own by which installed plugins' resources may be named.

A command that starts workers is a :class:`WorkerCommand`: it has the options of all installed job types. Two job types
may declare one option; it then names the resource of whichever is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bec_core.errors import PluginError, SettingsError

if TYPE_CHECKING:
    from bec_core.job import Resource
    from bec_core.resources import NamedResources

_BY_OPTION = "bec.resources.by_option"
_BY_NAME = "bec.resources.by_name"
_PARAMS = "bec.resources.params"


class WorkerCommand(click.Command):
    """A command that starts workers; gives ``--resource`` and the plugins' options."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, then those of resources."""
        own = super().get_params(ctx)
        if _PARAMS not in ctx.meta:
            ctx.meta[_PARAMS] = [_by_name(), *_by_option({name for one in own for name in one.opts})]
        help_last = [one for one in own if one is self.get_help_option(ctx)]
        return [*(one for one in own if one not in help_last), *ctx.meta[_PARAMS], *help_last]


def named_resources(ctx: click.Context) -> NamedResources:
    """What the command line names."""
    from bec_core.resources import NamedResources

    return NamedResources(dict(ctx.meta.get(_BY_NAME, {})), dict(ctx.meta.get(_BY_OPTION, {})))


def _by_name() -> click.Option:
    def remember(ctx: click.Context, _: click.Parameter, given: Sequence[str]) -> None:
        named: dict[str, str] = {}
        for text in given:
            name, equals, place = text.partition("=")
            if not equals or not name or not place:
                raise SettingsError(f"--resource {text}: write NAME=PLACE")
            if named.setdefault(name, place) != place:
                raise SettingsError(f"--resource {name} is given twice")
        ctx.meta[_BY_NAME] = named

    return click.Option(
        ["--resource"],
        multiple=True,
        metavar="[JOB_TYPE.]NAME=PLACE",
        expose_value=False,
        callback=remember,
        help="A resource of the job type: a path, an s3:// or an https:// URL, with #sha256=…; may be given often.",
    )


def _by_option(taken: set[str]) -> list[click.Option]:
    """The options that installed job types declare, but for those that the command has itself."""
    declared: dict[str, list[Resource]] = {}
    for resource in _resources():
        if resource.option is not None and resource.option not in taken:
            declared.setdefault(resource.option, []).append(resource)
    return [_option(option, resources) for option, resources in declared.items()]


def _resources() -> list[Resource]:
    from bec_core.plugins import load_plugins

    try:
        job_types = load_plugins(quiet=True).job_types.values()
    except PluginError:
        return []  # the command itself says so
    return [resource for job_type in job_types for resource in job_type.resources]


def _option(option: str, resources: Sequence[Resource]) -> click.Option:
    def remember(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None:
            ctx.meta.setdefault(_BY_OPTION, {})[option] = str(value)

    helps = dict.fromkeys(_help(resource) for resource in resources)
    return click.Option(
        [option], metavar="PLACE", expose_value=False, callback=remember, help=" Or: ".join(helps)
    )


def _help(resource: Resource) -> str:
    return resource.doc + (f"  [env: {resource.environment}]" if resource.environment else "")
