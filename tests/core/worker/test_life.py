"""What a worker's threads say of themselves while it works, waits and hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from bec_core.db import Database, jobs
from bec_core.models import JobStatus
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.testing.checksum_job import Trouble
from bec_core.worker import BECWorker, Life
from support.worker_lab import QUICK, Lab

FOREVER = attrs.evolve(QUICK, shutdown_after_empty=None)


@pytest.fixture
def lab(database: Database, tmp_path: Path) -> Lab:
    queues = create_queues("checksum", "postgres", database=database)
    (tmp_path / "scans").mkdir()
    store = open_store((tmp_path / "out").as_uri())
    return Lab(database, queues.tasks, queues.dead_letters, store, tmp_path / "scans")


def until(what: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        if what():
            return
        time.sleep(0.01)
    pytest.fail("not in time")


def watch(lab: Lab, look: Callable[[Life, BECWorker], None]) -> Life:
    """Run a worker, look at its life meanwhile, stop it."""
    life = Life()
    with lab.worker(FOREVER, life=life) as worker:
        running = threading.Thread(target=worker.run)
        running.start()
        try:
            look(life, worker)
        finally:
            worker.stop_now()
            running.join()
    return life


def test_a_worker_says_what_its_slots_do_and_nothing_of_them_when_they_have_ended(lab: Lab) -> None:
    ref = lab.volume("vol1", Trouble.WEDGED)
    lab.ask(ref)

    def look(life: Life, worker: BECWorker) -> None:
        until(lambda: str(life) == f"{ref}: 0 of 1 pages")
        (slot,) = [sign for sign in life.signs() if sign.thread == "bec-slot-1"]
        # the keeper, which knows what to do about a task that stands still, comes first
        assert slot.within_s > FOREVER.stall_timeout_s + 60
        assert not life.draining

    life = watch(lab, look)
    assert life.draining
    assert not [sign for sign in life.signs() if sign.thread.startswith("bec-slot")]


def test_a_pause_and_a_poll_are_named_waits(lab: Lab) -> None:
    def look(life: Life, worker: BECWorker) -> None:
        until(lambda: str(life) in ("waiting for a message", "looking what is left"))
        with lab.database.connection() as connection:
            jobs.set_status(connection, lab.job.id, JobStatus.PAUSED)
        until(lambda: str(life) == "the job is paused")

    watch(lab, look)


def test_a_slot_whose_poll_is_never_answered_is_overdue(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bec_core.worker.process.ANSWER_S", 0.2)
    answer = threading.Event()
    receive = type(lab.tasks).receive

    def hang(*arguments: object, **options: object) -> object:
        answer.wait()
        return receive(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(type(lab.tasks), "receive", hang)

    def look(life: Life, worker: BECWorker) -> None:
        until(lambda: [sign.thread for sign in life.overdue()] == ["bec-slot-1"])
        answer.set()
        until(lambda: not life.overdue())

    watch(lab, look)
