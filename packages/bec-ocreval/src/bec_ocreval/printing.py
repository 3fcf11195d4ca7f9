"""Printing: names and errors of strangers are shown without their control characters."""

from __future__ import annotations

import click

from bec_core import shown


def say(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print ``text`` on stdout (``err``: stderr), with control characters as escapes."""
    click.echo(shown(str(text)), err=err, nl=nl)
