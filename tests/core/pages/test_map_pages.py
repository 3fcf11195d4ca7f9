"""``ctx.map_pages``: order, fetching ahead, bounds, stops, whose error it is, times; in threads and in processes."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from bec_core import (
    JobType,
    Page,
    PageData,
    PageError,
    RetryableTaskError,
    TaskContext,
    TaskResult,
    TaskStopped,
    TerminalTaskError,
)
from bec_core.errors import RuntimeFault, ShutdownRequested, StorageError
from bec_core.pages.pools import PagePools
from bec_core.pages.processes import processor_s
from bec_core.pages.room import Room
from bec_core.testing.local import LocalTask, write_pages
from support.page_functions import Seen, cant_prepare, die_preparing, every_other_dies, leave_mark, see


@frozen
class NoConfig:
    """Nothing to set."""


JOB = JobType(name="pages", config=NoConfig, worker="none:none", version="1", summary="For tests.")


class Worker:
    """A job whose ``run`` is a function."""

    def __init__(self, body: Callable[[TaskContext], Any]) -> None:
        self._body = body
        self.got: Any = None

    def run(self, ctx: TaskContext) -> TaskResult:
        self.got = self._body(ctx)
        return TaskResult()

    def close(self) -> None:
        """Nothing is held."""


class Task(LocalTask):
    """A local task whose pages take a while to come, and that counts what was read."""

    fetch_s = 0.0

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.reads: Counter[str] = Counter()
        self.counting = threading.Lock()
        self.done: Counter[str] = Counter()

    def read_page(self, page: Page) -> PageData:
        with self.counting:
            self.reads[page.filename] += 1
        if self.fetch_s:
            time.sleep(self.fetch_s)
        return super().read_page(page)

    def page_done(self, page: Page) -> None:
        with self.counting:
            self.done[page.filename] += 1
        super().page_done(page)


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., Task]:
    def make(*pages: bytes, count: int = 0) -> Task:
        contents = pages or [b"plain"] * count
        named = {f"{number:04}.jpg": data for number, data in enumerate(contents, 1)}
        return Task(JOB, write_pages(tmp_path / "pages", named))

    return make


def run(task: Task, body: Callable[[TaskContext], Any]) -> tuple[Any, Any]:
    """What the body gave, and the outcome."""
    worker = Worker(body)
    outcome = task.run(worker)
    return worker.got, outcome


HOWS = pytest.mark.parametrize("how", [{"threads": 3}, {"processes": 2}], ids=["threads", "processes"])


@HOWS
def test_results_come_in_the_pages_order_with_each_page_done_once(
    task: Callable[..., Task], how: dict[str, int]
) -> None:
    made = task(b"slow", b"plain", b"slow", *[b"x" * n for n in range(20)])
    got, outcome = run(made, lambda ctx: list(ctx.map_pages(see, returns=Seen, **how)))
    assert [page.index for page, _ in got] == list(range(23))
    assert [(seen.name, seen.size) for _, seen in got] == [
        (page.filename, size) for page, size in zip(made.volume.pages, [4, 5, 4, *range(20)], strict=True)
    ]
    assert set(made.done.values()) == {1}
    assert len(made.done) == 23
    assert outcome.marker["total_images"] == 23
    processes = {seen.process for _, seen in got}
    assert (os.getpid() in processes) == ("threads" in how)
    assert ("processes" not in how) or len(processes) == 2


@HOWS
def test_each_kind_of_page_error_is_its_pages_with_its_stage(
    task: Callable[..., Task], how: dict[str, int]
) -> None:
    made = task(b"plain", b"bad", b"odd", b"unsendable", b"plain")
    got, outcome = run(made, lambda ctx: list(ctx.map_pages(see, returns=Seen, **how)))
    assert [seen is not None for _, seen in got] == [True, False, False, False, True]
    found = [(f.img_filename, f.stage, f.error_type, f.message) for f in outcome.failures]
    assert found[:2] == [
        ("0002.jpg", "look", "Bad", "bad on purpose"),
        ("0003.jpg", "decode", "KeyError", "'nobody thought of this'"),
    ]
    assert found[2][:2] == ("0004.jpg", "run")
    assert "it can't be pickled" in found[2][3]
    assert "nobody thought of this" in (outcome.failures[1].traceback or "")
    assert "page_functions" in (outcome.failures[1].traceback or "")
    assert made.failure(made.volume.pages[1]) == outcome.failures[0]
    assert made.failure(made.volume.pages[0]) is None
    assert outcome.failures[0].source_etag
    assert len(made.done) == 5
    assert outcome.marker["errors_by_stage"] == {"look": 1, "decode": 1, "run": 1}


@HOWS
def test_an_error_of_the_task_ends_it_and_begins_no_more_pages(
    task: Callable[..., Task], how: dict[str, int]
) -> None:
    made = task(b"plain", b"terminal", *[b"plain"] * 300)
    with pytest.raises(TerminalTaskError, match="the volume is at fault"):
        run(made, lambda ctx: list(ctx.map_pages(see, returns=Seen, **how)))
    assert made.failures == []
    read = len(made.reads)
    time.sleep(0.1)
    assert read == len(made.reads) < 100


@pytest.mark.parametrize(
    "error",
    [
        RetryableTaskError("again"),
        RuntimeFault("ours"),
        TaskStopped("stop"),
        StorageError("the store"),
        SystemExit(3),
    ],
)
def test_what_is_no_pages_fault_passes(task: Callable[..., Task], error: BaseException) -> None:
    def fail(page: Page, data: PageData) -> bytes:
        raise error

    made = task(count=3)
    with pytest.raises(type(error)):
        run(made, lambda ctx: list(ctx.map_pages(fail, returns=bytes)))
    assert made.failures == []


@HOWS
def test_another_type_than_declared_is_a_clear_error(task: Callable[..., Task], how: dict[str, int]) -> None:
    with pytest.raises(TerminalTaskError, match=r"returns Seen, but of 0002\.jpg it returned a dict"):
        run(task(b"plain", b"wrong"), lambda ctx: list(ctx.map_pages(see, returns=Seen, **how)))


@pytest.mark.parametrize("returns", [dict, int, list[int], "Seen"])
def test_only_what_can_be_kept_may_be_declared(task: Callable[..., Task], returns: Any) -> None:
    with pytest.raises(TypeError, match="takes an attrs class or bytes"):
        run(task(count=1), lambda ctx: list(ctx.map_pages(see, returns=returns)))


@pytest.mark.parametrize("how", [{"threads": 0}, {"processes": 0}, {"threads": 1, "processes": 1}])
def test_a_senseless_number_is_refused(task: Callable[..., Task], how: dict[str, int]) -> None:
    with pytest.raises((ValueError, TypeError), match="map_pages"):
        run(task(count=1), lambda ctx: list(ctx.map_pages(see, returns=Seen, **how)))


# -- trying again -------------------------------------------------------------------------------------------


@HOWS
def test_a_page_that_may_pass_is_tried_once_more_and_recorded_once(
    task: Callable[..., Task], how: dict[str, int]
) -> None:
    made = task(b"plain", b"passing", b"plain")
    got, outcome = run(made, lambda ctx: list(ctx.map_pages(see, returns=Seen, **how)))
    assert [seen is None for _, seen in got] == [False, True, False]
    assert dict(made.reads) == {"0001.jpg": 1, "0002.jpg": 2, "0003.jpg": 1}
    assert [(f.img_filename, f.retryable) for f in outcome.failures] == [("0002.jpg", True)]
    assert set(made.done.values()) == {1}


def test_a_page_that_passes_the_second_time_is_no_failure(task: Callable[..., Task]) -> None:
    tried: Counter[str] = Counter()

    def once_bad(page: Page, data: PageData) -> bytes:
        tried[page.filename] += 1
        if tried[page.filename] == 1 and page.index % 2:
            raise PageError("just now", stage="look", retryable=True)
        return data.data

    made = task(*[str(n).encode() for n in range(8)])
    got, outcome = run(made, lambda ctx: [value for _, value in ctx.map_pages(once_bad, returns=bytes)])
    assert got == [str(n).encode() for n in range(8)]
    assert outcome.failures == ()
    assert tried["0001.jpg"] == 1
    assert tried["0002.jpg"] == 2


def test_a_second_try_is_progress(task: Callable[..., Task]) -> None:
    """Two tries of a slow page may take longer than the stall timeout, each by itself does not."""
    seen: list[float] = []
    made = task(b"0")
    held = made._held

    def passing(page: Page, data: PageData) -> bytes:
        seen.append(held.last_progress)
        time.sleep(0.05)
        raise PageError("just now", stage="look", retryable=True)

    run(made, lambda ctx: list(ctx.map_pages(passing, returns=bytes)))
    first, second = seen
    assert second >= first + 0.05


def test_no_pages_bytes_outlive_a_page_that_failed(task: Callable[..., Task]) -> None:
    alive: list[weakref.ref[PageData]] = []

    def fails(page: Page, data: PageData) -> bytes:
        alive.append(weakref.ref(data))
        raise ValueError("no")

    made = task(count=20)
    gc.collect()
    gc.disable()
    try:
        run(made, lambda ctx: list(ctx.map_pages(fails, returns=bytes, threads=1)))
        assert [ref() is None for ref in alive] == [True] * 20
    finally:
        gc.enable()


# -- fetching ahead, and its bounds -------------------------------------------------------------------------


def test_pages_are_fetched_while_others_are_worked_on(task: Callable[..., Task]) -> None:
    made = task(count=16)
    made.fetch_s = 0.05

    def work(page: Page, data: PageData) -> bytes:
        time.sleep(0.05)
        return b""

    began = time.monotonic()
    run(made, lambda ctx: list(ctx.map_pages(work, returns=bytes, threads=1)))
    took = time.monotonic() - began
    assert took < 1.4  # one after the other it were 1.6 s; the work alone is 0.8 s


def test_what_nobody_takes_is_not_made_without_bound(task: Callable[..., Task]) -> None:
    made = task(count=200)

    def body(ctx: TaskContext) -> int:
        results = ctx.map_pages(see, returns=Seen, threads=2)
        next(results)
        time.sleep(0.5)
        return len(made.reads)

    read, _ = run(made, body)
    assert 10 <= read <= 42  # 2 at work and 8 ahead, four times that in results


def test_large_pages_are_not_fetched_far_ahead(task: Callable[..., Task]) -> None:
    made = task(*[bytes(1000)] * 40)
    made._pools.room = Room(2500)
    held: list[int] = []
    waiting = threading.Event()

    def work(page: Page, data: PageData) -> bytes:
        waiting.wait(0.05)
        held.append(len(made.reads) - len(made.done))
        return b""

    got, _ = run(made, lambda ctx: list(ctx.map_pages(work, returns=bytes, threads=1)))
    assert len(got) == 40
    # the first ones are begun before anybody knows how large they are
    assert max(held[12:]) <= 4


def test_a_single_page_larger_than_the_bound_is_worked_on(task: Callable[..., Task]) -> None:
    made = task(*[bytes(100)] * 5)
    made._pools.room = Room(10)
    got, _ = run(made, lambda ctx: list(ctx.map_pages(see, returns=Seen)))
    assert len(got) == 5
    assert made._pools.room.taken == 0


@pytest.mark.timeout(60)
def test_two_volumes_share_the_room_for_fetched_pages(tmp_path: Path) -> None:
    """While one has as much at hand as there is room for, the other fetches page by page."""
    pools = PagePools()
    pools.room = Room(3000)
    first, second = (
        Task(JOB, write_pages(tmp_path / name, {f"{p:02}.jpg": bytes(1000) for p in range(20)}))
        for name in ("first", "second")
    )
    go_on, at_hand = threading.Event(), list[int]()

    def wait_for_the_other(page: Page, data: PageData) -> bytes:
        assert go_on.wait(60)
        return b""

    def work(page: Page, data: PageData) -> bytes:
        at_hand.append(len(second.reads) - len(second.done))
        return b""

    first._pools = second._pools = pools
    waiting = threading.Thread(
        target=run,
        args=[first, lambda ctx: list(ctx.map_pages(wait_for_the_other, returns=bytes, threads=1))],
    )
    waiting.start()
    while pools.room.taken < 3000:
        time.sleep(0.01)
    run(second, lambda ctx: list(ctx.map_pages(work, returns=bytes, threads=2)))
    go_on.set()
    waiting.join()
    pools.close()
    assert at_hand == [1] * 20
    assert len(first.done) == 20
    assert pools.room.taken == 0


@pytest.mark.timeout(20)
@HOWS
def test_whoever_waits_is_told_and_need_not_look(
    task: Callable[..., Task], how: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bec_core.pages.flow._POLL_S", 60.0)
    got, _ = run(
        task(b"passing", b"bad", b"slow", b"plain"), lambda ctx: list(ctx.map_pages(see, returns=Seen, **how))
    )
    assert len(got) == 4
    with pytest.raises(TerminalTaskError):
        run(task(b"slow", b"terminal"), lambda ctx: list(ctx.map_pages(see, returns=Seen, **how)))


# -- stopping -----------------------------------------------------------------------------------------------


def test_a_stop_ends_it_soon_and_lets_pages_at_work_end(task: Callable[..., Task]) -> None:
    made = task(count=100)
    at_work: list[int] = []

    def work(page: Page, data: PageData) -> bytes:
        at_work.append(1)
        if page.index == 3:
            made.stop.set(ShutdownRequested("enough"))
        time.sleep(0.05)
        at_work.append(-1)
        return b""

    left: list[int] = []

    def body(ctx: TaskContext) -> None:
        try:
            list(ctx.map_pages(work, returns=bytes, threads=2))
        finally:
            left.append(sum(at_work))

    with pytest.raises(ShutdownRequested):
        run(made, body)
    assert left == [0], "it ended before its pages did"
    assert len(at_work) < 100, "two entries a page: it went on through half of them"
    assert made.failures == []


def test_a_stop_before_the_first_page_reads_none(task: Callable[..., Task]) -> None:
    made = task(count=3)
    made.stop.set(ShutdownRequested("enough"))
    with pytest.raises(ShutdownRequested):
        run(made, lambda ctx: list(ctx.map_pages(see, returns=Seen)))
    assert not made.reads


@pytest.mark.parametrize("how", ["break", "raise", "forget"])
def test_a_job_that_leaves_the_loop_leaves_no_page_at_work(task: Callable[..., Task], how: str) -> None:
    made = task(count=200)
    at_work: list[int] = []

    def work(page: Page, data: PageData) -> bytes:
        at_work.append(1)
        time.sleep(0.01)
        at_work.append(-1)
        return b""

    def body(ctx: TaskContext) -> Iterator[Any] | None:
        results = ctx.map_pages(work, returns=bytes, threads=2)
        for page, _ in results:
            if page.index == 2:
                if how == "raise":
                    raise KeyError("the job's own")
                if how == "forget":
                    return results
                break
        return None

    if how == "raise":
        with pytest.raises(KeyError):
            run(made, body)
    else:
        run(made, body)
    assert sum(at_work) == 0
    begun = len(at_work)
    time.sleep(0.05)
    assert len(at_work) == begun < 200


# -- choosing pages, pools, times ---------------------------------------------------------------------------


def test_some_pages_alone(task: Callable[..., Task]) -> None:
    made = task(count=6)
    got, _ = run(
        made, lambda ctx: list(ctx.map_pages(see, returns=Seen, pages=reversed(ctx.volume.pages[1:3])))
    )
    assert [page.filename for page, _ in got] == ["0003.jpg", "0002.jpg"]
    assert set(made.reads) == {"0002.jpg", "0003.jpg"}


def test_no_pages_are_no_trouble(task: Callable[..., Task]) -> None:
    got, _ = run(task(count=1), lambda ctx: list(ctx.map_pages(see, returns=Seen, pages=[])))
    assert got == []


@pytest.mark.parametrize(("most", "wanted", "at_once"), [(None, 5, 5), (2, 5, 2), (7, 5, 5), (3, None, 3)])
def test_the_operator_bounds_the_pages_at_a_time(most: int | None, wanted: int | None, at_once: int) -> None:
    pools = PagePools(most)
    assert pools.at_once(wanted) == at_once


def test_two_volumes_share_one_pool(task: Callable[..., Task], tmp_path: Path) -> None:
    pools = PagePools()
    names: set[str] = set()
    most = [0]
    now: list[int] = []

    def work(page: Page, data: PageData) -> bytes:
        names.add(threading.current_thread().name)
        now.append(1)
        most[0] = max(most[0], len(now))
        time.sleep(0.005)
        now.pop()
        return b""

    tasks = [
        Task(JOB, write_pages(tmp_path / str(n), {f"{p}.jpg": b"x" for p in range(20)})) for n in range(2)
    ]
    for one in tasks:
        one._pools = pools
    runs = [
        threading.Thread(
            target=one.run, args=[Worker(lambda ctx: list(ctx.map_pages(work, returns=bytes, threads=3)))]
        )
        for one in tasks
    ]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    pools.close()
    assert most[0] == 3
    assert len(names) == 3


@pytest.mark.timeout(20)
def test_a_pool_that_is_closed_under_a_run_ends_it(task: Callable[..., Task]) -> None:
    made = task(count=100)

    def body(ctx: TaskContext) -> None:
        for _ in ctx.map_pages(see, returns=Seen, threads=1):
            made._own_pools.close()

    with pytest.raises(RuntimeFault, match="were closed"):
        run(made, body)


def test_times_are_counted_by_stage_each_alone(task: Callable[..., Task]) -> None:
    made = task(count=4)
    made.fetch_s = 0.02

    def body(ctx: TaskContext) -> None:
        def work(page: Page, data: PageData) -> bytes:
            with ctx.timed("outer"):
                time.sleep(0.02)
                with ctx.timed("inner"):
                    time.sleep(0.03)
            time.sleep(0.01)
            return b""

        for _ in ctx.map_pages(work, returns=bytes, threads=2):
            pass
        with ctx.timed("write"):
            time.sleep(0.02)

    _, outcome = run(made, body)
    stages = outcome.marker["stage_ms"]
    assert set(stages) == {"fetch", "outer", "inner", "run", "write"}
    for stage, least in {"fetch": 80, "outer": 80, "inner": 120, "run": 40, "write": 20}.items():
        assert least <= stages[stage] < least * 1.6 + 15, stage
    assert outcome.marker["total_duration_ms"] == pytest.approx(sum(stages.values()), abs=0.1)


def test_times_of_other_processes_count_too(task: Callable[..., Task]) -> None:
    _, outcome = run(task(count=4), lambda ctx: list(ctx.map_pages(see, returns=Seen, processes=1)))
    assert outcome.marker["stage_ms"]["decode"] >= 8


def test_what_the_job_says_of_its_times_counts(task: Callable[..., Task]) -> None:
    class Said(Worker):
        def run(self, ctx: TaskContext) -> TaskResult:
            list(ctx.map_pages(see, returns=Seen))
            return TaskResult(page_ms=7.0, stage_ms={"decode": 1.0})

    outcome = task(count=1).run(Said(lambda _: None))
    assert outcome.marker["total_duration_ms"] == 7.0
    assert outcome.marker["stage_ms"]["decode"] == 1.0


# -- processes ----------------------------------------------------------------------------------------------


def test_what_is_logged_in_a_process_is_logged_here(task: Callable[..., Task]) -> None:
    from loguru import logger

    lines: list[tuple[str, dict[str, Any]]] = []
    sink = logger.add(lambda m: lines.append((m.record["message"], dict(m.record["extra"]))), level="INFO")
    try:
        with logger.contextualize(volume="W1/I1"):
            run(task(count=2), lambda ctx: list(ctx.map_pages(see, returns=Seen, processes=1)))
    finally:
        logger.remove(sink)
    assert sorted((line for line in lines if line[0].startswith("looking")), key=lambda line: line[0]) == [
        ("looking at 0001.jpg", {"volume": "W1/I1"}),
        ("looking at 0002.jpg", {"volume": "W1/I1"}),
    ]


@pytest.mark.slow
def test_a_page_that_kills_its_process_costs_only_itself(task: Callable[..., Task]) -> None:
    made = task(b"plain", b"slow", b"killed", b"slow", *[b"plain"] * 6)
    got, outcome = run(made, lambda ctx: list(ctx.map_pages(see, returns=Seen, processes=2)))
    assert [page.filename for page, seen in got if seen is None] == ["0003.jpg"]
    assert [(f.stage, f.error_type) for f in outcome.failures] == [("run", "ProcessDied")]


def test_signals_to_the_whole_group_are_the_workers_business(task: Callable[..., Task]) -> None:
    got, outcome = run(
        task(b"signalled", b"plain"), lambda ctx: list(ctx.map_pages(see, returns=Seen, processes=1))
    )
    assert outcome.failures == ()
    assert len({seen.process for _, seen in got}) == 1, "its process lives on"


def test_a_function_that_cant_be_sent_is_refused_with_what_can(task: Callable[..., Task]) -> None:
    with pytest.raises(TypeError, match="a module's own function"):
        run(task(count=1), lambda ctx: list(ctx.map_pages(lambda p, d: b"", returns=bytes, processes=1)))


def test_each_process_prepares_once_before_its_pages_and_that_is_no_pages_time(
    task: Callable[..., Task], tmp_path: Path
) -> None:
    made = task(*[b"slow"] * 4)
    (marks := tmp_path / "marks").mkdir()
    got, outcome = run(
        made,
        lambda ctx: list(ctx.map_pages(see, returns=Seen, processes=2, prepare=partial(leave_mark, marks))),
    )
    assert outcome.failures == ()
    assert {path.name for path in marks.iterdir()} == {str(seen.process) for _, seen in got}


def test_processes_begin_to_prepare_before_a_page_has_come(task: Callable[..., Task], tmp_path: Path) -> None:
    made = task(count=2)
    (marks := tmp_path / "marks").mkdir()
    may_come = threading.Event()
    read_page = made.read_page

    def late(page: Page) -> PageData:
        assert may_come.wait(30), "nobody prepares"
        return read_page(page)

    made.read_page = late  # type: ignore[method-assign]
    pages = made.map_pages(see, returns=Seen, processes=2, prepare=partial(leave_mark, marks))
    first = threading.Thread(target=lambda: list(pages))
    first.start()
    ends = time.monotonic() + 20
    while not list(marks.iterdir()) and time.monotonic() < ends:
        time.sleep(0.02)
    prepared = len(list(marks.iterdir()))
    may_come.set()
    first.join()
    made.release()
    assert prepared >= 1


def test_a_process_that_cant_prepare_ends_the_task_and_fails_no_page(task: Callable[..., Task]) -> None:
    made = task(count=5)
    with pytest.raises(
        RuntimeFault, match="no process can be made ready for pages: the model is gone"
    ) as met:
        run(
            made,
            lambda ctx: list(
                ctx.map_pages(
                    see, returns=Seen, processes=2, prepare=partial(cant_prepare, "the model is gone")
                )
            ),
        )
    assert "cant_prepare" in str(met.value.__cause__.__cause__), "the far end's traceback"
    assert made.failures == []


@pytest.mark.slow
def test_a_process_that_dies_preparing_ends_the_task_and_says_the_way_out(task: Callable[..., Task]) -> None:
    made = task(count=5)
    with pytest.raises(RuntimeFault, match=r"died before it had one, alone too: .*--threads"):
        run(made, lambda ctx: list(ctx.map_pages(see, returns=Seen, processes=2, prepare=die_preparing)))
    assert made.failures == []


@pytest.mark.slow
def test_processes_that_live_only_alone_are_given_up(task: Callable[..., Task], tmp_path: Path) -> None:
    made = task(count=9)
    (marks := tmp_path / "marks").mkdir()
    with pytest.raises(RuntimeFault, match=r"died 3 times in a row .* no page was the cause: .*--threads"):
        run(
            made,
            lambda ctx: list(
                ctx.map_pages(see, returns=Seen, processes=1, prepare=partial(every_other_dies, marks))
            ),
        )
    assert made.failures == []
    assert sum(made.done.values()) in (2, 3), (
        "each page before was done alone; one may have waited its turn already"
    )


@pytest.mark.slow
def test_pages_that_kill_one_process_after_the_other_are_their_own_failures(
    task: Callable[..., Task],
) -> None:
    got, outcome = run(
        task(*[b"killed"] * 4, b"plain"), lambda ctx: list(ctx.map_pages(see, returns=Seen, processes=1))
    )
    assert [seen is not None for _, seen in got] == [False] * 4 + [True]
    assert {failure.error_type for failure in outcome.failures} == {"ProcessDied"}


def test_only_processes_are_prepared(task: Callable[..., Task]) -> None:
    with pytest.raises(TypeError, match="prepares processes"):
        run(task(count=1), lambda ctx: list(ctx.map_pages(see, returns=Seen, prepare=die_preparing)))


def test_processor_time_of_page_processes_is_counted_while_they_live(task: Callable[..., Task]) -> None:
    made = task(count=2)
    before = processor_s()
    list(made.map_pages(see, returns=Seen, processes=1))
    assert processor_s() > before
    made.release()


_KILLED = """
import os, signal, sys, threading, time
from functools import partial
from pathlib import Path
sys.path[:0] = {path!r}
from bec_core import JobType
from bec_core.testing.local import LocalTask
from support.page_functions import mark
from core_pages_job import JOB

folder = Path(sys.argv[1])
task = LocalTask(JOB, Path(sys.argv[2]))
threading.Thread(target=lambda: list(task.map_pages(partial(mark, folder), returns=bytes, processes=2))).start()
while len(list(folder.iterdir())) < 2:
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


_SIGNALLED = """
import multiprocessing, os, signal, sys, threading
sys.path[:0] = {path!r}
from pathlib import Path
from bec_core.pages.pools import PagePools, work_for
from bec_core.pages.stages import Times
from bec_core.pages.values import PageValues
from bec_core import Page, PageData
from support.page_functions import Seen, see

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda *_: None)
pools = PagePools()
work = work_for(pools, see, PageValues(Seen), threads=None, processes=1)
data = PageData(b"plain", "", "")
page = threading.Thread(target=lambda: print(work.call(Page(0, "1.jpg"), data, Times()).value.name))
page.start()
while not multiprocessing.active_children():
    pass
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    os.killpg(0, number)
page.join()
pools.close()
"""


def _program(path: Path, text: str) -> Path:
    """A program whose processes can import it: its text runs in the main one alone."""
    lines = text.format(path=[str(path.parent), *sys.path]).splitlines()
    path.write_text("if __name__ == '__main__':\n" + "".join(f"    {line}\n" for line in lines))
    return path


def test_signals_to_the_whole_group_meet_no_process_before_it_ignores_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, _program(tmp_path / "program.py", _SIGNALLED)],
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )
    assert (done.returncode, done.stdout) == (0, "1.jpg\n"), done.stderr
    assert "died" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_processes_end_with_their_worker_however_it_ends(task: Callable[..., Task], tmp_path: Path) -> None:
    made = task(count=4)
    marks = tmp_path / "marks"
    marks.mkdir()
    (tmp_path / "core_pages_job.py").write_text(
        "from attrs import frozen\nfrom bec_core import JobType\n\n@frozen\nclass NoConfig:\n    pass\n\n"
        "JOB = JobType(name='pages', config=NoConfig, worker='n:n', version='1', summary='x')\n"
    )
    program = _program(tmp_path / "program.py", _KILLED)
    ended = subprocess.run([sys.executable, program, marks, tmp_path / "pages"], timeout=60, check=False)
    assert ended.returncode == -9
    assert made is not None
    children = [int(path.name) for path in marks.iterdir()]
    assert len(children) == 2
    ends = time.monotonic() + 10
    while (left := [pid for pid in children if _lives(pid)]) and time.monotonic() < ends:
        time.sleep(0.05)
    assert left == []


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_failed_pages_are_in_the_errors_file(task: Callable[..., Task]) -> None:
    _, outcome = run(task(b"bad", b"plain"), lambda ctx: list(ctx.map_pages(see, returns=Seen)))
    lines = [json.loads(line) for line in outcome.artifact("-errors.jsonl").splitlines()]
    assert [(line["img_filename"], line["stage"]) for line in lines] == [("0001.jpg", "look")]
