"""Completion in the shell: the scripts, and job names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bec_cli.printing import say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


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
    from click.shell_completion import CompletionItem

    from bec_core.admin.completion import job_names
    from bec_core.errors import BecError
    from bec_core.settings import load_settings

    try:
        settings = load_settings()  # no file: pressing Tab in a folder must not trust what lies there
    except BecError:
        return []
    return [CompletionItem(name) for name in job_names(settings) if name.startswith(incomplete)]
