"""Completion in the shell: the scripts, and the names of jobs, job types and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bec_cli.printing import say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from bec_core.settings import Settings


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete bec's commands, options and job names.

    \b
    Examples:
      bec completion bash > ~/.local/share/bash-completion/completions/bec
      bec completion zsh  > ~/.zfunc/_bec
      bec completion fish > ~/.config/fish/completions/bec.fish
    """
    from click.shell_completion import get_completion_class

    from bec_cli.main import cli

    found = get_completion_class(shell)
    assert found is not None
    say(found(cli, {}, "bec", "_BEC_COMPLETE").source())


def complete_job(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the jobs; none if the database can't be asked."""
    from bec_core.admin.completion import job_names

    settings = _settings()
    return _items(job_names(settings) if settings else [], incomplete)


def complete_volume(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Volumes that begin like that, as ``W_ID,I_ID``; none if the database can't be asked."""
    from bec_core.admin.completion import volume_names

    settings = _settings()
    return _items(volume_names(settings, incomplete) if settings else [], incomplete)


def complete_job_type(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The installed job types; after a comma the next of several."""
    from bec_core.admin.completion import job_type_names

    before, comma, _ = incomplete.rpartition(",")
    return _items([f"{before}{comma}{name}" for name in job_type_names()], incomplete)


def _settings() -> Settings | None:
    from bec_core.errors import BecError
    from bec_core.settings import load_settings

    try:
        return load_settings()  # no file: pressing Tab in a folder must not trust what lies there
    except BecError:
        return None


def _items(names: Sequence[str], incomplete: str) -> list[CompletionItem]:
    """What of these begins so; a name that can't be shown as it is (a stranger's) is left out."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names if name.startswith(incomplete) and name.isprintable()]
