"""``bec ldv1``: what can be done with line detection beside running it as a job.

The modules of the commands are light; each imports OpenCV, torch and the rest when it is called.
"""

from __future__ import annotations

import click


@click.group()
def ldv1() -> None:
    """Line detection: evaluate, export, look."""
