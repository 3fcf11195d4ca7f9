"""Printing on a terminal: whatever is said goes through here, so that no control character of a stranger does."""

from __future__ import annotations

import click


def say(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print ``text`` on stdout (``err``: stderr), with control characters as escapes."""
    from bec_core.text import shown  # here: bec --help imports nothing of the core

    try:
        click.echo(shown(text), err=err, nl=nl)
    except BrokenPipeError:
        # without the number by which click would take it for an error of its own, and end with 1
        raise BrokenPipeError("nobody reads this output any more") from None
