"""``bec worker``: take a job's tasks until told to stop, or until nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from bec_cli.common import ago, count, local_time, note, open_aside, session_of
from bec_cli.completion import complete_job
from bec_cli.exits import Exit
from bec_cli.last_words import say_the_end
from bec_cli.resource_options import WorkerCommand, named_resources
from bec_cli.worker_place import WorkerPlace
from bec_core.errors import SettingsError

if TYPE_CHECKING:
    from bec_core.admin.session import Session
    from bec_core.models import Job
    from bec_core.resources import NamedResources
    from bec_core.worker import Watchdog, WorkerOptions, WorkerSummary


@click.command(cls=WorkerCommand)
@click.option(
    "--job-name",
    required=True,
    metavar="JOB[:GPU]",
    shell_complete=complete_job,
    help="The job's name or id; with a number, this worker sees that GPU alone.",
)
@click.option(
    "--poll-wait",
    type=click.FloatRange(0),
    default=20,
    show_default=True,
    help="How long one poll waits for a message, in seconds.",
)
@click.option(
    "--visibility-timeout",
    type=click.FloatRange(5, 43200),
    default=300,
    show_default=True,
    help="For how long a task is ours, and its message hidden, without renewal, in seconds; renewed every third of it.",
)
@click.option(
    "--shutdown-after-empty",
    type=click.IntRange(0),
    default=6,
    show_default=True,
    help="End after this many empty polls in a row; 0: never.",
)
@click.option("--wait", is_flag=True, help="Load nothing before there is something to do.")
@click.option("--stay", is_flag=True, help="Don't end when nothing is left: wait for more.")
@click.option(
    "--s3-source-bucket",
    metavar="BUCKET",
    help="The archive's bucket, or a URL (file:///dir).  [env: BEC_SOURCE_S3_BUCKET; default: archive.tbrc.org]",
)
@click.option(
    "--s3-dest-bucket",
    metavar="BUCKET",
    help="The artifacts' bucket, or a URL (file:///dir).  [env: BEC_DEST_S3_BUCKET]",
)
@click.option("--region", help="The AWS region.  [env: BEC_REGION]")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many volumes at the same time.",
)
@click.option("--threads", type=click.IntRange(1, 256), help="Threads for pages.  [default: by the cores]")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=60,
    show_default=True,
    help="After SIGTERM or Ctrl-C: for how long volumes at hand may go on, in seconds; then they are handed back.",
)
@click.option(
    "--stall-timeout",
    type=click.FloatRange(1),
    default=900,
    show_default=True,
    help="Give a volume up when no page of it was finished for so long, in seconds.",
)
@click.option("--name", help="How this worker is listed.  [env: BEC_WORKER_NAME; default: the host's name]")
@click.option(
    "--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Kept in the worker's row; may be given often."
)
@click.option(
    "--metrics-port",
    metavar="[HOST:]PORT",
    help="Tell metrics to Prometheus at this port; without a host, only to this machine.  [env: BEC_PROMETHEUS_PORT]",
)
@click.pass_context
def worker(
    ctx: click.Context,
    job_name: str,
    poll_wait: float,
    visibility_timeout: float,
    shutdown_after_empty: int,
    wait: bool,
    stay: bool,
    s3_source_bucket: str | None,
    s3_dest_bucket: str | None,
    region: str | None,
    concurrency: int,
    threads: int | None,
    grace: float,
    stall_timeout: float,
    name: str | None,
    tags: tuple[str, ...],
    metrics_port: str | None,
) -> int:
    """Run a worker of a job: it takes volumes from the job's queue until nothing is left.

    Ctrl-C, SIGTERM or SIGHUP lets the volumes at hand finish within --grace; a second one hands them back at once.
    Exit status: 0 nothing is left to do, 75 volumes wait that can't be worked on now, 76 this program met a fault
    of its own, 129, 130 or 143 stopped by SIGHUP, Ctrl-C or SIGTERM.

    \b
    Examples:
      bec worker --job-name ldv1
      bec worker --job-name ldv1 --model-path /path/to/model.pth --shutdown-after-empty 0
    """
    from bec_core.worker import WorkerOptions

    place = WorkerPlace.parse(job_name)
    options = WorkerOptions(
        poll_wait_s=poll_wait,
        lease_s=visibility_timeout,
        shutdown_after_empty=None if stay else shutdown_after_empty or None,
        concurrency=concurrency,
        grace_s=grace,
        stall_timeout_s=stall_timeout,
        tags={**({"part": place.part} if place.part else {}), **_tags(tags)},
        job_options={"threads": threads} if threads else {},
    )
    with _watched() as watchdog:
        place.take()
        session = session_of(
            ctx,
            connections=2 * concurrency + 2,  # a slot that waits for a message holds one
            region=region,
            worker_name=name,
            source_url=_url(s3_source_bucket),
            dest_url=_url(s3_dest_bucket),
        )
        open_aside(session)
        named, for_observers = named_resources(ctx), _for_observers(metrics_port)
        while True:
            job = _job(session, place.job, watchdog, poll_s=poll_wait if wait else None)
            if (status := _work(session, job, options, named, for_observers, watchdog)) is not None:
                return status
            note("the job's config has changed: loading it anew")


@contextmanager
def _watched() -> Iterator[Watchdog]:
    """The service manager is told how the block stands and why it failed; SIGTERM ends it as Ctrl-C does."""
    from bec_cli.signals import interrupting_on_signals
    from bec_core.settings import load_supervision
    from bec_core.worker import Life, ServiceManager, Watchdog

    watchdog = Watchdog(ServiceManager(load_supervision()), Life())
    watchdog.starting("starting")
    watchdog.start()
    try:
        with interrupting_on_signals():
            yield watchdog
    except BaseException as error:
        watchdog.stopping("stopped" if isinstance(error, KeyboardInterrupt) else f"failed: {error}")
        raise
    finally:
        watchdog.close()


def _job(session: Session, name_or_id: str, watchdog: Watchdog, *, poll_s: float | None) -> Job:
    """The job; if it is to be waited for (``poll_s`` is given), once there is something to do."""
    if poll_s is None:
        from bec_core.admin.jobs import find_job

        return find_job(session, name_or_id)
    from bec_cli.worker_waiting import wait_for_work

    return wait_for_work(session, name_or_id, watchdog, poll_s=poll_s)


def _work(
    session: Session,
    job: Job,
    options: WorkerOptions,
    named: NamedResources,
    for_observers: dict[str, str],
    watchdog: Watchdog,
) -> int | None:
    """Run one worker; its exit status, or None if it must be opened anew with the job's present config."""
    from bec_cli.signals import stopping_on_signals
    from bec_cli.worker_lines import WorkerLines
    from bec_core.admin.working import worker_for
    from bec_core.worker import End

    settings = session.settings
    named.check([session.plugins.job_type(job.type)])
    lines = WorkerLines()
    lines.say("Starting BEC Worker")
    lines.say(f"Job: {job.name}")
    lines.say(f"Region: {settings.region or '-'}")
    lines.say(f"Source bucket: {settings.source_location.removeprefix('s3://')}")
    lines.say(f"Dest bucket: {settings.dest_location.removeprefix('s3://')}")
    with ExitStack() as stack:
        with watchdog.loading(f"loading job {job.name}"):
            running = stack.enter_context(
                worker_for(
                    session,
                    job,
                    options,
                    observers=[lines],
                    resources=named,
                    for_observers=for_observers,
                    life=watchdog.life,
                )
            )
        watchdog.ready()
        lines.say(f"Worker initialized: worker_id={running.worker_id}, job_id={job.id}")
        lines.say(f"Queue: {job.queue_url}")
        lines.say(f"DLQ: {job.dlq_url}")
        with stopping_on_signals(running) as received:
            summary = running.run()
        watchdog.starting("closing")
    if summary.end is End.RELOAD and not received:
        return None
    watchdog.stopping(f"ended: {summary.end.value}")
    status = _status(summary, received)
    if summary.end in (End.NOTHING_LEFT, End.COMPLETED):
        lines.say("Worker completed successfully")
        if summary.left is not None and summary.left.blocked:
            them = count(summary.left.blocked, "volume")
            note(f"{them} blocked by inputs that nobody is doing: bec jobs stats {job.name}")
    else:
        level = "CRITICAL" if summary.end in (End.FAULT, End.DELETED) else "INFO"
        say_the_end(f"the worker ended: {summary.end.value}{_what_waits(summary)}", status, level=level)
    lines.say("Worker shutdown complete")
    return status


def _status(summary: WorkerSummary, received: list[int]) -> int:
    """The exit status that says how it ended."""
    from bec_core.worker import End

    if summary.end is End.STOPPED:
        return 128 + received[0] if received else Exit.TERMINATED
    return {
        End.WORK_LEFT: Exit.WORK_LEFT,
        End.RELOAD: Exit.WORK_LEFT,
        End.DELETED: Exit.NOT_FOUND,
        End.FAULT: Exit.FAULT,
    }.get(summary.end, Exit.OK)


def _what_waits(summary: WorkerSummary) -> str:
    """How many volumes wait, why, and until when."""
    left = summary.left
    if left is None or not (left.total or left.coming):
        return ""
    parts = [
        f"{number} {what}"
        for number, what in (
            (left.due, "due, their messages not to be had yet"),
            (left.backing_off, "in back-off"),
            (left.running, "running elsewhere"),
            (left.coming, "blocked, their inputs on their way"),
        )
        if number
    ]
    until = ""
    if left.next_s is not None:
        until = f"; the first in {ago(left.next_s)} ({local_time(datetime.now(UTC) + timedelta(seconds=left.next_s))})"
    return f": {', '.join(parts)}{until}"


def _for_observers(metrics_port: str | None) -> dict[str, str]:
    """Settings of observers that the command line has, by their variables."""
    if metrics_port is None:
        return {}
    from bec_core.observers.settings import address_of

    try:
        address_of(metrics_port)
    except ValueError as error:
        raise SettingsError(f"--metrics-port: {error}") from None
    return {"BEC_PROMETHEUS_PORT": metrics_port}


def _url(place: str | None) -> str | None:
    """A bucket's name as a URL; a URL as it is."""
    return place if place is None or "://" in place else f"s3://{place}"


def _tags(tags: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for tag in tags:
        key, equals, value = tag.partition("=")
        if not equals or not key:
            raise SettingsError(f"--tag {tag}: write KEY=VALUE")
        found[key] = value
    return found
