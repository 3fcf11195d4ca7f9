"""``bec run-volume``: a job on one volume, here and now."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from bec_cli.common import dry_run_option, job_option, json_option, note, open_aside, print_json, session_of
from bec_cli.exits import Exit
from bec_cli.printing import say
from bec_cli.resource_options import WorkerCommand, named_resources
from bec_core.models import DEFAULT_SOURCE

if TYPE_CHECKING:
    from bec_core.admin.session import Session
    from bec_core.models import Job, VolumeRef

_LEASE_S = 60.0


@click.command("run-volume", cls=WorkerCommand)
@job_option
@click.option("--w", "w_id", required=True, metavar="W_ID", help="The work's id.")
@click.option("--i", "i_id", required=True, metavar="I_ID", help="The volume's id.")
@click.option("--force", is_flag=True, help="Do it again if it is done.")
@click.option("--source", default=DEFAULT_SOURCE, show_default=True, help="Where the volume comes from.")
@click.option("--i-version", help="The volume's version, for a source that has named versions.")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads for pages.  [default: by the cores]")
@dry_run_option
@json_option
@click.pass_context
def run_volume(
    ctx: click.Context,
    job_name: str,
    w_id: str,
    i_id: str,
    force: bool,
    source: str,
    i_version: str | None,
    threads: int | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run a job on one volume, here and now; the job's queue is left alone.

    It does all that a worker does: the row, the lease, the artifacts, the marker. Exit status: 0 done,
    4 another worker has it or an input is not done, 6 it failed.

    \b
    Examples:
      bec run-volume --job-name ldv1 --w W22084 --i I0886
      bec run-volume --job-name ldv1 --w W1 --i I1 --source ocr_benchmark --i-version v1 --force
    """
    from bec_cli.signals import stopping_on_signals
    from bec_core.admin.jobs import find_job

    session = session_of(ctx)
    open_aside(session)
    from bec_core.admin.one_volume import run_volume as do
    from bec_core.worker import WorkerOptions

    job = find_job(session, job_name)
    named = named_resources(ctx)
    named.check([session.plugins.job_type(job.type)])
    (ref,) = session.sources.find(f"{w_id},{i_id}", source=source, i_version=i_version).volumes
    if dry_run:
        _preview(session, job, ref, force=force, as_json=as_json)
        return Exit.OK
    options = WorkerOptions(
        poll_wait_s=0.0,
        lease_s=_LEASE_S,
        shutdown_after_empty=1,
        by_ledger=False,
        grace_s=0.0,
        tags={"command": "run-volume"},
        job_options={"threads": threads} if threads else {},
    )
    with ExitStack() as stack:
        ended = do(
            session, job, ref, options, force=force, resources=named,
            ready=lambda worker: stack.enter_context(stopping_on_signals(worker, at_once=True)),
        )  # fmt: skip
    if as_json:
        print_json(
            {
                "volume": str(ref),
                "outcome": ended.outcome,
                "message": ended.message,
                "artifacts": ended.artifacts,
            }
        )
    elif ended.outcome in ("done", "already-done"):
        again = "" if ended.outcome == "done" else "; to do it again: --force"
        say(f"✓ {ref}: {ended.outcome.replace('-', ' ')}{again}")
        say(f"Artifacts: {ended.artifacts}")
    else:
        note(f"{ref}: {ended.outcome}: {ended.message}")
    return {
        "done": Exit.OK,
        "already-done": Exit.OK,
        "left": Exit.CONFLICT,
        "blocked": Exit.CONFLICT,
        "handed-back": Exit.INTERRUPTED,
    }.get(ended.outcome, Exit.SOME_FAILED)


def _preview(session: Session, job: Job, ref: VolumeRef, *, force: bool, as_json: bool) -> None:
    from bec_core.admin.one_volume import preview

    seen = preview(session, job, ref)
    pages = len(seen.volume.pages)
    if as_json:
        print_json({"volume": str(ref), "version": seen.volume.version, "pages": pages, "done": seen.done})
    elif seen.done and not force:
        say(f"{ref}: {pages} pages, version {seen.volume.version}: done already, nothing would be done")
    else:
        what = "do it again" if seen.done else "do it"
        say(f"{ref}: {pages} pages, version {seen.volume.version}: would {what}")
