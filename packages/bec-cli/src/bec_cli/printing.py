"""Printing on a terminal: whatever is said goes through here, so that no control character of a stranger does."""

from __future__ import annotations

import click


def say(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print ``text`` on stdout (``err``: stderr), with control characters as escapes."""
    from bec_core.text import shown  # here: bec --help imports nothing of the core

    echo(shown(text), err=err, nl=nl)


def echo(text: str, *, err: bool = False, nl: bool = True, colour: bool | None = None) -> None:
    """Print text that is known to be fit for a terminal: escapes of our own, for colours, stay in it."""
    try:
        click.echo(text, err=err, nl=nl, color=colour)
    except BrokenPipeError:
        # without the number by which click would take it for an error of its own, and end with 1
        raise BrokenPipeError("nobody reads this output any more") from None
