"""``bec compare``: what differs between two runs, for people to look at."""

from __future__ import annotations

from pathlib import Path

import click

from bec_cli.common import session_of
from bec_cli.printing import say
from bec_core.admin import reports
from bec_core.admin.volume_list import parse_volume


@click.command()
@click.argument("before")
@click.argument("after")
@click.option(
    "--volume", "volumes", multiple=True, metavar="W_ID,I_ID", help="Only this volume; repeat for more."
)
@click.option(
    "--out",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the comparison goes. [default: compare-BEFORE-AFTER in the current folder]",
)
@click.pass_context
def compare(
    ctx: click.Context, before: str, after: str, volumes: tuple[str, ...], directory: Path | None
) -> None:
    """Write an HTML page of what differs between two runs over the same volumes, worst pages first; prints the file.

    BEFORE and AFTER are jobs (say, with two models), or two versions of what one job did, as JOB@VERSION.

    \b
    Examples:
      bec compare ldv1 ldv1-new --out compare/
      bec compare ldv1@a1b2c3 ldv1@d4e5f6 --volume W22084,I0886
    """
    session = session_of(ctx)
    refs = [parse_volume(text) for text in volumes]
    runs = (reports.find_run(session, before), reports.find_run(session, after))
    directory = (directory or Path(f"compare-{runs[0]}-{runs[1]}")).absolute()
    say(str(reports.write_comparison(session, *runs, refs, directory)))
