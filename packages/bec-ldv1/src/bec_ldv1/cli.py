"""``bec ldv1``: what can be done with line detection beside running it as a job.

The modules of the commands are light; each imports OpenCV, torch and the rest when it is called.
"""

from __future__ import annotations

import click

from bec_ldv1.evaluation.cli import evaluate
from bec_ldv1.output.export.cli import export
from bec_ldv1.output.preview_cli import preview


@click.group()
def ldv1() -> None:
    """Line detection: evaluate, export, look."""


for command in (evaluate, export, preview):
    ldv1.add_command(command)
