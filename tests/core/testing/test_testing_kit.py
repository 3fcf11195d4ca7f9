"""The kit for plugin authors: a task without services, and a conformance check that finds what is wrong."""

import json
import logging
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve, field, frozen

from bec_core import (
    Input,
    InputArtifactMissing,
    JobType,
    PageError,
    RetryableTaskError,
    TaskResult,
    TerminalTaskError,
    between,
    option,
)
from bec_core.errors import JobConfigError, ManifestMissing, ObjectNotFound, ShutdownRequested
from bec_core.testing.checksum_job import CHECKSUM, ChecksumWorker, Trouble
from bec_core.testing.conformance import check_job_type
from bec_core.testing.local import LocalTask, local_worker, write_pages

pytest_plugins = ["bec_core.testing.fixtures"]

PAGES = {"0001.jpg": b"one", "0002.jpg": b"two"}
MODULE = "bec_core.testing.checksum_job"


def _check(job_type: JobType, **arguments: object) -> str:
    """What the check says is wrong."""
    arguments = {
        "pages": PAGES, "bad_page": Trouble.BAD_PAGE, "plugin": MODULE,
        "stop_within_s": 1.0, "run_within_s": 5.0, **arguments,
    }  # fmt: skip
    try:
        check_job_type(job_type, **arguments)
    except AssertionError as error:
        return str(error)
    return ""


def _job(worker: type, monkeypatch: pytest.MonkeyPatch, **changes: object) -> JobType:
    """The checksum job with another worker, importable by its path; its declaration is not looked at."""
    monkeypatch.setattr("bec_core.testing.conformance.declaration_problems", lambda *_: [])
    monkeypatch.setattr(f"{MODULE}.ChecksumWorker", worker)
    return evolve(CHECKSUM, **changes)


def test_a_local_task_gives_what_would_be_published(bec_task, bec_worker, tmp_path):
    task = bec_task(CHECKSUM, {**PAGES, "0003.jpg": Trouble.BAD_PAGE}, attempt=2)
    outcome = task.run(bec_worker(CHECKSUM))
    assert (outcome.marker["total_images"], outcome.marker["nb_errors"]) == (3, 1)
    assert set(json.loads(outcome.artifact(".json"))) == {"0001.jpg", "0002.jpg"}
    (failure,) = outcome.failures
    assert (failure.img_filename, failure.stage, failure.attempt) == ("0003.jpg", "decode", 2)
    assert outcome.read_page(outcome.volume.pages[0]).data == b"one"
    names = {path.name for path in outcome.save(tmp_path / "out")}
    base = outcome.basename
    assert names == {f"{base}.json", f"{base}-errors.jsonl", "success.json"}
    marker = json.loads((tmp_path / "out" / "success.json").read_text())
    assert marker["nb_errors"] == 1
    assert {one["name"] for one in marker["artifacts"]} == names - {"success.json"}
    with pytest.raises(ObjectNotFound, match=r"wrote no .*parquet"):
        outcome.artifact(".parquet")


def test_a_local_task_stops_and_refuses_as_a_worker_would(bec_task, bec_worker, tmp_path):
    task = bec_task(CHECKSUM, PAGES)
    task.stop.set(ShutdownRequested("now"))
    with pytest.raises(ShutdownRequested):
        task.run(bec_worker(CHECKSUM))
    with pytest.raises(ValueError, match="suffix"):
        task.write_artifact("no-suffix", b"")
    with pytest.raises(JobConfigError, match="page_ms"):
        bec_task(CHECKSUM, PAGES, config={"page_ms": -1})
    with pytest.raises(ManifestMissing):
        LocalTask(CHECKSUM, tmp_path / "nowhere")


def test_inputs_come_from_a_dict(tmp_path):
    job = evolve(CHECKSUM, inputs=(Input("other", type="others"),))
    made = {("other", ".json"): b"{}", ("other", ".txt"): lambda volume: volume.ref.i_id.encode()}
    task = LocalTask(job, write_pages(tmp_path / "pages", PAGES), inputs=made)
    assert task.input("other").read(".json") == b"{}"
    assert task.input("other").read(".txt") == b"I0001"
    with pytest.raises(InputArtifactMissing):
        task.input("other").read(".parquet")
    with pytest.raises(RetryableTaskError):
        LocalTask(job, tmp_path / "pages").input("other")
    with pytest.raises(ValueError, match="declares no input"):
        task.input("another")


def test_a_worker_is_closed(monkeypatch):
    closed = []
    monkeypatch.setattr(ChecksumWorker, "close", lambda self: closed.append(self))
    with local_worker(CHECKSUM) as worker:
        assert not closed
    assert closed == [worker]


def test_a_good_job_conforms():
    assert _check(CHECKSUM) == ""


# -- each fault is found -----------------------------------------------------------------------------------


class NoPageDone(ChecksumWorker):
    def run(self, ctx):
        ctx.page_done = lambda page: None
        return super().run(ctx)


class Crashes(ChecksumWorker):
    def run(self, ctx):
        for page in ctx.volume.pages:
            if ctx.read_page(page).data == Trouble.BAD_PAGE:
                raise KeyError("nobody thought of this")
        return super().run(ctx)


class NeverChecksStop(ChecksumWorker):
    def run(self, ctx):
        for page in ctx.volume.pages:
            try:
                ctx.read_page(page)
            except PageError as error:
                ctx.page_failed(page, error)
            ctx.page_done(page)
        return TaskResult()


class Wedged(ChecksumWorker):
    def run(self, ctx):
        if ctx.stop.is_set():
            time.sleep(1.5)
        return super().run(ctx)


class StopIsAPageError(ChecksumWorker):
    def run(self, ctx):
        for page in ctx.volume.pages:
            try:
                ctx.stop.check()
                ctx.read_page(page)
            except Exception as error:  # noqa: BLE001 - the fault itself
                ctx.page_failed(page, error)
            ctx.page_done(page)
        return TaskResult()


class Different(ChecksumWorker):
    def run(self, ctx):
        result = super().run(ctx)
        ctx.write_artifact(".txt", random.randbytes(8))
        return result


class SharesState(ChecksumWorker):
    busy = False

    def run(self, ctx):
        if self.busy:
            raise RuntimeError("one at a time, please")
        self.busy = True
        time.sleep(0.05)
        try:
            return super().run(ctx)
        finally:
            self.busy = False


class LeavesAThread(ChecksumWorker):
    def __init__(self, setup):
        super().__init__(setup)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.over.wait, args=(5,), name="forgotten")
        self.thread.start()


class LeavesADaemon(ChecksumWorker):
    """A thread that ``run`` starts is a daemon as the kit's own is."""

    def run(self, ctx):
        threading.Thread(target=threading.Event().wait, args=(5,), name="watcher").start()
        return super().run(ctx)


class KeepsAPool(ChecksumWorker):
    """Threads may live until ``close``."""

    def __init__(self, setup):
        super().__init__(setup)
        self.pool = ThreadPoolExecutor(2)

    def run(self, ctx):
        self.pool.submit(time.sleep, 0).result()
        return super().run(ctx)

    def close(self):
        self.pool.shutdown()


class Prints(ChecksumWorker):
    def run(self, ctx):
        print("page one")  # noqa: T201 - the fault itself
        return super().run(ctx)


class PrintsInAThread(ChecksumWorker):
    def run(self, ctx):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(sys.stderr.write, "half way\n").result()
        return super().run(ctx)


class PrintsBytesAtTheEnd(ChecksumWorker):
    def close(self):
        sys.stdout.buffer.write(b"good bye")


class Logs(ChecksumWorker):
    """What goes through a log is no print."""

    def run(self, ctx):
        logging.getLogger("job").addHandler(handler := logging.StreamHandler(sys.stderr))
        logging.getLogger("job").warning("fine")
        logging.getLogger("job").removeHandler(handler)
        return super().run(ctx)


class ExitsInRun(ChecksumWorker):
    def run(self, ctx):
        sys.exit(3)


class ExitsWhenBuilt(ChecksumWorker):
    def __init__(self, setup):
        sys.exit("no licence")


class ExitsInClose(ChecksumWorker):
    def close(self):
        sys.exit()


class NeverBuilt(ChecksumWorker):
    def __init__(self, setup):
        time.sleep(2)


class NeverClosed(ChecksumWorker):
    def close(self):
        time.sleep(2)


class DoneTwice(ChecksumWorker):
    def run(self, ctx):
        result = super().run(ctx)
        ctx.page_done(ctx.volume.pages[0])
        return result


class DoneFirst(ChecksumWorker):
    def run(self, ctx):
        for page in ctx.volume.pages:
            ctx.page_done(page)
        done, ctx.page_done = ctx.page_done, lambda page: None
        try:
            return super().run(ctx)
        finally:
            ctx.page_done = done


class DoneAtTheEnd(ChecksumWorker):
    def run(self, ctx):
        done, ctx.page_done = ctx.page_done, lambda page: None
        result = super().run(ctx)
        for page in ctx.volume.pages:
            ctx.stop.check()
            done(page)
        return result


class BlamesAnother(ChecksumWorker):
    def run(self, ctx):
        real, first = ctx.page_failed, ctx.volume.pages[0]
        ctx.page_failed = lambda page, error, data=None: real(first, error, data=data)
        return super().run(ctx)


class SwallowsFailures(ChecksumWorker):
    def run(self, ctx):
        ctx.page_failed = lambda page, error, data=None: None
        return super().run(ctx)


class NoClose:
    def __init__(self, setup):
        """Nothing to do, and nothing to close with."""

    def run(self, ctx):
        return TaskResult()


class CantClose(ChecksumWorker):
    def close(self):
        raise RuntimeError("stuck")


class NotJson(ChecksumWorker):
    def run(self, ctx):
        return evolve(super().run(ctx), details={"set": {1}})


class NoResult(ChecksumWorker):
    def run(self, ctx):
        super().run(ctx)


class NoStage(ChecksumWorker):
    def run(self, ctx):
        real = ctx.page_failed
        ctx.page_failed = lambda page, error, data=None: real(page, ValueError(str(error)), data=data)
        return super().run(ctx)


class CantBuild(ChecksumWorker):
    def __init__(self, setup):
        raise RuntimeError("no model here")


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        (NoPageDone, "page_done must be called once for every page"),
        (Crashes, "a run with a bad page (which must only fail that page) raised KeyError"),
        (NeverChecksStop, "told to stop after its first page, it read all pages"),
        (Wedged, "did not come back within 1 s"),
        (StopIsAPageError, "stopping is no page's failure"),
        (Different, "a second run over the same pages gave another"),
        (SharesState, "one of two runs at the same time raised RuntimeError"),
        (LeavesAThread, "close() left threads running: forgotten"),
        (CantClose, "close() raised RuntimeError: stuck"),
        (NotJson, "can't stand in the marker"),
        (NoResult, "run returned None, not a TaskResult"),
        (NoStage, "hand page_failed a PageError"),
        (CantBuild, "its worker can't be built: RuntimeError: no model here"),
        (LeavesADaemon, "close() left threads running: watcher"),
        (Prints, "it prints 'page one' (test_testing_kit.py, line"),
        (PrintsInAThread, "it prints 'half way' (thread.py, line"),
        (PrintsBytesAtTheEnd, "it prints 'good bye' (test_testing_kit.py, line"),
        (ExitsInRun, "a run over good pages raised SystemExit: 3 (a job never ends the process"),
        (ExitsWhenBuilt, "its worker can't be built: SystemExit: no licence (a job never"),
        (ExitsInClose, "close() raised SystemExit"),
        (NeverBuilt, "its worker was not built within 1 s"),
        (NeverClosed, "close() did not come back within 1 s"),
        (
            DoneTwice,
            "good pages: page_done must be called once for every page, failed or not: 0001.jpg 2 times",
        ),
        (DoneFirst, "good pages: page_done was called before the page was read: 0001.jpg, 0002.jpg"),
        (DoneAtTheEnd, "it had read all pages: call page_done when a page is finished, not at the end"),
        (BlamesAnother, "a bad page: page_failed was called for 0001.jpg"),
        (SwallowsFailures, "a missing page: page_failed was not called for 99999999.jpg"),
        (NoClose, "its worker NoClose has no method close"),
    ],
)
def test_a_fault_of_the_worker_is_named(worker, said, monkeypatch):
    bad_page = None if worker in (NeverChecksStop, StopIsAPageError) else Trouble.BAD_PAGE
    run_within_s = 1.0 if worker in (NeverBuilt, NeverClosed) else 5.0
    assert said in _check(_job(worker, monkeypatch), bad_page=bad_page, run_within_s=run_within_s)


@pytest.mark.parametrize("worker", [KeepsAPool, Logs])
def test_what_looks_like_a_fault_and_is_none(worker, monkeypatch):
    assert _check(_job(worker, monkeypatch)) == ""


class NeedsNothing(ChecksumWorker):
    pass


class Terminal(ChecksumWorker):
    def run(self, ctx):
        try:
            ctx.input("other").read(".json")
        except RetryableTaskError as error:
            raise TerminalTaskError(str(error)) from error
        return super().run(ctx)


class Depends(ChecksumWorker):
    def run(self, ctx):
        ctx.input("other").read(".json")
        return super().run(ctx)


@pytest.mark.parametrize(
    ("worker", "said"),
    [(NeedsNothing, "it finished without its input"), (Terminal, "which is not retryable"), (Depends, "")],
)
def test_an_input_that_is_not_done_must_be_retryable(worker, said, monkeypatch):
    job = _job(worker, monkeypatch, inputs=(Input("other", type="others"),))
    found = _check(job, inputs={("other", ".json"): b"{}"})
    assert said in found if said else found == ""


@frozen(kw_only=True)
class Sloppy:
    max_attempts: int = option(5, "The runtime has this too.")
    bare: int = 3
    needed: str = field(metadata={"doc": "No default."})


@frozen
class RefusesItself:
    size: int = option(0, "A size.", validator=lambda _, __, value: 1 // value)


@frozen
class TooLarge:
    size: int = option(5, "A size.", **between(1, 3))


@frozen
class Word:
    size: int = option("three", "A size.")


@frozen
class Elsewhere:
    size: "Unheard" = option(3, "A size.")  # noqa: F821 - the fault itself


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": RefusesItself}, "the config's defaults can't be made, or are no JSON: ZeroDivisionError"),
        ({"config": TooLarge}, "the config's defaults can't be made, or are no JSON: ValueError: 'size' must be <= 3"),
        ({"config": Word}, "the config's own defaults are refused: config: size: 'three' is not an integer"),
        ({"config": Elsewhere}, "a type of its config class Elsewhere can't be found: NameError"),
        ({"inputs": "ldv1"}, "its inputs must be a tuple, not the string 'ldv1': write ('ldv1',) with a comma"),
        ({"inputs": (Input("one", type="x", artifacts=".parquet"),)}, "must be a tuple, not the string '.parquet'"),
        ({"inputs": (Input("one", type="x", artifacts=("parquet",)),)}, "a suffix begins with '.' or '-'"),
        ({"worker": ""}, "its worker:  can't be imported: ValueError"),
        ({"worker": MODULE}, f"its worker: {MODULE} can't be imported: AttributeError"),
        ({"worker": None}, "its worker must be a string, not None"),
        ({"worker": f"{MODULE}:json.x"}, "can't be imported: AttributeError"),
        ({"compare": "nowhere:nothing"}, "its compare: nowhere:nothing can't be imported"),
        ({"report": f"{MODULE}:CHECKSUM"}, f"its report {MODULE}:CHECKSUM can't be called"),
        ({"config": Sloppy}, "'bare' does not say what it means"),
        ({"config": Sloppy}, "'needed' has no default"),
        ({"config": Sloppy}, "'max_attempts' is the runtime's"),
        ({"config": dict}, "is no attrs class"),
        ({"name": "not a name"}, "can't be a job's name"),
        ({"summary": ""}, "the summary must be one line"),
        ({"version": ""}, "the version is empty"),
        ({"worker": "bec_core.testing.checksum_job:Nobody"}, "its worker: bec_core.testing.checksum_job:Nobody"),
        ({"report": "nowhere:nothing"}, "its report: nowhere:nothing can't be imported"),
        ({"inputs": (Input("one", type="checksum"),)}, "its input 'one' could be bound to a job of its own type"),
    ],
)  # fmt: skip
def test_a_fault_of_the_declaration_is_named(changes, said):
    from bec_core.testing.declaration import declaration_problems

    found = declaration_problems(evolve(CHECKSUM, **changes), MODULE)
    assert any(said in problem for problem in found), found


def test_what_a_thread_of_before_the_check_prints_is_not_the_jobs():
    """A server that a test has running may tell that a client went away while another job is checked."""
    from bec_core.testing.printed import recorded

    said, done = threading.Event(), threading.Event()

    def serve() -> None:
        said.wait()
        print("a client went away", file=sys.stderr)  # noqa: T201
        done.set()

    older = threading.Thread(target=serve)
    older.start()
    with recorded() as printed:
        said.set()
        assert done.wait(5)
        print("the job's own")  # noqa: T201
    older.join()
    (problem,) = printed.problems()
    assert "the job's own" in problem


def test_a_heavy_plugin_module_is_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "heavy_plugin.py").write_text("import numpy")
    (tmp_path / "broken_plugin.py").write_text("import nothing_of_this_name")
    assert "importing heavy_plugin imports numpy" in _check(CHECKSUM, plugin="heavy_plugin")
    assert "broken_plugin can't be imported: ModuleNotFoundError" in _check(CHECKSUM, plugin="broken_plugin")
    assert "no installed entry point" in _check(CHECKSUM, plugin=None)
    (tmp_path / "loud_plugin.py").write_text("print('hello', end='')")
    assert "importing loud_plugin prints 'hello'" in _check(CHECKSUM, plugin="loud_plugin")
    (tmp_path / "ending_plugin.py").write_text("import os; os._exit(4)")
    assert "it ended the process with status 4" in _check(CHECKSUM, plugin="ending_plugin")
    (tmp_path / "slow_plugin.py").write_text("import time; time.sleep(60)")
    monkeypatch.setattr("bec_core.testing.declaration._IMPORT_S", 0.5)
    assert "importing slow_plugin did not end within" in _check(CHECKSUM, plugin="slow_plugin")


def test_a_report_is_written_or_its_fault_named(monkeypatch):
    def good(volumes, directory):
        directory.mkdir()
        (directory / "index.html").write_text(volumes[0].basename)
        return directory / "index.html"

    monkeypatch.setattr(f"{MODULE}.report", good, raising=False)
    job = evolve(CHECKSUM, report=f"{MODULE}:report")
    assert _check(job) == ""
    monkeypatch.setattr(f"{MODULE}.report", lambda volumes, directory: directory / "index.html")
    assert "its report must return a file" in _check(job)
    monkeypatch.setattr(f"{MODULE}.report", lambda volumes, directory: sys.exit(1))
    assert "its report raised SystemExit: 1" in _check(job)
    monkeypatch.setattr(f"{MODULE}.report", lambda volumes, directory: time.sleep(2))
    assert "its report did not end within 1 s" in _check(job, run_within_s=1.0)


def test_a_comparison_is_written_or_its_fault_named(monkeypatch):
    def good(pairs, directory, *, names):
        directory.mkdir()
        ((one, other),) = pairs
        assert one.basename == other.basename
        (directory / "index.html").write_text(" and ".join(names))
        return directory / "index.html"

    monkeypatch.setattr(f"{MODULE}.compare", good, raising=False)
    job = evolve(CHECKSUM, compare=f"{MODULE}:compare")
    assert _check(job) == ""
    monkeypatch.setattr(f"{MODULE}.compare", lambda pairs, directory: directory)
    assert "its compare raised TypeError" in _check(job)


def test_inputs_may_be_made_for_a_folder_of_pages(monkeypatch):
    folders = []

    def made(folder):
        folders.append(folder.name)
        return {("other", ".json"): b"{}"}

    assert _check(_job(Depends, monkeypatch, inputs=(Input("other", type="others"),)), inputs=made) == ""
    assert {"good", "bad", "missing", "many"} <= set(folders)


def test_a_volume_can_be_held_to_the_pages_that_its_inputs_know(monkeypatch):
    seen = set()

    class Reads(ChecksumWorker):
        def run(self, ctx):
            seen.update(page.filename for page in ctx.volume.pages)
            return super().run(ctx)

    assert _check(_job(Reads, monkeypatch), only_these=True) == ""
    assert seen == set(PAGES)
