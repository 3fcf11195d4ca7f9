"""``bec run``: a job over a person's own folder of scans."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from bec_cli.common import err, read_config, settings_of
from bec_cli.exits import Exit
from bec_cli.metric_lines import metric_lines
from bec_cli.resource_options import WorkerCommand, named_resources
from bec_cli.signals import stopping_on_signals
from bec_core.admin import folder_run, reports
from bec_core.admin.metrics import of_markers
from bec_core.admin.session import Session
from bec_core.admin.working import worker_for
from bec_core.errors import BecError
from bec_core.models import Volume, VolumeRef
from bec_core.resources import NamedResources
from bec_core.text import shown
from bec_core.worker import End, WorkerObserver, WorkerOptions

_LEASE_S = 15.0  # short: after a kill the same command must not wait long for the dead worker's lease


class _PagesPerSecond(ProgressColumn):
    """Pages per second since the start."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} pages/s" if speed else "- pages/s")


class _Bar(WorkerObserver):
    """Shows the worker's progress on one bar over all pages."""

    def __init__(self, progress: Progress, total_pages: int) -> None:
        self._progress = progress
        self._bar = progress.add_task("starting", total=total_pages)
        self._lock = threading.Lock()
        self._counted: dict[str, int] = {}
        self.outcomes: dict[str, str] = {}
        self.pages = 0

    def task_started(self, volume: Volume, attempt: int) -> None:
        again = f" (attempt {attempt})" if attempt > 1 else ""
        self._progress.update(self._bar, description=escape(shown(f"{volume.ref}{again}")))

    def page_done(self, volume: Volume, done: int, total: int) -> None:
        with self._lock:
            before = self._counted.get(str(volume.ref), 0)
            self._counted[str(volume.ref)] = max(before, done)
            self.pages += 1
        self._progress.advance(self._bar, max(0, done - before))

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        if outcome in ("retryable_failed", "terminal_failed"):
            self._progress.console.print(
                Text.assemble((f"{shown(str(volume.ref))}: {outcome}", "red"), " ", shown(message))
            )
        with self._lock:
            self.outcomes[str(volume.ref)] = outcome
            if outcome == "already-done":
                missing = len(volume.pages) - self._counted.get(str(volume.ref), 0)
                self._progress.advance(self._bar, max(0, missing))


def _say(console: Console, text: str) -> None:
    """Print a line as it is: no markup in it means anything."""
    console.print(shown(text), markup=False, soft_wrap=True)


@click.command(cls=WorkerCommand)
@click.argument("job_type")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    "output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where artifacts and report go. [default: FOLDER's name with -bec, in the current folder]",
)
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The job's config (JSON)."
)
@click.option("--config-text", help="The job's config as JSON text.")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads for pages. [default: by the cores]")
@click.option("--force", is_flag=True, help="Do again what is done.")
@click.option("--report/--no-report", default=True, show_default=True, help="Write the HTML report.")
@click.pass_context
def run(
    ctx: click.Context,
    job_type: str,
    folder: Path,
    output: Path | None,
    config: Path | None,
    config_text: str | None,
    threads: int | None,
    force: bool,
    report: bool,
) -> int:
    """Run JOB_TYPE (such as ldv1) over a FOLDER of scans on this machine.

    Every directory in FOLDER that holds images is a volume. Ctrl-C stops at a clean point; the same
    command goes on from there, also after a crash. What is done and unchanged is not done again, unless the
    config or the model is another one.

    \b
    Examples:
      bec run ldv1 scans/
      bec run ldv1 scans/ --out results/ --config-text '{"batch_size": 8}'
    """
    output = (output or Path(f"{folder.resolve().name}-bec")).absolute()
    settings = settings_of(ctx, dest_url=output.as_uri(), quiet=True)
    console = err()
    options = WorkerOptions(
        poll_wait_s=0.5,
        lease_s=_LEASE_S,
        shutdown_after_empty=None,
        until_drained=True,
        redo_other_recipes=True,
        grace_s=0.0,
        retry_base_s=1.0,
        heartbeat_s=2.0,
        job_options={"threads": threads} if threads else {},
    )
    named = named_resources(ctx)
    with Session(settings) as session:
        named.check([session.plugins.job_type(job_type)])
        prepared = folder_run.prepare(
            session,
            job_type=job_type,
            folder=folder,
            output=output,
            config=read_config(config, config_text),
            force=force,
        )
        _say(
            console,
            f"{len(prepared.volumes)} volumes in {folder} (job {prepared.job.name})",
        )
        end, before = _work(console, session, prepared, options, named)
        if end is End.STOPPED:
            _say(console, "stopped; the same command goes on from here")
            return Exit.INTERRUPTED
        if end is End.FAULT:
            _say(
                console,
                "stopped by a fault of this program (its traceback is above); no volume was given up for it",
            )
            return Exit.FAULT
        return _conclude(console, session, prepared, before, report=report)


def _work(
    console: Console,
    session: Session,
    prepared: folder_run.FolderRun,
    options: WorkerOptions,
    named: NamedResources,
) -> tuple[End, int]:
    """Run a worker until nothing is left; why it ended, and how many volumes were done before."""
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("pages"), _PagesPerSecond(), TimeRemainingColumn(compact=True), TextColumn("left"),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        bar = _Bar(progress, sum(_pages(session, ref) for ref in prepared.to_do))
        with (
            worker_for(session, prepared.job, options, observers=[bar], resources=named) as worker,
            stopping_on_signals(worker, at_once=True),
        ):
            started = time.monotonic()
            end = worker.run().end
            seconds = time.monotonic() - started
    if bar.pages:
        _say(console, f"{bar.pages} pages in {seconds:.1f} s: {bar.pages / seconds:.2f} pages/s")
    return end, sum(outcome == "already-done" for outcome in bar.outcomes.values())


def _pages(session: Session, ref: VolumeRef) -> int:
    """How many pages a volume has, for the bar; none if it can't be read, which the worker will say."""
    try:
        return len(session.sources.resolve(ref).pages)
    except BecError:
        return 0


def _conclude(
    console: Console, session: Session, run: folder_run.FolderRun, before: int, *, report: bool
) -> int:
    """Say what is done, what failed, and where things are."""
    finished = reports.finished_volumes(session, run.job, run.volumes)
    markers = [volume.marker for volume in finished]
    failed_pages = sum(int(marker.get("nb_errors", 0)) for marker in markers)
    already = f" ({before} were before)" if before else ""
    _say(
        console,
        f"{len(finished)} of {len(run.volumes)} volumes are done{already}; {failed_pages} pages failed",
    )
    if report and finished and session.plugins.job_type(run.job.type).report:
        first = reports.write_report(session, run.job, run.volumes, run.output / "report")
        _say(console, f"report: {first}")
    for line in metric_lines(of_markers(session.plugins.job_type(run.job.type).metrics, markers)):
        _say(console, line)
    _say(console, f"artifacts: {run.output / run.job.artifact_root}")
    if len(finished) < len(run.volumes):
        _say(console, f"what failed and why: bec errors top --job-name {run.job.name}")
        return Exit.SOME_FAILED
    return Exit.OK
