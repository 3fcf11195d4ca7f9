"""Page-level resume: finished pages of an interrupted volume are kept, and the next attempt goes on from there."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from bec_core.archive import find_volumes
from bec_core.artifacts import Marker, ReadyInput, TaskFolder
from bec_core.db import Database
from bec_core.db.inputs import BoundInput
from bec_core.errors import PageError, StorageError
from bec_core.models import Page, PageData, Volume, VolumeRef, encode_message
from bec_core.queues.memory import MemoryQueue
from bec_core.storage import FileStore
from bec_core.testing.checksum_job import CHECKSUM, Trouble
from bec_core.worker import BECWorker, WorkerObserver
from bec_core.worker.observer import Step
from bec_core.worker.parts import identity
from bec_core.worker.parts.form import from_bytes
from support.cli import write_archive_volume
from support.worker_lab import QUICK, Lab

AT_ONCE = evolve(QUICK, part_every_s=0.0)
PAGES = [f"page {n}".encode() for n in range(12)]


class Counting(WorkerObserver):
    """Counts what is read, keeps what is said, and does something when so many pages are done."""

    def __init__(self, at: int | None = None, then: Callable[[], object] = lambda: None) -> None:
        self.at, self.then = at, then
        self.steps: list[Step] = []
        self.resumed: list[int] = []
        self.outcomes: list[str] = []

    def step(self, step: Step) -> None:
        self.steps.append(step)

    def task_resumed(self, volume: Volume, pages: int) -> None:
        self.resumed.append(pages)

    def page_done(self, volume: Volume, done: int, total: int) -> None:
        if self.at is not None and done >= self.at:
            self.at = None
            self.then()

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        self.outcomes.append(outcome)


@pytest.fixture
def lab(database: Database, tmp_path: Path) -> Lab:
    made = Lab(
        database,
        MemoryQueue("tasks"),
        MemoryQueue("dead"),
        FileStore(tmp_path / "artifacts"),
        tmp_path / "scans",
        config={"mapped": True, "page_ms": 5.0},
    )
    made.scans.mkdir()
    return made


@pytest.fixture
def reads(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each page is read."""
    counted: Counter[str] = Counter()
    lock, real = threading.Lock(), lab.sources.read_page

    def read_page(volume: Volume, page: Page) -> PageData:
        with lock:
            counted[page.filename] += 1
        return real(volume, page)

    monkeypatch.setattr(lab.sources, "read_page", read_page)
    return counted


def parts(lab: Lab) -> list[str]:
    return [info.key for info in lab.store.list(".bec/parts")]


def interrupt(lab: Lab, at: int, how: Callable[[BECWorker], object] = BECWorker.stop_now) -> Counting:
    """Run a worker that is told to stop once so many pages are done."""
    seen = Counting()
    with lab.worker(AT_ONCE, seen) as worker:
        seen.at, seen.then = at, lambda: how(worker)
        worker.run()
    return seen


def result(lab: Lab) -> tuple[dict[str, Any], dict[str, Any]]:
    """The artifact, and the marker without what differs from run to run."""
    (key,) = [
        info.key
        for info in lab.store.list("checksum")
        if info.key.endswith(".json") and "success" not in info.key
    ]
    (marker,) = lab.markers()
    same = ("total_images", "nb_errors", "errors_by_stage", "artifacts", "recipe")
    return json.loads(lab.store.get(key).data), {name: marker[name] for name in same}


@pytest.mark.parametrize("at", [1, 6, 11])
def test_an_interrupted_volume_goes_on_where_it_stopped_and_says_so(
    lab: Lab, reads: Counter[str], at: int
) -> None:
    lab.ask(lab.volume("one", *PAGES))
    assert interrupt(lab, at).outcomes == ["handed-back"]
    before = sum(reads.values())
    assert parts(lab)
    assert all("/0000000001-" in key for key in parts(lab)), "a part is not under its attempt's epoch"
    seen = Counting()
    lab.work(AT_ONCE, seen)
    assert seen.outcomes == ["done"]
    (resumed,) = seen.resumed
    assert at <= resumed <= 12  # pages at work are waited for
    assert sum(reads.values()) - before == 12 - resumed, "a finished page was read again"
    assert parts(lab) == []
    assert seen.steps.index(Step.ROW_WRITTEN) < seen.steps.index(Step.PARTS_REMOVED)
    assert lab.markers()[0]["pages_resumed"] == resumed
    assert lab.rows("SELECT status, pages_resumed, failures, attempt FROM task_executions") == [
        ("done", resumed, 0, 2)
    ]


def test_a_result_in_pieces_is_that_of_an_uninterrupted_run(lab: Lab) -> None:
    pages = [*PAGES[:3], Trouble.BAD_PAGE.value, *PAGES[3:9], Trouble.BAD_PAGE.value, *PAGES[9:]]
    ref = lab.volume("one", *pages)
    lab.job = evolve(lab.job, config={**lab.job.config, "max_page_error_rate": 0.5})
    lab.ask(ref)
    lab.work()
    whole = result(lab)
    assert whole[1]["nb_errors"] == 2
    lab.force(ref)
    for at in (2, 5, 9):
        assert interrupt(lab, at).outcomes == ["handed-back"]
    seen = Counting()
    lab.work(AT_ONCE, seen)
    assert seen.resumed[0] >= 7
    pieces = result(lab)
    assert pieces[0] == whole[0]
    # a page that failed is tried again by each attempt, and its line says by which
    names = ("total_images", "nb_errors", "errors_by_stage", "recipe")
    assert {name: pieces[1][name] for name in names} == {name: whole[1][name] for name in names}
    one, other = (
        {a["name"]: a["sha256"] for a in of[1]["artifacts"] if "errors" not in a["name"]}
        for of in (whole, pieces)
    )
    assert one == other


def test_times_of_kept_pages_count_with_the_others(lab: Lab) -> None:
    lab.ask(lab.volume("one", *PAGES))
    interrupt(lab, 11)
    lab.work(AT_ONCE)
    (marker,) = lab.markers()
    assert marker["total_duration_ms"] >= 12 * 5.0
    assert marker["stage_ms"]["fetch"] > 0


def test_trouble_that_may_pass_is_no_result(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.ask(lab.volume("one", *PAGES))
    real, throttled = lab.sources.read_page, [4]

    def read_page(volume: Volume, page: Page) -> PageData:
        if page.index == 3 and throttled[0]:
            throttled[0] -= 1
            raise PageError("503 SlowDown", stage="fetch", retryable=True)
        return real(volume, page)

    monkeypatch.setattr(lab.sources, "read_page", read_page)
    lab.work(evolve(AT_ONCE, until_drained=True, shutdown_after_empty=None))
    (marker,) = lab.markers()
    assert (marker["nb_errors"], marker["pages_resumed"], marker["attempt"]) == (0, 11, 3)


def test_what_a_worker_kept_that_lost_its_lease_serves_its_successor(lab: Lab, reads: Counter[str]) -> None:
    lab.ask(lab.volume("one", *PAGES))

    def lose(worker: BECWorker) -> None:
        # the last part is written before: a worker that is not its task's any more writes none
        wait_for(lambda: len(parts(lab)) >= 1)
        lab.rows("UPDATE task_executions SET epoch = epoch + 1, lease_expires_at = now() RETURNING id")
        worker.stop_now()

    seen = interrupt(lab, 6, lose)
    assert seen.outcomes == []  # it is another worker's to end
    kept = parts(lab)
    lab.tasks.send([encode_message(volume_of(lab))])
    after = Counting()
    lab.work(AT_ONCE, after)
    assert after.outcomes == ["done"]
    assert after.resumed[0] >= 1
    assert all(key.rpartition("/")[2].startswith("0000000001") for key in kept)


def test_a_worker_whose_task_was_taken_over_writes_no_part(lab: Lab) -> None:
    lab.ask(lab.volume("one", *PAGES))

    def lose(worker: BECWorker) -> None:
        lab.rows("UPDATE task_executions SET epoch = epoch + 1 RETURNING id")
        worker.stop_now()

    seen = Counting()
    with lab.worker(evolve(QUICK, part_every_s=60.0), seen) as worker:
        seen.at, seen.then = 6, lambda: lose(worker)
        worker.run()
    assert parts(lab) == []


def test_a_page_whose_bytes_changed_is_done_anew(lab: Lab, reads: Counter[str], tmp_path: Path) -> None:
    write_archive_volume(lab.scans, "W1", "I0001", PAGES)  # its version is its manifest's
    lab.ask(VolumeRef("W1", "I0001"))
    interrupt(lab, 12, lambda worker: (wait_for(lambda: bool(parts(lab))), worker.stop_now()))
    changed = next(lab.scans.rglob("I00010001.jpg"))
    changed.write_bytes(b"another page")
    reads.clear()
    seen = Counting()
    lab.work(AT_ONCE, seen)
    assert reads["I00010001.jpg"] == 1
    assert result(lab)[0]["I00010001.jpg"] == hashlib.sha256(b"another page").hexdigest()


def test_what_is_forced_starts_from_nothing(lab: Lab, reads: Counter[str]) -> None:
    ref = lab.volume("one", *PAGES)
    lab.ask(ref)
    interrupt(lab, 6)
    lab.force(ref)
    reads.clear()
    seen = Counting()
    lab.work(AT_ONCE, seen)
    assert (seen.resumed, len(reads), parts(lab)) == ([], 12, [])


@pytest.mark.parametrize("change", [{"results_version": "2"}, {"version": "2.0"}])
def test_parts_of_another_recipe_or_plugin_are_not_used(
    lab: Lab, reads: Counter[str], change: dict[str, str]
) -> None:
    lab.ask(lab.volume("one", *PAGES))
    interrupt(lab, 6)
    reads.clear()
    seen = Counting()
    with lab.worker(AT_ONCE, seen, job_type=evolve(CHECKSUM, **change)) as worker:
        worker.run()
    assert (seen.outcomes, seen.resumed, len(reads), parts(lab)) == (["done"], [], 12, [])


def test_a_source_that_tells_no_etags_is_not_resumed(
    lab: Lab, reads: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab.sources, "page_etags", lambda volume: None)
    lab.ask(lab.volume("one", *PAGES))
    interrupt(lab, 6)
    reads.clear()
    seen = Counting()
    lab.work(AT_ONCE, seen)
    assert (seen.outcomes, seen.resumed, len(reads)) == (["done"], [], 12)


def test_trouble_with_parts_is_never_the_tasks(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.ask(lab.volume("one", *PAGES))
    interrupt(lab, 6)
    for key in parts(lab):
        lab.store.put(key, lab.store.get(key).data[:-9])  # damaged
    real = lab.store.put

    def refuse(key: str, data: bytes) -> str | None:
        if key.startswith(".bec/parts"):
            raise StorageError("no room")
        return real(key, data)

    monkeypatch.setattr(lab.store, "put", refuse)
    seen = Counting()
    lab.work(AT_ONCE, seen)
    assert (seen.outcomes, seen.resumed) == (["done"], [])
    assert parts(lab) == []


def test_a_task_that_failed_for_good_leaves_no_parts(lab: Lab) -> None:
    lab.ask(lab.volume("one", *PAGES, Trouble.TERMINAL.value))
    seen = Counting()
    lab.work(AT_ONCE, seen)
    assert (seen.outcomes, parts(lab)) == (["terminal_failed"], [])


def test_a_stalled_volume_keeps_its_finished_pages(lab: Lab) -> None:
    lab.ask(lab.volume("one", *PAGES, Trouble.WEDGED.value))
    seen = Counting()
    with lab.worker(
        evolve(AT_ONCE, stall_timeout_s=0.6, retry_base_s=30.0, retry_cap_s=30.0), seen
    ) as worker:
        worker.run()
    assert seen.outcomes == ["retryable_failed"]
    assert pages_in(lab) == 12


def test_parts_wait_about_as_long_as_they_are_told_and_no_longer_than_memory_allows(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.ask(lab.volume("one", *PAGES))
    seen = Counting()
    lab.work(evolve(QUICK, part_every_s=60.0), seen)
    assert Step.PART_WRITTEN not in seen.steps, "a volume of less than a minute costs no request"
    monkeypatch.setattr("bec_core.worker.parts.task._MOST_BYTES", 200)
    lab.ask(lab.volume("two", *PAGES))
    lab.work(evolve(QUICK, part_every_s=60.0), seen)
    assert 3 <= seen.steps.count(Step.PART_WRITTEN) <= 6  # some 80 bytes a page


def test_an_input_of_other_content_is_another_work(lab: Lab) -> None:
    volume = Volume(VolumeRef("W1", "I1"), bytes(16), "000000", ())

    def of(checksum: str) -> dict[str, Any]:
        marker = Marker({"artifacts": [{"name": "a.parquet", "size": 1, "sha256": checksum}]}, "etag")
        bound = BoundInput("lines", 1, "ldv1", "ldv1", (), False)
        ready = ReadyInput(bound, TaskFolder(lab.store, "ldv1", volume), marker)
        return identity(volume=volume, request=0, recipe="r", plugin_version="1", inputs=(ready,))

    assert of("one") == of("one") != of("two")
    assert json.loads(json.dumps(of("one"))) == of("one")


def wait_for(what: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not what():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.01)


def volume_of(lab: Lab) -> VolumeRef:
    return find_volumes(lab.scans).volumes[0]


def pages_in(lab: Lab) -> int:
    return sum(len(from_bytes(lab.store.get(key).data)[1]) for key in parts(lab))


def test_a_worker_that_slept_right_before_it_wrote_a_part_takes_it_back(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.ask(lab.volume("one", *PAGES))
    real = lab.store.put

    def put(key: str, data: bytes) -> str | None:  # its lease is over between its look and its write
        lab.rows("UPDATE task_executions SET epoch = epoch + 1 RETURNING id")
        return real(key, data)

    monkeypatch.setattr(lab.store, "put", put)
    with lab.worker(AT_ONCE) as worker:
        threading.Timer(1.0, worker.stop_now).start()
        worker.run()
    assert parts(lab) == []
