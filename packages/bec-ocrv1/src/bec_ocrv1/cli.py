"""``bec ocrv1``: what can be done with recognised text beside making it.

The modules of the commands are light; each imports pyarrow and the rest when it is called.
"""

from __future__ import annotations

import click

from bec_ocrv1.export.cli import export


@click.group()
def ocrv1() -> None:
    """Text recognition: export."""


ocrv1.add_command(export)
