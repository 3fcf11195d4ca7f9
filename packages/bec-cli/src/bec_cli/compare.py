"""``bec compare``: what differs between two runs, for people to look at."""

from __future__ import annotations

from pathlib import Path

import click

from bec_cli.common import json_option, print_json, session_of, volumes_option
from bec_cli.metric_lines import plain_change, print_changes
from bec_cli.printing import say
from bec_core.admin import reports
from bec_core.admin.volume_list import parse_volume


@click.command()
@click.argument("before")
@click.argument("after")
@volumes_option("Only this volume; repeat for more.")
@click.option(
    "--out",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the comparison goes. [default: compare-BEFORE-AFTER in the current folder]",
)
@json_option
@click.pass_context
def compare(
    ctx: click.Context,
    before: str,
    after: str,
    volumes: tuple[str, ...],
    directory: Path | None,
    as_json: bool,
) -> None:
    """Compare two runs over the same volumes: their metrics, and a page of what differs, whose file is printed last.

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
    found = reports.write_comparison(session, *runs, refs, directory)
    if as_json:
        print_json(
            {
                "before": str(runs[0]),
                "after": str(runs[1]),
                "volumes": found.volumes,
                "metrics": [plain_change(one) for one in found.metrics],
                "report": found.report,
            }
        )
        return
    if found.metrics:
        print_changes(found.metrics, (str(runs[0]), str(runs[1])), found.volumes)
    if found.report is not None:
        say(str(found.report))
