"""``bec run``: jobs over a person's own folder of scans, or another place of volumes."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
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

from bec_cli.collector import collect_again
from bec_cli.common import err, read_config, settings_of
from bec_cli.completion import complete_job_type
from bec_cli.exits import Exit
from bec_cli.metric_lines import metric_lines
from bec_cli.resource_options import WorkerCommand, named_resources
from bec_cli.signals import stopping_on_signals
from bec_core.admin import folder_run, reports
from bec_core.admin.metrics import of_markers
from bec_core.admin.session import Session
from bec_core.admin.working import loaded_worker, worker_for
from bec_core.errors import BecError
from bec_core.models import Volume, VolumeRef
from bec_core.resources import NamedResources
from bec_core.text import shown
from bec_core.worker import End, LoadedWorker, WorkerObserver, WorkerOptions

_LEASE_S = 15.0  # short: after a kill the same command must not wait long for the dead worker's lease


class _PagesPerSecond(ProgressColumn):
    """Pages per second since the start."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} pages/s" if speed else "- pages/s")


class _Bar(WorkerObserver):
    """Shows the worker's progress on one bar over all pages."""

    def __init__(self, progress: Progress, total_pages: int, what: str = "") -> None:
        self._progress = progress
        self._what = what
        self._bar = progress.add_task(escape(f"{what}starting"), total=total_pages)
        self._lock = threading.Lock()
        self._counted: dict[str, int] = {}
        self.outcomes: dict[str, str] = {}
        self.pages = 0

    def task_started(self, volume: Volume, attempt: int) -> None:
        again = f" (attempt {attempt})" if attempt > 1 else ""
        self._progress.update(self._bar, description=escape(shown(f"{self._what}{volume.ref}{again}")))

    def task_resumed(self, volume: Volume, pages: int) -> None:
        total = len(volume.pages)
        text = f"{volume.ref}: goes on where it was interrupted, {pages} of {total} pages are finished"
        self._progress.console.print(Text(shown(text)))

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
            if outcome in ("already-done", "blocked"):
                missing = len(volume.pages) - self._counted.get(str(volume.ref), 0)
                self._progress.advance(self._bar, max(0, missing))


def _say(console: Console, text: str) -> None:
    """Print a line as it is: no markup in it means anything."""
    console.print(shown(text), markup=False, soft_wrap=True)


@click.command(cls=WorkerCommand)
@click.argument("job_types", metavar="JOB_TYPE[,JOB_TYPE…]", shell_complete=complete_job_type)
@click.argument("place", metavar="FOLDER|FILE|URL")
@click.option(
    "--out",
    "output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where artifacts and report go. [default: FOLDER's name with -bec, in the current folder]",
)
@click.option("--source", help="The source that is to find the volumes.  [default: by the place]")
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="[JOB_TYPE=]FILE",
    help="The config (JSON) of a job type; may be given for each.",
)
@click.option(
    "--config-text", "config_texts", multiple=True, metavar="[JOB_TYPE=]JSON", help="The same as JSON text."
)
@click.option("--threads", type=click.IntRange(1, 256), help="Threads for pages. [default: by the cores]")
@click.option("--force", is_flag=True, help="Do again what is done.")
@click.option("--report/--no-report", default=True, show_default=True, help="Write the HTML report.")
@click.pass_context
def run(
    ctx: click.Context,
    job_types: str,
    place: str,
    output: Path | None,
    source: str | None,
    configs: tuple[str, ...],
    config_texts: tuple[str, ...],
    threads: int | None,
    force: bool,
    report: bool,
) -> int:
    """Run a JOB_TYPE (such as ldv1) over a FOLDER of scans on this machine; or several, each on what those before it
    have done: ldv1,ocrv1,ocreval.

    Every directory in FOLDER that holds images is a volume, and so is a FILE or what lies at a URL if an installed
    source takes it (bec plugins list). Ctrl-C stops at a clean point; the same
    command goes on from there, also after a crash. What is done and unchanged is not done again, unless the
    config or the model is another one.

    \b
    Examples:
      bec run ldv1 scans/
      bec run ldv1 scans/ --out results/ --config-text '{"batch_size": 8}'
      bec run ldv1,ocrv1 scans/ --config-text 'ocrv1={"decoder": "greedy"}'
    """
    output = (output or Path(f"{folder_run.place_name(place)}-bec")).absolute()
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
    names = [name.strip() for name in job_types.split(",") if name.strip()]
    if not names:
        raise click.UsageError("say which job types: bec run ldv1 FOLDER")
    named = named_resources(ctx)
    with Session(settings) as session, ExitStack() as first:
        named.check([session.plugins.job_type(name) for name in names])
        found = folder_run.find(
            session,
            job_types=names,
            place=place,
            source=source,
            output=output,
            configs=_configs(names, configs, config_texts),
        )
        session.open_database_aside()  # while the first job's model is loaded
        stage = found.stages[0]
        loaded = first.enter_context(
            loaded_worker(session, stage.job_type, stage.config, options, resources=named)
        )
        collect_again()
        runs = folder_run.prepare(session, found, force=force)
        jobs = ", ".join(prepared.job.name for prepared in runs)
        _say(console, f"{len(runs[0].volumes)} volumes in {place} ({_job_word(len(runs))} {jobs})")
        if left_out := runs[0].left_out:
            _say(console, f"left out: {folder_run.left_out_words(left_out)}")
        end, before = _work(console, session, runs, options, named, loaded, first)
        if end is End.STOPPED:
            _say(console, "stopped; the same command goes on from here")
            return Exit.INTERRUPTED
        if end is End.FAULT:
            _say(
                console,
                "stopped by a fault of this program (its traceback is above); no volume was given up for it",
            )
            return Exit.FAULT
        return _conclude(console, session, runs, before, report=report)


def _job_word(number: int) -> str:
    """The word before the names of so many jobs."""
    return "job" if number == 1 else "jobs"


def _configs(
    names: list[str], files: tuple[str, ...], texts: tuple[str, ...]
) -> dict[str, Mapping[str, object]]:
    """The configs by job type; one without a name is the only job type's."""
    found: dict[str, Mapping[str, object]] = {}
    for given, is_file in [*((one, True) for one in files), *((one, False) for one in texts)]:
        name, equals, rest = given.partition("=")
        if not equals or name not in names:
            if len(names) > 1:
                raise click.UsageError(
                    f"several job types are run: say whose config it is, {names[-1]}={given[:40]}"
                )
            name, rest = names[0], given
        if name in found:
            raise click.UsageError(f"two configs are given for {name}")
        found[name] = read_config(Path(rest) if is_file else None, None if is_file else rest) or {}
    return found


def _work(
    console: Console,
    session: Session,
    runs: Sequence[folder_run.FolderRun],
    options: WorkerOptions,
    named: NamedResources,
    loaded: LoadedWorker | None,
    first: ExitStack,
) -> tuple[End, dict[str, int]]:
    """Run one worker after the other until nothing is left of any job.

    ``loaded`` is the first one's, which ``first`` closes.

    Returns:
        Why the last one ended, and by job how many volumes were done before.
    """
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("pages"), _PagesPerSecond(), TimeRemainingColumn(compact=True), TextColumn("left"),
    )  # fmt: skip
    before: dict[str, int] = {}
    end = End.NOTHING_LEFT
    with Progress(*columns, console=console) as progress:
        total = sum(_pages(session, ref) for ref in runs[0].to_do)
        for prepared in runs:
            what = f"{prepared.job.type} " if len(runs) > 1 else ""
            bar = _Bar(progress, total, what)
            with (
                worker_for(
                    session, prepared.job, options, observers=[bar], resources=named, loaded=loaded
                ) as worker,
                stopping_on_signals(worker, at_once=True),
            ):
                started = time.monotonic()
                end = worker.run().end
                seconds = time.monotonic() - started
            loaded = None
            first.close()
            before[prepared.job.name] = sum(outcome == "already-done" for outcome in bar.outcomes.values())
            if bar.pages:
                rate = f"{bar.pages} pages in {seconds:.1f} s: {bar.pages / seconds:.2f} pages/s"
                _say(progress.console, f"{what}{rate}")
            if end is not End.NOTHING_LEFT:
                break
    return end, before


def _pages(session: Session, ref: VolumeRef) -> int:
    """How many pages a volume has, for the bar; none if it can't be read, which the worker will say."""
    try:
        return len(session.sources.resolve(ref).pages)
    except BecError:
        return 0


def _conclude(
    console: Console,
    session: Session,
    runs: Sequence[folder_run.FolderRun],
    before: Mapping[str, int],
    *,
    report: bool,
) -> int:
    """Say what is done, what failed, and where things are."""
    all_done = True
    for run in runs:
        what = f"{run.job.type}: " if len(runs) > 1 else ""
        markers = [volume.marker for volume in reports.finished_volumes(session, run.job, run.volumes)]
        failed_pages = sum(int(marker.get("nb_errors", 0)) for marker in markers)
        were = before.get(run.job.name, 0)
        already = f" ({were} were before)" if were else ""
        _say(
            console,
            f"{what}{len(markers)} of {len(run.volumes)} volumes are done{already}; {failed_pages} pages failed",
        )
        for line in metric_lines(of_markers(session.plugins.job_type(run.job.type).metrics, markers)):
            _say(console, f"{what}{line}")
        if len(markers) < len(run.volumes):
            all_done = False
            _say(console, f"what failed and why: bec errors top --job-name {run.job.name}")
    if report:
        first = reports.write_reports(
            session, [run.job for run in runs], runs[0].volumes, runs[0].output / "report"
        )
        if first is not None:
            _say(console, f"report: {first}")
    for run in runs:
        _say(console, f"artifacts: {run.output / run.job.artifact_root}")
    return Exit.OK if all_done else Exit.SOME_FAILED
