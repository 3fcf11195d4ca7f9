"""The boundary between volumes: the next one begins while the last pages of one are at work, and no promise suffers."""

from __future__ import annotations

import gc
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from bec_core.db import Database, tasks, volumes
from bec_core.db.tasks import Claim
from bec_core.models import Message, VolumeRef
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.testing.checksum_job import ChecksumWorker
from bec_core.worker import BECWorker, End, WorkerObserver
from bec_core.worker.hold import HeldTask
from bec_core.worker.turns import Turn, Turns
from support.worker_lab import QUICK, Lab

ROWS = "SELECT status::text, attempt, failures FROM task_executions ORDER BY id"
UNTIL_DONE = attrs.evolve(QUICK, until_drained=True, shutdown_after_empty=None, lease_s=20.0)


@pytest.fixture
def lab(database: Database, tmp_path: Path) -> Lab:
    queues = create_queues("checksum", "postgres", database=database)
    (tmp_path / "scans").mkdir()
    store = open_store((tmp_path / "out").as_uri())
    return Lab(
        database, queues.tasks, queues.dead_letters, store, tmp_path / "scans", config={"mapped": True}
    )


class Held:
    """Pages of the volumes that are named stay at work until :attr:`go_on`; what has begun is in :attr:`begun`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *volumes: VolumeRef) -> None:
        self.go_on = threading.Event()
        self.begun: list[VolumeRef] = []
        self._changed = threading.Condition()
        real = ChecksumWorker._sum

        def hold(worker: ChecksumWorker, ctx: Any, page: Any, data: Any) -> Any:
            self._note(ctx.volume.ref)
            if ctx.volume.ref in volumes:
                while not self.go_on.wait(0.01):
                    ctx.stop.check()
            return real(worker, ctx, page, data)

        monkeypatch.setattr(ChecksumWorker, "_sum", hold)

    def _note(self, ref: VolumeRef) -> None:
        with self._changed:
            self.begun.append(ref)
            self._changed.notify_all()


@pytest.fixture
def working(lab: Lab) -> Iterator[Callable[..., BECWorker]]:
    """Start a worker in a thread; it is ended at the end of the test."""
    ends: list[Callable[[], None]] = []

    def start(options: Any = UNTIL_DONE, observer: WorkerObserver | None = None) -> BECWorker:
        context = lab.worker(options, observer)
        worker = context.__enter__()
        thread = threading.Thread(target=worker.run)
        thread.start()

        def end() -> None:
            worker.stop_now()
            thread.join()
            context.__exit__(None, None, None)

        ends.append(end)
        worker.join = thread.join  # type: ignore[attr-defined]
        return worker

    yield start
    for end in ends:
        end()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.01)


def statuses(lab: Lab) -> list[str]:
    return [status for status, _, _ in lab.rows(ROWS)]


@pytest.mark.timeout(60)
def test_the_next_volume_begins_with_the_last_page_of_one_and_a_third_does_not(
    lab: Lab, working: Callable[..., BECWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (lab.volume(f"vol{n}", *[b"page"] * 3) for n in range(3))
    held = Held(monkeypatch, first, second)
    lab.ask(first, second, third)
    worker = working()
    wait_for(lambda: statuses(lab) == ["running", "running"])
    time.sleep(0.3)
    assert statuses(lab) == ["running", "running"], "two at hand are one, and one whose pages end"
    assert lab.tasks.stats().available == 1
    held.go_on.set()
    worker.join()  # type: ignore[attr-defined]
    assert lab.rows(ROWS) == [("done", 1, 0)] * 3
    assert lab.messages() == (0, 0)


@pytest.mark.timeout(60)
def test_a_slot_that_found_nothing_waits_for_no_message_while_the_last_volume_is_at_work(
    lab: Lab, working: Callable[..., BECWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    last = lab.volume("vol0", b"page")
    held = Held(monkeypatch, last)
    lab.ask(last)
    worker = working(attrs.evolve(UNTIL_DONE, poll_wait_s=20.0))
    wait_for(lambda: len(held.begun) == 1)
    time.sleep(0.5)  # the other slot has found nothing by now, and has looked again
    began = time.monotonic()
    held.go_on.set()
    worker.join()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 10
    assert statuses(lab) == ["done"]


def only_one_runs_till(held: Held, worker: BECWorker, lab: Lab) -> None:
    """The other of two volumes is not begun while one is held; both are done in the end."""
    time.sleep(0.3)
    assert statuses(lab) == ["running"]
    held.go_on.set()
    worker.join()  # type: ignore[attr-defined]
    assert statuses(lab) == ["done", "done"]


@pytest.mark.timeout(60)
def test_a_volume_with_pages_to_begin_has_the_worker_to_itself(
    lab: Lab, working: Callable[..., BECWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    many, other = lab.volume("vol0", *[b"page"] * 60), lab.volume("vol1", b"page")
    held = Held(monkeypatch, many)
    lab.ask(many, other)
    worker = working()
    wait_for(lambda: len(held.begun) == 2)
    only_one_runs_till(held, worker, lab)


@pytest.mark.timeout(60)
def test_what_is_tried_alone_lets_nothing_begin_before_its_end(
    lab: Lab, working: Callable[..., BECWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = lab.volume("vol0", b"page"), lab.volume("vol1", b"page")
    lab.ask(first, second)
    volume = lab.sources.resolve(first)
    with lab.database.connection() as connection:
        tasks.claim(
            connection, job_id=lab.job.id, volume_id=volumes.upsert(connection, volume), etag=volume.etag,
            version=volume.version, worker_id=None, lease_s=0.0, config_revision=1, plugin_version="1",
        )  # fmt: skip
    lab.rows("UPDATE task_executions SET status = 'retryable_failed', alone = true RETURNING 1")
    held = Held(monkeypatch, first)
    worker = working()
    wait_for(lambda: held.begun == [first])
    only_one_runs_till(held, worker, lab)


@pytest.mark.timeout(60)
def test_a_stop_with_the_next_volume_begun_finishes_both_within_the_grace(
    lab: Lab, working: Callable[..., BECWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (lab.volume(f"vol{n}", b"page") for n in range(3))
    held = Held(monkeypatch, first)
    lab.ask(first, second, third)
    worker = working(attrs.evolve(UNTIL_DONE, grace_s=30.0))
    wait_for(lambda: len(held.begun) == 2)
    worker.stop()
    held.go_on.set()
    worker.join()  # type: ignore[attr-defined]
    assert lab.rows(ROWS)[:2] == [("done", 1, 0)] * 2
    # the second may have let the third begin before the stop; what was not begun was not touched
    assert len(lab.rows(ROWS)) == 2 or statuses(lab)[2] == "done"


@pytest.mark.timeout(60)
def test_a_stop_at_once_hands_both_back_uncounted(
    lab: Lab, working: Callable[..., BECWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = lab.volume("vol0", b"page"), lab.volume("vol1", b"page")
    held = Held(monkeypatch, first, second)
    lab.ask(first, second)
    worker = working()
    wait_for(lambda: len(held.begun) == 2)
    worker.stop_now()
    worker.join()  # type: ignore[attr-defined]
    assert lab.rows(ROWS) == [("retryable_failed", 1, 0)] * 2
    assert lab.tasks.stats().available == 2, "visible at once"
    held.go_on.set()
    assert lab.work(UNTIL_DONE).end is End.NOTHING_LEFT
    assert lab.rows(ROWS) == [("done", 2, 0)] * 2


@pytest.mark.timeout(60)
def test_a_lease_that_the_next_volume_loses_costs_the_one_before_nothing(
    lab: Lab, working: Callable[..., BECWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = lab.volume("vol0", b"page"), lab.volume("vol1", b"page")
    held = Held(monkeypatch, first, second)
    lab.ask(first, second)
    worker = working()
    wait_for(lambda: len(held.begun) == 2)
    lab.rows(
        "UPDATE task_executions SET epoch = epoch + 1, lease_expires_at = now() WHERE id ="
        " (SELECT max(id) FROM task_executions) RETURNING 1"
    )
    lab.rows("UPDATE queue_messages SET visible_at = now() RETURNING 1")
    held.go_on.set()
    worker.join()  # type: ignore[attr-defined]
    assert lab.rows(ROWS) == [("done", 1, 0), ("done", 2, 0)]
    assert len(lab.markers()) == 2
    assert lab.messages() == (0, 0)


@pytest.mark.timeout(60)
def test_a_next_message_that_is_nonsense_or_has_no_manifest_disturbs_nobody(
    lab: Lab, working: Callable[..., BECWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, missing = lab.volume("vol0", b"page"), lab.volume("vol1", b"page")
    (page,) = (lab.scans / "vol1").iterdir()
    page.unlink()
    page.parent.rmdir()
    held = Held(monkeypatch, first)
    lab.ask(first)
    lab.send_raw("garbage")
    lab.ask(missing)
    worker = working()
    wait_for(lambda: lab.messages() == (1, 2))
    assert statuses(lab)[0] == "running"
    held.go_on.set()
    worker.join()  # type: ignore[attr-defined]
    assert statuses(lab) == ["done", "terminal_failed"]
    assert lab.messages() == (0, 2)


# -- turns --------------------------------------------------------------------------------------------------


def test_a_turn_is_passed_on_once_and_says_who_is_before() -> None:
    turns = Turns(1)
    with turns.taken() as first:
        assert first.free_since() == -math.inf
        first.pass_on()
        first.pass_on()
        with turns.taken() as second:
            assert second.free_since() is None
            assert not turns._free.acquire(blocking=False), "passed on once"
            first.end()
            assert second.free_since() == first.ended_at
    with turns.taken() as third:
        assert third.free_since() == -math.inf


def test_a_turn_holds_none_of_those_before_it() -> None:
    turns, seen = Turns(1), []
    for _ in range(3):
        with turns.taken() as turn:
            seen.append(weakref.ref(turn))
            turn.pass_on()
    del turn
    gc.collect()
    assert [one() for one in seen[:2]] == [None, None]


def test_what_waits_behind_another_volumes_pages_is_neither_stalled_nor_timed() -> None:
    before = Turn()
    task = HeldTask(
        claim=Claim(1, 1, 1, 0),
        message=Message("1", "", {}, ""),
        volume=None,  # type: ignore[arg-type]
        lease_ends=0.0,
        turn=Turn(before=before),
    )
    task.last_progress = task.started = time.monotonic() - 1000
    assert task.quiet_since is None
    assert task.worked_s >= 1000
    before.end()
    assert task.quiet_since == before.ended_at
    assert task.worked_s < 10
