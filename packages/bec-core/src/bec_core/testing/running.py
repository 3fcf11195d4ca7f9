"""Conformance of what a job does: its worker runs on good, bad and missing pages, twice, at once, and stops."""

from __future__ import annotations

import json
import threading
import time
from functools import partial
from pathlib import Path

from bec_core.errors import PluginError, ShutdownRequested, TaskStopped
from bec_core.job import JobWorker
from bec_core.plugins import load_object
from bec_core.testing.for_people import reading_problems, said
from bec_core.testing.local import LocalOutcome, local_worker
from bec_core.testing.printed import recorded
from bec_core.testing.probe import Probe, WatchedTask, has_ended, start, until_gone
from bec_core.worker.failures import is_retryable

_MANY = 64  # pages: more than any job has in flight at once, so that stopping amid them shows


class _Hung(Exception):
    """The job did not come back: nothing more can be tried with this worker."""


def running_problems(probe: Probe) -> list[str]:
    """What is wrong with the job's runs, each in a sentence."""
    if not probe.pages:
        raise ValueError("check_job_type needs at least one good page")
    with recorded() as printed:
        problems = _problems(probe)
    return [*problems, *printed.problems()]


def _problems(probe: Probe) -> list[str]:
    before = set(threading.enumerate())
    try:
        load_object(probe.job_type.worker)
    except PluginError:
        return []  # which the declaration's checks have said
    building = local_worker(
        probe.job_type,
        probe.config,
        resources=probe.resources,
        environment=probe.environment,
        concurrency=2,
        options=probe.options,
    )
    built = start(building.__enter__)
    if not has_ended(built, probe.run_within_s):
        return [f"its worker was not built within {probe.run_within_s:.0f} s"]
    if error := built.exception():
        return [f"its worker can't be built: {said(error)}"]
    worker = built.result()
    if lacking := [name for name in ("run", "close") if not callable(getattr(worker, name, None))]:
        has_ended(start(lambda: building.__exit__(None, None, None)), probe.run_within_s)
        return [f"its worker {type(worker).__name__} has no method {' and no '.join(lacking)}"]
    runs = _Runs(probe, worker)
    try:
        runs.run_all()
    except _Hung as hung:
        return [*runs.problems, str(hung)]
    closing = start(lambda: building.__exit__(None, None, None))
    if not has_ended(closing, probe.run_within_s):
        return [*runs.problems, f"close() did not come back within {probe.run_within_s:.0f} s"]
    if raised := closing.exception():
        runs.problems.append(f"close() raised {said(raised)}")
    # daemon threads too: what a job starts in run() is one, since our own thread that called run() is
    if left := until_gone(lambda: [thread.name for thread in threading.enumerate() if thread not in before]):
        runs.problems.append(f"close() left threads running: {', '.join(sorted(left))}")
    return runs.problems


class _Runs:
    """All runs with one worker; what does not conform is collected in ``problems``."""

    def __init__(self, probe: Probe, worker: JobWorker) -> None:
        self._probe = probe
        self._worker = worker
        self.problems: list[str] = []

    def run_all(self) -> None:
        """Run everything; without a first good run there is nothing to compare the others with."""
        task = self._probe.task("good", self._probe.pages)
        first = self._finish(task, "a run over good pages")
        if first is None:
            return
        self._compare_counts(task, first, failed=set(), run="good pages")
        again = self._finish(self._probe.task("good", {}), "a second run over the same pages")
        self._compare(first, again, "a second run over the same pages")
        self._at_once(first)
        if task.read and self._probe.bad_page is not None:
            self._one_failing_page("bad", damage=self._probe.bad_page)
        if task.read:
            self._one_failing_page("missing", damage=None)
        self._stopped_before()
        self._stopped_amid()
        self._resumed(first)
        self._undone_input()
        self.problems += reading_problems(self._probe, first, again or first)

    def _finish(self, task: WatchedTask, what: str) -> LocalOutcome | None:
        """Run a task to its end; None, and a problem, if it fails.

        Raises:
            _Hung: it does not end in time.
        """
        running = start(lambda: task.run(self._worker))
        if not has_ended(running, self._probe.run_within_s):
            raise _Hung(f"{what} did not end within {self._probe.run_within_s:.0f} s")
        if error := running.exception():
            self.problems.append(f"{what} raised {said(error)}")
            return None
        return running.result()

    def _compare_counts(
        self, task: WatchedTask, outcome: LocalOutcome, *, failed: set[str], run: str
    ) -> None:
        """Whether what the job called fits what there was to call."""
        names = [page.filename for page in outcome.volume.pages]
        said = {failure.img_filename for failure in outcome.failures}
        if unsaid := failed - said:
            self.problems.append(f"{run}: page_failed was not called for {', '.join(sorted(unsaid))}")
        if wrongly := said - failed:
            why = "; ".join(f.message for f in outcome.failures if f.img_filename in wrongly)
            self.problems.append(f"{run}: page_failed was called for {', '.join(sorted(wrongly))}: {why}")
        if task.early:
            self.problems.append(
                f"{run}: page_done was called before the page was read: {', '.join(sorted(set(task.early)))}"
            )
        if odd := [name for name in names if task.done[name] != 1]:
            counts = ", ".join(f"{name} {task.done[name]} times" for name in odd)
            self.problems.append(
                f"{run}: page_done must be called once for every page, failed or not: {counts}"
            )
        self.problems += [one for one in task.unkept if one not in self.problems]
        if any(failure.stage in ("", "unknown") for failure in outcome.failures):
            self.problems.append(f"{run}: hand page_failed a PageError, so that the failure has a stage")
        try:
            json.dumps(outcome.marker, allow_nan=False)
        except (TypeError, ValueError) as error:
            self.problems.append(f"{run}: stage_ms or details can't stand in the marker: {error}")

    def _compare(self, first: LocalOutcome, other: LocalOutcome | None, what: str) -> None:
        if other is None:
            return
        if set(first.files) != set(other.files):
            self.problems.append(f"{what} wrote {sorted(other.files)}, the first one {sorted(first.files)}")
            return
        for name, data in first.files.items():
            if not self._probe.same(name.removeprefix(first.basename), data, other.files[name]):
                self.problems.append(
                    f"{what} gave another {name}: a task may be done twice, and must not differ"
                )

    def _at_once(self, first: LocalOutcome) -> None:
        """Two tasks at the same time, as ``bec worker --concurrency 2`` runs them."""
        what = "one of two runs at the same time"
        running = [start(partial(self._probe.task("good", {}).run, self._worker)) for _ in range(2)]
        for one in running:
            if not has_ended(one, self._probe.run_within_s):
                raise _Hung(f"{what} did not end within {self._probe.run_within_s:.0f} s")
            if error := one.exception():
                self.problems.append(f"{what} raised {said(error)}")
            else:
                self._compare(first, one.result(), what)

    def _one_failing_page(self, kind: str, *, damage: bytes | None) -> None:
        """A volume one page of which is bad (``damage`` are its bytes) or vanishes (None)."""
        victim = f"{'9' * 8}{Path(next(iter(self._probe.pages))).suffix}"
        if self._probe.only_these:
            victim = max(self._probe.pages)
        content = b"soon gone" if damage is None else damage
        task = self._probe.task(kind, {**self._probe.pages, victim: content})
        if damage is None:
            (self._probe.folder / kind / victim).unlink()
        outcome = self._finish(task, f"a run with a {kind} page (which must only fail that page)")
        if outcome is not None:
            self._compare_counts(task, outcome, failed={victim}, run=f"a {kind} page")

    def _stopped_before(self) -> None:
        task = self._probe.task("good", {})
        task.stop.set(ShutdownRequested("stopped by the conformance kit"))
        self._expect_stop(task, "told to stop before its first page", time.monotonic())

    def _stopped_amid(self) -> None:
        pages = [(Path(name).suffix, data) for name, data in self._probe.pages.items()]
        many = {f"{n:04}{pages[n % len(pages)][0]}": pages[n % len(pages)][1] for n in range(_MANY)}
        if self._probe.only_these:
            many = dict(self._probe.pages)

        def stop(task: WatchedTask) -> None:
            if task.told_to_stop is None:
                task.told_to_stop = time.monotonic()
                task.read_when_told = len(task.read)
                task.stop.set(ShutdownRequested("stopped by the conformance kit"))

        task = self._probe.task("many", many, on_page=stop)
        self._expect_stop(task, "told to stop after its first page", None, enough=len(many) >= _MANY)

    def _expect_stop(self, task: WatchedTask, when: str, told: float | None, *, enough: bool = True) -> None:
        """Whether it stops; ``enough``: there are more pages than it may have in hand."""
        running = start(lambda: task.run(self._worker))
        ends = time.monotonic() + self._probe.run_within_s
        while told is None and not running.done() and time.monotonic() < ends:
            time.sleep(0.005)
            told = task.told_to_stop
        if not has_ended(running, self._probe.stop_within_s):
            raise _Hung(f"{when}, it did not come back within {self._probe.stop_within_s:.0f} s")
        error = running.exception()
        if error is not None and not isinstance(error, TaskStopped):
            self.problems.append(f"{when}, it raised {said(error)}; let ctx.stop.check()'s error pass")
        elif enough and len(task.read) == len(task.volume.pages):
            self.problems.append(
                f"{when}, it had read all pages: call page_done when a page is finished, not at the end"
                if task.read_when_told == len(task.volume.pages)
                else f"{when}, it read all pages: call ctx.stop.check() before each page"
            )
        if task.failures:
            self.problems.append(f"{when}, it called page_failed: stopping is no page's failure")

    def _resumed(self, first: LocalOutcome) -> None:
        """Whether a run that goes on where an earlier one was stopped gives what a run in one piece gives."""
        parts = self._probe.parts("good", 1)

        def stop(task: WatchedTask) -> None:
            task.stop.set(ShutdownRequested("stopped by the conformance kit"))

        interrupted = self._probe.task("good", {}, on_page=stop, parts=parts)
        running = start(lambda: interrupted.run(self._worker))
        if not has_ended(running, self._probe.run_within_s):
            raise _Hung(f"told to stop, it did not come back within {self._probe.run_within_s:.0f} s")
        parts.close()
        parts = self._probe.parts("good", 2)
        task = self._probe.task("good", {}, parts=parts)
        what = "a run that goes on where an earlier one was stopped"
        outcome = self._finish(task, what)
        parts.close()
        if outcome is not None and outcome.marker["pages_resumed"]:
            self._compare(
                first, outcome, f"{what} (map_pages' function may have no effect but what it returns)"
            )

    def _undone_input(self) -> None:
        if not self._probe.job_type.inputs:
            return
        task = WatchedTask(self._probe, self._probe.folder / "good", {}, None)
        running = start(lambda: task.run(self._worker))
        if not has_ended(running, self._probe.run_within_s):
            raise _Hung(f"without its input it did not end within {self._probe.run_within_s:.0f} s")
        error = running.exception()
        if error is None:
            self.problems.append("it finished without its input: let the error of ctx.input pass")
        elif not is_retryable(error):
            self.problems.append(f"without its input it raised {said(error)}, which is not retryable")
