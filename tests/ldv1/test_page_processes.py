"""Line detection in processes: when, by what, and that it makes what threads make."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import psutil
import pytest
from loguru import logger

from bec_core import Page
from bec_core.errors import RuntimeFault, ShutdownRequested
from bec_core.testing.local import LocalOutcome, LocalTask, local_worker, write_pages
from bec_core.testing.probe import Probe
from bec_ldv1 import page_processes
from bec_ldv1.config import Ldv1Config
from bec_ldv1.network.checkpoint import load_model
from bec_ldv1.network.line_model import Precision
from bec_ldv1.page_processes import PROCESS_BYTES, Orders, how_many
from bec_ldv1.plugin import bec_job_types
from support.places import SAMPLES

(JOB,) = bec_job_types()
CONFIG = {"use_gpu": False, "precision": "fp32", "runtime": "torch"}
PAGES = sorted((SAMPLES / "Works").rglob("0*.jpg"))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine of so many cores and so much memory."""

    def make(cores: int, memory: int = 1 << 40) -> None:
        monkeypatch.setattr(page_processes, "cores", lambda: cores)
        monkeypatch.setattr(page_processes, "memory_bytes", lambda: memory)

    return make


@pytest.mark.parametrize(
    ("cores", "threads", "number"),
    [
        (1, None, 0),
        (8, None, 0),
        (9, None, 9),
        (16, None, 16),
        (16, 12, 12),
        (16, 8, 0),
        (16, 40, 16),
        (64, None, 64),
    ],
)
def test_unasked_a_cpu_of_more_cores_than_threads_fill_gets_a_process_each(
    machine: Any, cores: int, threads: int | None, number: int
) -> None:
    machine(cores)
    assert how_many(Ldv1Config(), gpu=False, threads=threads) == number
    assert how_many(Ldv1Config(), gpu=True, threads=threads) == 0


@pytest.mark.parametrize(
    ("asked", "threads", "number"), [(0, None, 0), (3, None, 3), (32, None, 32), (32, 4, 4), (0, 4, 0)]
)
def test_what_the_config_says_counts_within_the_operators_bound(
    machine: Any, asked: int, threads: int | None, number: int
) -> None:
    for cores in (2, 16):
        machine(cores)
        assert how_many(Ldv1Config(processes=asked), gpu=False, threads=threads) == number
        assert how_many(Ldv1Config(processes=asked), gpu=True, threads=threads) == 0


def test_no_more_processes_than_memory_holds_and_that_is_said(machine: Any) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{message}")
    try:
        machine(64, 16 * PROCESS_BYTES)
        assert how_many(Ldv1Config(), gpu=False, threads=None) == 12
        machine(64, 8 * PROCESS_BYTES)  # so few that threads are as good
        assert how_many(Ldv1Config(), gpu=False, threads=None) == 0
        machine(2, PROCESS_BYTES)
        assert how_many(Ldv1Config(), gpu=False, threads=None) == 0
    finally:
        logger.remove(sink)
    assert lines == [f"memory for {n} processes of 640 MiB, though there are 64 cores\n" for n in (12, 6)]


def test_orders_leave_nothing_to_choose() -> None:
    model = load_model(None, Precision.BFLOAT16)
    orders = Orders.to_follow(model, Path("x.pth"), Ldv1Config(require_gpu=True, batch_size=3))
    assert orders.sha256 == model.sha256
    assert orders.config == Ldv1Config(
        use_gpu=False, require_gpu=False, precision="bf16", runtime="torch", batch_size=3
    )
    assert hash(orders) == hash(attrs.evolve(orders))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Five pages, of which one is none."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(4):
        shutil.copyfile(PAGES[number % len(PAGES)], folder / f"{number:04}.jpg")
    (folder / "0004.jpg").write_bytes(b"no picture")
    return folder


def outcome_of(folder: Path, processes: int, **config: Any) -> LocalOutcome:
    with local_worker(JOB, {**CONFIG, "processes": processes, **config}) as worker:
        return LocalTask(JOB, folder).run(worker)


@pytest.mark.slow
def test_processes_make_what_threads_make_to_the_last_byte(scans: Path) -> None:
    threads, processes = outcome_of(scans, 0), outcome_of(scans, 2)
    assert processes.artifact(".parquet") == threads.artifact(".parquet")
    assert [attrs.evolve(one, traceback=None) for one in processes.failures] == [
        attrs.evolve(one, traceback=None) for one in threads.failures
    ]
    assert [failure.img_filename for failure in processes.failures] == ["0004.jpg"]
    assert (processes.failures[0].stage, processes.failures[0].error_type) == (
        threads.failures[0].stage,
        threads.failures[0].error_type,
    )
    same = ("model", "model_sha256", "preparation", "tile_step")
    assert [processes.result.details[name] for name in same] == [
        threads.result.details[name] for name in same
    ]
    assert (
        processes.result.details["network"]
        == "float32 on cpu by torch, 1 pass of 1 tile in each of 2 processes"
    )
    for outcome in (threads, processes):
        assert outcome.marker["stage_ms"]["detect"] > 0
        assert outcome.marker["recipe"] == threads.marker["recipe"]


@pytest.mark.slow
def test_an_interrupted_volume_goes_on_in_processes_where_it_stood(scans: Path, tmp_path: Path) -> None:
    probe = Probe(
        JOB, {path.name: path.read_bytes() for path in scans.iterdir()}, None, CONFIG, {}, {}, {}, {},
        lambda *_: True, 60, 60, False, tmp_path / "probe",
    )  # fmt: skip
    whole = outcome_of(write_pages(tmp_path / "probe" / "good", probe.pages), 0)
    with local_worker(JOB, {**CONFIG, "processes": 2}) as worker:
        parts = probe.parts("good", 1)

        def stop(task: Any) -> None:
            if set(task.done) - {"0004.jpg"}:
                task.stop.set(ShutdownRequested("enough"))

        with pytest.raises(ShutdownRequested, match="enough"):
            probe.task("good", {}, on_page=stop, parts=parts).run(worker)
        parts.close()
        parts = probe.parts("good", 2)
        again = probe.task("good", {}, parts=parts)
        outcome = again.run(worker)
        parts.close()
    assert outcome.marker["pages_resumed"] == 5 - sum(again.read.values()) > 0
    assert outcome.artifact(".parquet") == whole.artifact(".parquet")


class Deadly(LocalTask):
    """Kills one of its page processes when a page is done."""

    victim: int | None = None

    def page_done(self, page: Page) -> None:
        super().page_done(page)
        if self.victim is None:
            self.victim = multiprocessing.active_children()[0].pid
            assert self.victim is not None
            os.kill(self.victim, signal.SIGKILL)


@pytest.mark.slow
def test_a_page_process_that_is_killed_at_work_fails_no_page(scans: Path) -> None:
    whole = outcome_of(scans, 0)
    with local_worker(JOB, {**CONFIG, "processes": 2}) as worker:
        task = Deadly(JOB, scans)
        outcome = task.run(worker)
    assert task.victim is not None
    assert [failure.img_filename for failure in outcome.failures] == ["0004.jpg"]
    assert outcome.artifact(".parquet") == whole.artifact(".parquet")


@pytest.mark.slow
def test_a_model_that_changes_under_the_worker_ends_the_task(scans: Path, tmp_path: Path) -> None:
    import torch

    from bec_ldv1.network.checkpoint import read_model

    box = Path(sys.modules["bec_ldv1.network"].__path__[0]) / "weights" / "box.pt"
    model = tmp_path / "model.pt"
    shutil.copyfile(box, model)
    with local_worker(JOB, {**CONFIG, "processes": 1}, resources={"model": model}) as worker:
        content = torch.load(model, weights_only=True)
        torch.save({**content, "note": "another"}, model)
        assert read_model(model).model.sha256 != read_model().model.sha256
        task = LocalTask(JOB, scans)
        with pytest.raises(
            RuntimeFault, match=r"made ready for pages: .* is another model .* start the worker again"
        ):
            task.run(worker)
    assert task.failures == []


def page_processes_of(worker: psutil.Process) -> list[psutil.Process]:
    found = []
    for one in worker.children(recursive=True):
        try:
            if any("multiprocessing.spawn" in word for word in one.cmdline()):
                found.append(one)
        except psutil.Error:
            continue
    return found


class Run:
    """`bec run` in processes, over enough pages to be met at work."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        (folder / "scans" / "one").mkdir(parents=True)
        for number in range(60):
            shutil.copyfile(PAGES[number % len(PAGES)], folder / "scans" / "one" / f"{number:04}.jpg")
        self.folder = folder
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BEC_", "AWS_"))}
        config = json.dumps({**CONFIG, "processes": 2})
        self.command = [
            *(sys.executable, "-m", "bec_cli", "run", "ldv1", "scans", "--out", "out", "--no-report"),
            *("--config-text", config),
        ]
        self.environment = {**clean, "BEC_HOME": str(folder / "home")}

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command, cwd=self.folder, env=self.environment, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def at_work(self, process: subprocess.Popen[str]) -> list[psutil.Process]:
        """Its page processes, once both have begun to load or to work."""
        ends = time.monotonic() + 120
        while time.monotonic() < ends and process.poll() is None:
            found = page_processes_of(psutil.Process(process.pid))
            busy = [one for one in found if _is_busy(one)]
            if len(busy) == 2:
                return busy
            time.sleep(0.05)
        raise AssertionError("no page processes came")

    def marker(self) -> dict[str, Any]:
        (path,) = self.folder.glob("out/ldv1/*/*/*/success.json")
        found: dict[str, Any] = json.loads(path.read_text())
        return found


def _is_busy(process: psutil.Process) -> bool:
    """Whether it has come to import what has threads of its own: it is far beyond its first lines."""
    try:
        return process.num_threads() >= 3
    except psutil.Error:
        return False


def gone(processes: list[psutil.Process]) -> bool:
    return psutil.wait_procs(processes, timeout=20)[1] == []


@pytest.fixture
def run() -> Iterator[Run]:
    """In a folder that the embedded server's user can reach; pytest's own are for root alone."""
    with tempfile.TemporaryDirectory(prefix="bec-processes-") as folder:
        yield Run(Path(folder))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_page_process_outlives_its_worker_and_what_was_done_is_kept(run: Run, number: int) -> None:
    process = run.start()
    children = run.at_work(process)
    if number == signal.SIGTERM:
        os.killpg(process.pid, number)  # as a terminal and a service manager may: the whole group
    else:
        process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert gone(children)
    assert process.returncode == (130 if number == signal.SIGTERM else -9), said
    again = run.start()
    _, said = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert run.marker()["total_images"] == 60
