"""The rows of the crash matrix: what happens to a worker, each in its own cell.

A row does its mischief; afterwards the harness starts a worker again and checks the invariants.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bec_core.models import encode_message
from bec_core.worker import Step
from support.bad_network import Fault
from support.crash_lab import GOOD, KILLED, PATIENCE_S, SPOTTY, Cell, Worker
from support.imds_server import Metadata, imds_server
from support.services import postgres_server

WORLDS = (("postgres", "file"), ("postgres", "s3"), ("sqs", "file"), ("sqs", "s3"))


@dataclass(frozen=True)
class Row:
    """A kind of mischief; ``queue`` and ``store`` restrict where it makes sense."""

    name: str
    do: Callable[[Cell], None]
    queue: str | None = None
    store: str | None = None
    embedded: bool = False
    own_server: bool = False

    def fits(self, queue: str, store: str) -> bool:
        return self.queue in (None, queue) and self.store in (None, store)


def _kill_at(step: str) -> Row:
    def do(cell: Cell) -> None:
        code = cell.start(kill_at=step).end()
        assert code == KILLED, f"the worker ended with {code} before it came to {step}"

    return Row(f"kill -9 at {step}", do)


def _freeze_at(step: str) -> Row:
    def do(cell: Cell) -> None:
        sleeper = cell.start(freeze_at=step)
        sleeper.wait_until_frozen()
        started = time.monotonic()
        other = cell.start()
        other.end_well()
        # its lease is three seconds long; the rest is the time to start and to work
        assert time.monotonic() - started < 60
        before = cell.objects(), cell.sql("SELECT id, status, epoch FROM task_executions ORDER BY id")
        sleeper.signal(signal.SIGCONT)
        sleeper.end_well()
        after = cell.objects(), cell.sql("SELECT id, status, epoch FROM task_executions ORDER BY id")
        assert before == after, "the worker that had lost its lease changed something"

    return Row(f"SIGSTOP past the lease at {step}", do)


def _resumed_after(what: str, **plan: Any) -> Row:
    """The process dies while pages are kept: the next one goes on with what was written before."""

    def do(cell: Cell) -> None:
        code = cell.start(**plan).end()
        assert code == KILLED, f"the worker ended with {code} before it could be killed"
        cell.start().end_well()
        assert cell.resumed(SPOTTY) > 0, "nothing was resumed"

    return Row(f"kill -9 {what}: resumed", do)


def _killed_at_random(cell: Cell) -> None:
    """Two processes die at random pages of one volume; none of its three attempts begins at nothing but the first."""
    first = cell.start(kill_at="page-done", kill_nth=random.randint(10, 20))
    assert first.end() == KILLED
    second = cell.start(kill_at="page-done", kill_nth=random.randint(3, 12))
    assert second.end() == KILLED
    before = cell.resumed(SPOTTY)
    cell.start().end_well()
    assert cell.resumed(SPOTTY) >= before > 0, f"{cell.resumed(SPOTTY)} pages were resumed, before {before}"


def _watched(cell: Cell, **plan: Any) -> Iterator[tuple[Worker, Metadata]]:
    """A worker on an instance, in the middle of a volume of four seconds."""
    cell.sql("UPDATE jobs SET config = config || '{\"page_ms\": 200}' RETURNING id")
    with imds_server() as metadata:
        cell.environment |= {"BEC_EC2": "on", "BEC_IMDS_URL": metadata.url}
        worker = cell.start(look_s=0.1, **plan)
        worker.reach("page-done", times=8)
        yield worker, metadata
    cell.environment["BEC_EC2"] = "off"
    cell.sql("UPDATE jobs SET config = config || '{\"page_ms\": 5}' RETURNING id")
    failed = cell.sql("SELECT id FROM task_executions WHERE failures > 0 AND version IS NOT NULL")
    assert failed == [], "a drain counted as a failure"


def _notice(cell: Cell) -> None:
    """A spot notice: what is not done in time is handed back, finished pages are kept, and no listing says failed."""
    for worker, metadata in _watched(cell, options={"until_drained": False}):
        metadata.interrupt(in_s=31.0)  # the last thirty seconds are not used: one or two are left
        ends = time.monotonic() + 12.0  # the two minutes, played faster
        worker.end_well()
        assert time.monotonic() < ends, "the instance would have been gone"
    said = cell.sql(
        "SELECT status::text, handed_back, error_type FROM task_executions WHERE version IS NOT NULL"
    )
    assert ("retryable_failed", True, None) in said, said
    cell.start().end_well()
    assert cell.resumed(SPOTTY) > 0, "nothing was resumed"


def _notice_and_death(cell: Cell) -> None:
    """The instance vanishes in the middle of the drain: what was finished before the notice is kept."""
    for worker, metadata in _watched(cell, options={"part_every_s": 60.0}):
        metadata.interrupt(in_s=600.0)
        worker.reach("part-written")
        worker.process.kill()
        worker.end()
        # another instance comes, which can't know that the process is dead: its lease ends
        cell.sql("UPDATE workers SET process = NULL RETURNING worker_id")
    cell.start().end_well()
    assert cell.resumed(SPOTTY) > 0, "nothing was resumed"


def _stop(*signals: int, grace_s: float = 20.0, failures: int = 0) -> Callable[[Cell], None]:
    def do(cell: Cell) -> None:
        worker = cell.start(options={"grace_s": grace_s, "until_drained": False})
        worker.reach("page-done")
        for number in signals:
            worker.signal(number)
            time.sleep(0.2)
        started = time.monotonic()
        worker.end_well()
        assert time.monotonic() - started < 30
        counted = cell.sql(
            "SELECT coalesce(sum(failures), 0)::int FROM task_executions WHERE version IS NOT NULL"
        )
        assert counted == [(failures,)], f"stopping counted {counted} failures"

    return do


def _full_disk(cell: Cell) -> None:
    cell.start(full_disk=4).end_well()


def _connections_closed(cell: Cell) -> None:
    worker = cell.start()
    worker.reach("claimed")
    for _ in range(8):
        cell.close_all_connections()
        time.sleep(0.15)
    worker.end()


def _server_stopped(seconds: float) -> Callable[[Cell], None]:
    def do(cell: Cell) -> None:
        assert cell.server is not None
        worker = cell.start(options={"grace_s": 120.0})
        worker.reach("claimed")
        cell.server.stop("immediate")
        time.sleep(seconds)
        assert worker.process.poll() is None, "the worker did not survive"
        cell.server.start()
        worker.end_well()

    return do


def _server_stopped_for_good(cell: Cell) -> None:
    assert cell.server is not None
    worker = cell.start(options={"grace_s": 1.0})
    worker.reach("claimed")
    cell.server.stop("immediate")
    time.sleep(2)
    worker.signal(signal.SIGTERM)
    started = time.monotonic()
    worker.end()  # that it can't hand back is no reason to stay
    assert time.monotonic() - started < 75, "the worker waited too long for a database that is gone"
    cell.server.start()


def _embedded_server_killed(cell: Cell) -> None:
    worker = cell.start()
    worker.reach("claimed")
    (pid_file,) = Path(cell.environment["BEC_HOME"]).rglob("postmaster.pid")
    _kill(int(pid_file.read_text().split()[0]))
    worker.end()


def _kill(pid: int) -> None:
    import os

    os.kill(pid, signal.SIGKILL)


def _store(fault: Fault, *, method: str = "", times: int) -> Callable[[Cell], None]:
    def do(cell: Cell) -> None:
        worker = cell.start()
        worker.reach("READY")
        cell.s3.fail(fault, method=method, times=times)
        worker.end()
        assert any(kind == fault.kind for _, _, kind in cell.s3.seen), "no request met the fault"

    return do


def _queue_throttled(cell: Cell) -> None:
    worker = cell.start()
    worker.reach("READY")
    cell.sqs.fail(Fault("status", status=503, code="ThrottlingException"), times=8)
    worker.end()
    assert any(kind == "status" for _, _, kind in cell.sqs.seen)


def _clock(by: float) -> Callable[[Cell], None]:
    def do(cell: Cell) -> None:
        worker = cell.start(clock_jump=by)
        worker.reach("claimed")
        second = cell.start()  # looks for dead processes of this machine when it starts
        worker.end_well()
        second.end_well()
        taken_over = cell.sql(
            "SELECT count(*)::int FROM task_executions WHERE attempt > 1 AND version IS NOT NULL"
        )
        assert taken_over == [(0,)], "a jump of a worker's clock took its task away"

    return do


def _servers_clock(cell: Cell) -> None:
    worker = cell.start()
    worker.reach("page-done")
    cell.expire_leases()
    second = cell.start()
    worker.end_well()
    second.end_well()


def _forced_while_it_runs(cell: Cell) -> None:
    """Asking again while the volume runs: it is done twice, and the last result stands."""
    worker = cell.start()
    worker.reach("claimed")
    cell.force(GOOD)
    worker.end()


def _hangup(cell: Cell) -> None:
    _stop(signal.SIGHUP, grace_s=0.0)(cell)


def _two_in_a_dead_hand(cell: Cell) -> None:
    """A process dies with two volumes in hand: nobody is blamed, and each is tried alone."""
    code = cell.start(kill_at="claimed", kill_nth=2, options={"concurrency": 2}).end()
    assert code == KILLED
    cell.start(options={"concurrency": 2}).end_well()
    blamed = cell.sql("SELECT sum(failures)::int FROM task_executions WHERE version IS NOT NULL")
    assert blamed == [(0,)], f"{blamed} failures were counted"


def _next_begun(cell: Cell) -> None:
    """A worker of one slot dies as it has claimed the next volume while the last pages of one may be at work."""
    code = cell.start(kill_at="claimed", kill_nth=2).end()
    assert code == KILLED


def _fault_of_ours(cell: Cell) -> None:
    """This program can't record what is done, three times in a row: it ends, and nothing is given up."""
    worker = cell.start(fault=3, options={"until_drained": False, "shutdown_after_empty": 60})
    worker.end()
    failed = cell.sql("SELECT count(*)::int FROM ledger WHERE state = 'failed' AND reason LIKE '%Fault%'")
    assert failed == [(0,)], "a volume was given up for a fault of ours"


def _read_and_killed_at(step: str) -> Row:
    """A job reads this one; the worker that finishes its input dies on the way to telling it."""

    def do(cell: Cell) -> None:
        cell.add_reader()
        code = cell.start(kill_at=step).end()
        assert code == KILLED, f"the worker ended with {code} before it came to {step}"

    return Row(f"read by another job, kill -9 at {step}", do)


def _reader_killed_at(step: str) -> Row:
    """The worker of a job that reads this one dies."""

    def do(cell: Cell) -> None:
        reader = cell.add_reader()
        if step == Step.BLOCKED_WRITTEN:  # somebody else's message, too early
            assert cell.session.queue(reader.queue_url).send([encode_message(GOOD)]) == []
        else:
            cell.start().end_well()
        code = cell.start_of(reader, kill_at=step).end()
        assert code == KILLED, f"the reader's worker ended with {code} before it came to {step}"

    return Row(f"a job that reads, kill -9 at {step}", do)


def _redone_while_it_is_read(cell: Cell) -> None:
    """The input is asked for again and done while the other job reads it."""
    reader = cell.add_reader()
    cell.start().end_well()
    cell.force(GOOD)
    first, second = cell.start(), cell.start_of(reader)
    first.end_well()
    second.end_well()


CHAIN_STEPS = (Step.RELEASED, Step.BLOCKED_WRITTEN)
PLAIN = [step for step in Step if step not in CHAIN_STEPS]
KILLS = [_kill_at(step) for step in (*PLAIN[:3], "page-done", *PLAIN[3:])]
CHAINS = [
    _read_and_killed_at(Step.ROW_WRITTEN),
    _read_and_killed_at(Step.RELEASED),
    *(_reader_killed_at(step) for step in (Step.BLOCKED_WRITTEN, Step.CLAIMED, Step.MARKER_WRITTEN)),
    Row("its input is done again while a job reads it", _redone_while_it_is_read),
]
EACH_PAGE = {"part_every_s": 0.0}
PARTS = [
    _resumed_after("before a part is written", kill_before_part=20, options=EACH_PAGE),
    _resumed_after("after a part is written", kill_at=Step.PART_WRITTEN, kill_nth=20, options=EACH_PAGE),
    Row("kill -9 twice at random pages: resumed", _killed_at_random),
    Row("a spot notice: handed back in time, resumed", _notice),
    Row("a spot notice, kill -9 in the drain: resumed", _notice_and_death),
]
FREEZES = [_freeze_at(step) for step in ("page-done", "worked", "artifact-written", "marker-written")]
SLOW_DOWN = Fault("status", status=503, code="SlowDown")
ERROR = Fault("status", status=500, code="InternalError")

ROWS: list[Row] = [
    *KILLS,
    *PARTS,
    *CHAINS,
    *FREEZES,
    Row("SIGTERM, time enough", _stop(signal.SIGTERM)),
    Row("SIGTERM, no grace: handed back", _stop(signal.SIGTERM, grace_s=0.0)),
    Row("SIGINT twice: handed back", _stop(signal.SIGINT, signal.SIGINT)),
    Row("SIGHUP, no grace: handed back", _hangup),
    Row("kill -9 with two volumes in hand", _two_in_a_dead_hand),
    Row("kill -9 as the next volume begins", _next_begun),
    Row("asked for again while it runs", _forced_while_it_runs),
    Row("a fault of this program, three times", _fault_of_ours),
    Row("full disk", _full_disk, store="file"),
    Row("PostgreSQL closes every connection", _connections_closed),
    Row("PostgreSQL stopped for 30 s", _server_stopped(30.0), own_server=True),
    Row("PostgreSQL stopped for good", _server_stopped_for_good, own_server=True),
    Row("kill -9 of the embedded PostgreSQL", _embedded_server_killed, "postgres", "file", embedded=True),
    Row("store answers 500", _store(ERROR, times=12), store="s3"),
    Row("store answers 503 SlowDown", _store(SLOW_DOWN, times=12), store="s3"),
    Row("store says nothing", _store(Fault("hang", seconds=10), times=4), store="s3"),
    Row("store truncates bodies", _store(Fault("truncate"), method="GET", times=6), store="s3"),
    Row("store drops uploads half-way", _store(Fault("drop_upload"), method="PUT", times=5), store="s3"),
    Row(
        "store's answers to uploads are lost", _store(Fault("lose_answer"), method="PUT", times=3), store="s3"
    ),
    Row("SQS throttles", _queue_throttled, queue="sqs"),
    Row("the worker's clock jumps an hour ahead", _clock(3600.0)),
    Row("the worker's clock jumps an hour back", _clock(-3600.0)),
    Row("the server's clock jumps past the lease", _servers_clock),
]


def play(row: Row, shared: object, queue: str, store: str) -> list[str]:
    """Play a row in a fresh cell, start a worker again, and give everything that is not as it must be."""
    from support.crash_lab import Shared, cell_of

    assert isinstance(shared, Shared)
    if row.own_server:
        with postgres_server() as server, cell_of(shared, queue, store, server=server) as cell:
            return _play(row, cell)
    with cell_of(shared, queue, store, embedded=row.embedded) as cell:
        return _play(row, cell)


def _play(row: Row, cell: Cell) -> list[str]:
    cell.fill()
    try:
        row.do(cell)
        cell.recover()
    except (AssertionError, TimeoutError) as error:
        return [str(error) or repr(error), f"see {cell.log}"]
    problems = cell.problems()
    return [*problems, f"see {cell.log}"] if problems else []


assert PATIENCE_S > 60
