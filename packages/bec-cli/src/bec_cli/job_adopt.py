"""``bec jobs adopt``: take over results that only the artifacts' store knows."""

from __future__ import annotations

import attrs
import click

from bec_cli.common import (
    count,
    counting,
    dry_run_option,
    job_argument,
    json_option,
    note,
    print_json,
    session_and_job,
)
from bec_cli.exits import Exit
from bec_cli.printing import say


@click.command()
@job_argument
@dry_run_option
@json_option
@click.pass_context
def adopt(ctx: click.Context, job_name: str, dry_run: bool, as_json: bool) -> int:
    """Take over the results that lie in the job's folders and that the database does not know.

    Their markers tell what rows and ledger say then, with the figures: of an earlier system's results, or after the
    database was lost (make the job anew, by its old name and config, then adopt). What is known is left alone; the same
    call goes on where one was interrupted. Exit status: 0 all is known now, 6 something was left out, by the reason.

    \b
    Examples:
      bec jobs adopt ldv1 --dry-run
      bec jobs adopt ldv1
    """
    from bec_core.admin.adopting import adopt as take_over

    session, job = session_and_job(ctx, job_name)
    with counting("Adopting") as progress:
        done = take_over(session, job, dry_run=dry_run, progress=progress)
    if as_json:
        print_json({"dry_run": dry_run, **attrs.asdict(done)})
    else:
        did = "Would adopt" if dry_run else "✓ Adopted"
        say(
            f"{did} {count(done.volumes, 'volume')} ({count(done.pages, 'page')}) of {job.name}; {done.known:,} known"
        )
        for reason, number in sorted(done.left_out.items()):
            note(f"left out: {number:,}, {reason} ({done.examples[reason]})")
    return Exit.SOME_FAILED if done.left_out else Exit.OK
