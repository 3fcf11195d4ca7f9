"""``bec queue redrive``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import attrs
import click

from bec_cli.common import count, dry_run_option, json_option, note, print_json, session_of
from bec_cli.completion import complete_job
from bec_cli.exits import Exit
from bec_cli.printing import say
from bec_cli.times import SINCE
from bec_core.models import TaskStatus

if TYPE_CHECKING:
    from bec_core.admin.redriving import Choice
    from bec_core.admin.session import Session

_FAILED = [TaskStatus.RETRYABLE_FAILED.value, TaskStatus.TERMINAL_FAILED.value]


@click.command()
@click.option(
    "--job-name",
    metavar="JOB",
    shell_complete=complete_job,
    help="Queue again what the database says failed: the job's name or id.",
)
@click.option("--error", "error_type", metavar="TYPE", help="Only this error type, as in: bec errors top")
@click.option("--stage", help="Only failures of this stage.")
@click.option("--fingerprint", help="Only this group of failures, as in: bec errors top")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(_FAILED),
    help="Only these; may be given twice.  [default: terminal_failed]",
)
@click.option(
    "--since", type=SINCE, help="Only what failed since then: 2h, 3d, 2026-01-31, 2026-01-31T14:00."
)
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Only N of them, chosen at random.")
@click.option(
    "--runtime-faults",
    is_flag=True,
    help="Only what was set aside for faults of BEC itself, after they were mended.",
)
@click.option(
    "--all-messages",
    is_flag=True,
    help="With --job-name: move whatever its dead-letter queue holds, without choosing.",
)
@click.option("--source-queue-url", metavar="URL", help="Move whole messages: out of this queue …")
@click.option("--dest-queue-url", metavar="URL", help="… into this one.")
@click.option("--max-messages", type=click.IntRange(1), help="Move at most this many.  [default: all]")
@click.option("--move-task", is_flag=True, help="Let SQS move all messages itself (up to 500 a second).")
@dry_run_option
@json_option
@click.pass_context
def redrive(
    ctx: click.Context,
    job_name: str | None,
    error_type: str | None,
    stage: str | None,
    fingerprint: str | None,
    statuses: tuple[str, ...],
    since: datetime | None,
    sample: int | None,
    runtime_faults: bool,
    all_messages: bool,
    source_queue_url: str | None,
    dest_queue_url: str | None,
    max_messages: int | None,
    move_task: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Queue failed tasks again: chosen from the database (--job-name), or whole messages between queues.

    \b
    Examples:
      bec queue redrive --job-name ldv1 --error StorageError --dry-run
      bec queue redrive --job-name ldv1 --since 2h --sample 5
      bec queue redrive --job-name ldv1 --runtime-faults
      bec queue redrive --job-name ldv1 --all-messages
      bec queue redrive --source-queue-url $DLQ --dest-queue-url $QUEUE --max-messages 1000
    """
    from bec_core.admin.jobs import find_job
    from bec_core.admin.redriving import Choice

    if runtime_faults and error_type is not None:
        raise click.UsageError("--runtime-faults is an error type of its own: leave --error out")
    by_url = source_queue_url is not None or dest_queue_url is not None
    if by_url == (job_name is not None):
        raise click.UsageError("give --job-name, or both --source-queue-url and --dest-queue-url")
    choice = Choice(
        statuses=tuple(TaskStatus(status) for status in statuses) or (TaskStatus.TERMINAL_FAILED,),
        error_type=error_type, stage=stage, fingerprint=fingerprint, since=since, sample=sample,
        runtime_faults=runtime_faults,
    )  # fmt: skip
    session = session_of(ctx)
    if job_name is not None and all_messages:
        job = find_job(session, job_name)
        source_queue_url, dest_queue_url = job.dlq_url, job.queue_url
    elif job_name is not None:
        if max_messages is not None or move_task:
            raise click.UsageError(
                "--max-messages and --move-task go with --all-messages or the queue URLs; else there is --sample"
            )
        return _by_choice(session, job_name, choice, dry_run=dry_run, as_json=as_json)
    if not source_queue_url or not dest_queue_url:
        raise click.UsageError("--source-queue-url and --dest-queue-url go together")
    if choice != Choice():
        raise click.UsageError(
            "whole messages can't be chosen by their errors; with --job-name alone tasks can"
        )
    _by_url(
        session,
        source_queue_url,
        dest_queue_url,
        max_messages,
        move_task=move_task,
        dry_run=dry_run,
        as_json=as_json,
    )
    return Exit.OK


def _by_choice(session: Session, job_name: str, choice: Choice, *, dry_run: bool, as_json: bool) -> int:
    from bec_core.admin.jobs import find_job
    from bec_core.admin.redriving import choose
    from bec_core.admin.redriving import redrive as queue_again

    job = find_job(session, job_name)
    chosen = choose(session, job, choice)
    if dry_run:
        if as_json:
            print_json([attrs.asdict(one) for one in chosen])
            return Exit.OK
        say(f"Would queue {count(len(chosen), 'volume')} again")
        for one in chosen:
            say(f"  {one.ref}  {one.status.value}  {one.error_type or '-'}")
        return Exit.OK
    done = queue_again(session, job, chosen)
    if as_json:
        print_json(attrs.asdict(done))
    else:
        taken = len(done.sent) + len(done.for_feeder)
        say(
            f"✓ Queued {count(taken, 'volume')} again;"
            f" removed {count(done.dead_letters_removed, 'dead letter')}"
        )
    if done.waiting:
        note(f"{count(len(done.waiting), 'volume')} wait already, and may be tried again at once")
    for ref, reason in done.refused:
        note(f"not sent: {ref}: {reason}")
    return Exit.SOME_FAILED if done.refused else Exit.OK


def _by_url(
    session: Session,
    source: str,
    dest: str,
    limit: int | None,
    *,
    move_task: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    from bec_core.admin.moving import move_messages, refuse_same, start_move_task

    if move_task and limit is not None:
        raise click.UsageError("SQS's own task moves all messages: leave --max-messages or --move-task out")
    refuse_same(source, dest)
    if dry_run:
        held = session.queue(source).stats().available
        moved = held if limit is None else min(held, limit)
        if as_json:
            print_json({"dry_run": True, "moved": moved})
        else:
            say(f"Would move {count(moved, 'message')} to {dest.rpartition('/')[2]}")
        return
    if move_task:
        handle = start_move_task(session, source, dest)
        if as_json:
            print_json({"task_handle": handle})
        else:
            say(f"✓ SQS moves the messages now; task handle: {handle}")
        return
    moved = move_messages(session, source, dest, limit=limit)
    if as_json:
        print_json({"dry_run": False, "moved": moved})
    else:
        say(f"✓ Moved {count(moved, 'message')} to {dest.rpartition('/')[2]}")
