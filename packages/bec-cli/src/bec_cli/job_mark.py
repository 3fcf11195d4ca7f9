"""``bec jobs pause``, ``complete``, ``cancel``, ``resume`` and ``delete``: let a job rest, go on, or go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bec_cli.common import (
    confirm,
    count,
    dry_run_option,
    job_argument,
    note,
    session_and_job,
    yes_option,
)
from bec_cli.printing import say
from bec_core.models import Job, JobStatus

if TYPE_CHECKING:
    from bec_core.admin.session import Session


def _status_command(name: str, status: JobStatus, explanation: str) -> click.Command:
    """``bec jobs pause`` and its sisters."""

    @click.command(name, help=f"{explanation}\n\n\b\nExample:\n  bec jobs {name} ldv1")
    @job_argument
    @dry_run_option
    @click.pass_context
    def mark(ctx: click.Context, job_name: str, dry_run: bool) -> None:
        session, job = session_and_job(ctx, job_name)
        _mark(session, job, status, dry_run=dry_run)

    return mark


def _mark(session: Session, job: Job, status: JobStatus, *, dry_run: bool) -> None:
    from bec_core.admin.job_ending import set_status

    if job.status is status:
        say(f"Job {job.name} is {status.value} already")
    elif dry_run:
        say(f"Would mark job {job.name} (id={job.id}) {status.value}; it is {job.status.value} now")
    else:
        set_status(session, job, status)
        say(f"✓ Job {job.name} (id={job.id}) is {status.value}; it was {job.status.value}")


pause = _status_command(
    "pause", JobStatus.PAUSED, "Pause a job: its workers finish what they have, and take nothing new."
)
complete = _status_command(
    "complete", JobStatus.COMPLETED, "Mark a job as completed: its workers take nothing new."
)
cancel = _status_command(
    "cancel",
    JobStatus.CANCELLED,
    "Cancel a job: its messages are set aside in the dead-letter queue, not run.",
)


@click.command()
@job_argument
@click.option(
    "--without-canary",
    is_flag=True,
    help="Let the volumes that its canary holds back go, also while that is out.",
)
@dry_run_option
@click.pass_context
def resume(ctx: click.Context, job_name: str, without_canary: bool, dry_run: bool) -> None:
    """Let the workers of a paused, completed or cancelled job go on.

    After a canary that failed, the volumes that it held back are released.

    \b
    Examples:
      bec jobs resume ldv1
      bec jobs resume ldv1 --without-canary
    """
    from bec_core.admin.canary import canary_of, release_all_the_same

    session, job = session_and_job(ctx, job_name)
    found = canary_of(session, job)
    holding = found if found and found.holds else None
    if without_canary and holding is None:
        note(f"no canary of job {job.name} holds volumes back")
    if not (without_canary and job.status is JobStatus.ACTIVE):
        _mark(session, job, JobStatus.ACTIVE, dry_run=dry_run)
    if holding is None or not (without_canary or (holding.verdict and job.status is not JobStatus.ACTIVE)):
        return
    if without_canary and not dry_run:
        release_all_the_same(session, session_and_job(ctx, job_name)[1])
    say(
        f"{'Would release' if dry_run else '✓ Released'} {count(holding.held, 'volume')} that its canary held back"
    )


@click.command()
@job_argument
@click.option("--purge-queues", is_flag=True, help="Empty its queues too.")
@click.option(
    "--unbind-readers", is_flag=True, help="Delete it although other jobs read it, which are blocked then."
)
@yes_option
@dry_run_option
@click.pass_context
def delete(
    ctx: click.Context, job_name: str, purge_queues: bool, unbind_readers: bool, yes: bool, dry_run: bool
) -> None:
    """Delete a job with its tasks and its ledger. Artifacts stay, and so do the queues.

    \b
    Examples:
      bec jobs delete ldv1 --dry-run
      bec jobs delete ldv1 --yes
    """
    from bec_core.admin.binding import readers_of
    from bec_core.admin.job_ending import delete_job, deletion_of, refuse_read

    session, job = session_and_job(ctx, job_name)
    what = deletion_of(session, job)
    parts = [count(what.tasks, "task"), count(what.ledger_entries, "ledger entry", "ledger entries")]
    queues = [
        f"{name} ({'gone' if held is None else count(held, 'message')})"
        for name, held in ((job.queue_url.rpartition("/")[2], what.messages),
                           (job.dlq_url.rpartition("/")[2], what.dead_letters))
    ]  # fmt: skip
    if what.marks:
        parts.append(f"{count(what.marks, 'mark')} that people made (bec marks export {job.name} keeps them)")
    takes = f"job {job.name} (id={job.id}) with {' and '.join(parts)}"
    fate = f"its queues {' and '.join(queues)} are {'emptied' if purge_queues else 'kept'}; all artifacts are kept"
    readers = readers_of(session, job)
    if dry_run:
        say(f"Would delete {takes}; {fate}")
        if readers:
            note(f"warning: it is read by {', '.join(readers)}: needs --unbind-readers")
        return
    if not unbind_readers:
        refuse_read(session, job)
    note(f"This deletes {takes}; {fate}.")
    if what.live_workers:
        note(f"warning: {count(what.live_workers, 'worker')} of it live; they will set messages aside")
    confirm("Delete it?", yes=yes)
    delete_job(session, job, purge_queues=purge_queues, unbind_readers=unbind_readers)
    say(f"✓ Deleted job: id={job.id}, name={job.name}")
