"""Whose fault an end is: the job's, the volume's, ours, or nobody's. Only the first two fail a task."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import attrs
import psycopg
import pytest
from loguru import logger

from bec_core.db import jobs, ledger, tasks, volumes, workers
from bec_core.errors import JobGone, PageError, PluginError, StorageError
from bec_core.models import JobStatus, TaskResult, encode_message
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.testing.checksum_job import ChecksumWorker, Trouble
from bec_core.worker import End, WorkerObserver, identity
from support.worker_lab import QUICK, Lab

PATIENT = attrs.evolve(QUICK, shutdown_after_empty=12)
ROWS = "SELECT status, failures, error_type FROM task_executions ORDER BY id"


@pytest.fixture
def lab(database, tmp_path):
    queues = create_queues("checksum", "postgres", database=database)
    (tmp_path / "scans").mkdir()
    store = open_store((tmp_path / "out").as_uri())
    return Lab(database, queues.tasks, queues.dead_letters, store, tmp_path / "scans")


@pytest.fixture
def log():
    lines = []
    handler = logger.add(lines.append, level="INFO")
    yield lines
    logger.remove(handler)


# -- a fault of ours ----------------------------------------------------------------------------------------


def missing_column(*_, **__):
    raise psycopg.errors.UndefinedColumn('column "furthest" does not exist')


def test_an_older_schema_fails_no_volume_and_ends_the_worker(lab, monkeypatch, log):
    """Seen: three of three volumes dead-lettered, and «completed successfully»."""
    refs = [lab.volume(f"vol{n}", b"one") for n in range(4)]
    lab.ask(*refs)
    with lab.database.connection() as connection:
        connection.execute("ALTER TABLE task_executions DROP COLUMN furthest")
    assert lab.work(PATIENT).end is End.FAULT
    assert lab.ledger_states() == {"waiting": 4}
    assert lab.messages() == (4, 0)
    assert sum("Traceback" in line for line in log) == 1, "said once with its traceback"


def test_a_fault_that_three_volumes_in_a_row_meet_ends_the_worker_and_touches_none(lab, monkeypatch):
    lab.ask(*[lab.volume(f"vol{n}", b"one") for n in range(5)])
    monkeypatch.setattr(tasks, "finish", missing_column)
    summary = lab.work(PATIENT)
    assert summary.end is End.FAULT
    assert summary.messages in (3, 4), "another may have begun by the end of the third"
    assert lab.ledger_states() == {"waiting": 5}
    assert lab.messages() == (5, 0)


def test_a_fault_that_one_volume_meets_while_others_succeed_sets_it_alone_aside(lab, monkeypatch):
    lab.ask(*[lab.volume(f"vol{n}", b"one") for n in range(8)])
    real = tasks.finish
    victim = []

    def finish(connection, claimed, outcome, **kwargs):
        if not victim:
            victim.append(claimed.task_id)
        if claimed.task_id == victim[0]:
            raise AssertionError("a bug of ours that this volume alone meets")
        return real(connection, claimed, outcome, **kwargs)

    monkeypatch.setattr(tasks, "finish", finish)

    monkeypatch.setattr(
        "bec_core.worker.attempt.intact", lambda *_: False
    )  # the published must not end the story
    summary = lab.work(attrs.evolve(PATIENT, shutdown_after_empty=40))
    assert summary.end is End.NOTHING_LEFT
    assert lab.ledger_states() == {"done": 7, "failed": 1}
    assert sorted(row[2] for row in lab.rows(ROWS) if row[0] == "terminal_failed") == ["RuntimeFault"]
    (letter,) = lab.dead_letters.peek(10)
    assert letter.attributes["error_type"] == "RuntimeFault"


@pytest.mark.parametrize("moment", ["step", "message_taken", "task_started", "page_done", "task_finished"])
def test_no_observer_can_fail_a_task(lab, moment, log):
    lab.ask(lab.volume("vol1", b"one"))
    bad = WorkerObserver()

    def broken(*args, **kwargs):
        raise BrokenPipeError("nobody reads")

    setattr(bad, moment, broken)
    assert lab.work(observer=bad).end is End.NOTHING_LEFT
    assert lab.rows(ROWS) == [("done", 0, None)]
    assert sum("failed while watching" in line for line in log) == 1


def test_a_bug_under_the_jobs_hands_is_no_failed_page(lab):
    """ldv1 takes whatever a page raises for that page's error; a fault of ours must not become one."""
    lab.ask(*[lab.volume(f"vol{n}", *[b"fine"] * 40) for n in range(3)])

    class Broken:
        resolve = staticmethod(lab.sources.resolve)

        def read_page(self, volume, page):
            raise TypeError("a bug in a source")

    lab.sources = Broken()
    assert lab.work(PATIENT).end is End.FAULT
    assert lab.ledger_states() == {"waiting": 3}


def test_a_slot_that_dies_never_gives_status_0(lab, monkeypatch):
    lab.ask(lab.volume("vol1", b"one"))

    def receive(**_):
        raise SystemExit(0)

    monkeypatch.setattr(lab.tasks, "receive", receive)
    assert lab.work().end is End.FAULT


# -- the job's failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_comes_out_of_a_jobs_run_is_the_jobs_failure(lab, monkeypatch, error):
    def run(self, ctx):
        raise error

    lab.ask(lab.volume("vol1", b"one"))
    monkeypatch.setattr(ChecksumWorker, "run", run)
    assert lab.work(PATIENT).end is End.NOTHING_LEFT
    assert lab.rows(ROWS) == [("terminal_failed", 3, type(error).__name__)]
    assert lab.messages() == (0, 1)


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), ValueError("no")])
def test_what_comes_out_of_a_factory_is_said_of_its_plugin_by_name(lab, monkeypatch, error):
    def build(self, setup):
        raise error

    monkeypatch.setattr(ChecksumWorker, "__init__", build)
    with pytest.raises(PluginError, match=f"job type checksum.*{type(error).__name__}"):
        lab.work()


def test_what_comes_out_of_close_fails_nothing(lab, monkeypatch, log):
    def close(self):
        raise SystemExit(7)

    lab.ask(lab.volume("vol1", b"one"))
    monkeypatch.setattr(ChecksumWorker, "close", close)
    assert lab.work().end is End.NOTHING_LEFT
    assert any("closing the worker of checksum failed" in line for line in log)


def test_a_job_that_returns_nonsense_fails(lab, monkeypatch):
    lab.ask(lab.volume("vol1", b"one"))
    monkeypatch.setattr(ChecksumWorker, "run", lambda self, ctx: "done")
    lab.work(PATIENT)
    assert lab.rows(ROWS) == [("terminal_failed", 3, "TypeError")]


def test_a_recursion_without_end_leaves_a_bounded_traceback(lab, monkeypatch):
    def run(self, ctx):
        return run(self, ctx)

    lab.ask(lab.volume("vol1", b"one"))
    monkeypatch.setattr(ChecksumWorker, "run", run)
    lab.work(PATIENT)
    ((kind, length),) = lab.rows("SELECT error_type, length(error_traceback) FROM task_executions")
    assert kind == "RecursionError"
    assert length < 10_000


# -- pages are counted by the runtime -----------------------------------------------------------------------


def test_a_job_can_not_hide_its_failed_pages(lab, monkeypatch):
    """It counts nothing: what it calls is counted."""

    def run(self, ctx):
        for page in ctx.volume.pages[:2]:
            ctx.page_failed(page, PageError("bad", stage="decode"))
        return TaskResult()

    lab.ask(lab.volume("vol1", *[b"fine"] * 3))
    monkeypatch.setattr(ChecksumWorker, "run", run)
    lab.work(PATIENT)
    assert lab.rows("SELECT error_type, total_images, nb_errors FROM task_executions") == [
        ("TooManyPageErrors", 3, 2)
    ]


def test_a_volume_past_saving_is_stopped_early_and_keeps_its_page_errors(lab, monkeypatch):
    read = []
    real = ChecksumWorker._make_trouble

    def count(self, ctx, data):
        read.append(data)
        real(self, ctx, data)

    lab.ask(lab.volume("vol1", *[Trouble.BAD_PAGE] * 3, *[b"fine"] * 37))
    monkeypatch.setattr(ChecksumWorker, "_make_trouble", count)
    lab.config = None
    lab.work(PATIENT)
    assert len(read) == 3 * 3, "three attempts, each stopped at the third bad page of forty"
    ((errors,),) = lab.rows("SELECT page_errors FROM task_executions")
    assert [error["img_filename"] for error in errors] == ["0001.jpg", "0002.jpg", "0003.jpg"]
    assert {error["error_type"] for error in errors} == {"BadOnPurpose"}


def test_no_exception_object_is_raised_twice(lab, monkeypatch):
    raised = []

    def run(self, ctx):
        threads = [threading.Thread(target=check, args=(ctx,)) for _ in range(4)]
        while not ctx.stop.is_set():
            time.sleep(0.01)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ctx.stop.check()

    def check(ctx):
        try:
            ctx.stop.check()
        except Exception as error:  # noqa: BLE001
            raised.append(error)

    lab.ask(lab.volume("vol1", b"one"))
    monkeypatch.setattr(ChecksumWorker, "run", run)
    lab.work(attrs.evolve(PATIENT, stall_timeout_s=0.2))
    assert len({id(error) for error in raised}) == len(raised) >= 4


@pytest.mark.parametrize(
    ("failures_before", "row"),
    [(0, ("retryable_failed", 1, "TaskStalled")), (2, ("terminal_failed", 3, "TaskStalled"))],
)
def test_a_stalled_job_that_never_comes_back_uses_up_its_attempts(lab, monkeypatch, failures_before, row):
    """The process ends with a status of its own; were it uncounted, the next one would meet the same for ever."""
    go_on = threading.Event()
    ended = []

    def run(self, ctx):
        go_on.wait(30)
        return TaskResult()

    def end(status):  # what the process leaves behind; then the job may come back, so that the test ends
        ended.append((status, lab.rows(ROWS)))
        go_on.set()

    monkeypatch.setattr(ChecksumWorker, "run", run)
    monkeypatch.setattr("bec_core.worker.opening.STUCK_AFTER_S", 0.3)
    monkeypatch.setattr("bec_core.worker.process.os._exit", end)
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    claim(lab, ref, None, lease_s=0.0)
    lab.rows(f"UPDATE task_executions SET failures = {failures_before} RETURNING 1")
    lab.work(attrs.evolve(QUICK, stall_timeout_s=0.3, shutdown_after_empty=1))
    assert ended[0] == (70, [row])


def test_the_end_of_a_stuck_process_gives_back_what_else_is_at_hand(lab, monkeypatch):
    """Else the next process would count it as a death with one volume in hand."""
    go_on = threading.Event()
    ended = []
    stuck, other = lab.volume("vol1", b"one"), lab.volume("vol2", b"one")

    def run(self, ctx):
        while not go_on.wait(0.05):
            if ctx.volume.ref == other:
                ctx.page_done(ctx.volume.pages[0])
        ctx.stop.check()
        return TaskResult()

    def end(status):
        ended.append(lab.rows(ROWS))
        go_on.set()

    monkeypatch.setattr(ChecksumWorker, "run", run)
    monkeypatch.setattr("bec_core.worker.opening.STUCK_AFTER_S", 0.3)
    monkeypatch.setattr("bec_core.worker.process.os._exit", end)
    lab.ask(stuck, other)
    lab.work(attrs.evolve(QUICK, stall_timeout_s=0.6, shutdown_after_empty=1, concurrency=2))
    assert sorted(ended[0]) == [("retryable_failed", 0, None), ("retryable_failed", 1, "TaskStalled")]


# -- deaths and lost leases ---------------------------------------------------------------------------------


def claim(lab, ref, worker_id, lease_s=3600.0, delivery=None):
    volume = lab.sources.resolve(ref)
    with lab.database.connection() as connection:
        return tasks.claim(
            connection, job_id=lab.job.id, volume_id=volumes.upsert(connection, volume), etag=volume.etag,
            version=volume.version, worker_id=worker_id, lease_s=lease_s, config_revision=1,
            plugin_version="1", delivery=delivery,
        )  # fmt: skip


def dead_worker(lab, token=None):
    """A row of a worker of this machine whose process is gone."""
    machine = identity.own_token().split("/")[0]
    with lab.database.connection() as connection:
        return workers.register(
            connection, name="dead", hostname=socket.gethostname(), job_id=lab.job.id,
            process=token or f"{machine}/4194303/1.00", tags={},
        )  # fmt: skip


@pytest.mark.parametrize("kind", ["postgres", "sqs"])
def test_a_dead_processs_message_is_there_at_once_on_both_queues(database, tmp_path, aws, kind):
    from bec_core.queues import SqsOptions

    options = SqsOptions(region="us-east-1", endpoint_url=aws)
    name = f"c{os.urandom(4).hex()}"
    queues = create_queues(name, kind, database=database, sqs=options)
    (tmp_path / "scans").mkdir()
    lab = Lab(
        database,
        queues.tasks,
        queues.dead_letters,
        open_store((tmp_path / "out").as_uri()),
        tmp_path / "scans",
    )
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    (message,) = lab.tasks.receive(limit=1, wait_s=1, visibility_s=3600)
    claim(lab, ref, dead_worker(lab), delivery=tasks.Delivery(message.id, message.receipt))
    began = time.monotonic()
    lab.work(attrs.evolve(QUICK, until_drained=True, shutdown_after_empty=None))
    assert time.monotonic() - began < 15
    assert lab.rows() == [("done", 2, 1, 3)]


def test_the_death_of_a_process_with_one_task_in_hand_counts_and_ends_it_at_last(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    for deaths in (1, 2, 3):
        claim(lab, ref, dead_worker(lab))
        with lab.worker(attrs.evolve(QUICK, shutdown_after_empty=1)):
            pass  # opening it is what takes over
        ((status, failures, error),) = lab.rows(ROWS)
        assert (failures, error) == (deaths, "WorkerDied")
    assert status == "terminal_failed"
    assert lab.ledger_states() == {"failed": 1}
    lab.work()
    (letter,) = lab.dead_letters.peek(2)
    assert letter.attributes["error_type"] == "WorkerDied"


def test_of_several_tasks_in_a_dead_hand_nobody_is_blamed_and_each_is_tried_alone(lab, monkeypatch):
    refs = [lab.volume(f"vol{n}", b"one") for n in range(3)]
    lab.ask(*refs)
    dead = dead_worker(lab)
    for ref in refs:
        claim(lab, ref, dead)
    together, most = [0], [0]
    lock = threading.Lock()

    def run(self, ctx):
        with lock:
            together[0] += 1
            most[0] = max(most[0], together[0])
        time.sleep(0.3)
        with lock:
            together[0] -= 1
        return TaskResult()

    monkeypatch.setattr(ChecksumWorker, "run", run)
    with lab.worker(attrs.evolve(PATIENT, concurrency=3)) as worker:
        assert {row[1] for row in lab.rows(ROWS)} == {0}
        assert lab.rows("SELECT bool_and(alone) FROM task_executions") == [(True,)]
        worker.run()
    assert most == [1]
    assert lab.rows("SELECT status, failures, alone FROM task_executions") == [("done", 0, False)] * 3


def test_a_process_of_another_pid_namespace_is_never_known_to_be_dead(lab):
    boot = identity.own_token().split("/")[0].split(":")[0]
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    claim(lab, ref, dead_worker(lab, f"{boot}:pid:[1]/4194303/1.00"))
    with lab.worker():
        pass
    assert lab.rows("SELECT status, failures FROM task_executions") == [("running", 0)]


def test_a_lease_that_ran_out_is_no_failure_but_is_counted_unless_it_got_further(lab):
    ref = lab.volume("vol1", *[b"one"] * 9)
    lost = []
    for pages in (0, 3, 3, 5, 2):
        claimed = claim(lab, ref, None, lease_s=0.0)
        lost.append(claimed.lost)
        with lab.database.connection() as connection:
            tasks.renew(connection, claimed, 0.0, pages_done=pages)
    lost.append(claim(lab, ref, None, lease_s=0.0).lost)
    assert lost == [0, 1, 1, 2, 2, 3]
    assert lab.rows("SELECT failures FROM task_executions") == [(0,)]


def test_a_task_whose_leases_run_out_ten_times_is_given_up_with_a_reason(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    for _ in range(10):
        claim(lab, ref, None, lease_s=0.0)
    lab.work()
    assert lab.rows(ROWS) == [("terminal_failed", 1, "LostTooOften")]
    assert lab.messages() == (0, 1)


def test_what_kills_its_workers_before_it_is_resolved_is_given_up_too(lab, monkeypatch):
    """No row says who held it, until it has come often enough to look more closely."""
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)

    class Killed(BaseException):
        pass

    class Deadly:
        read_page = staticmethod(lab.sources.read_page)

        def resolve(self, ref):
            raise Killed

    lab.sources = Deadly()
    monkeypatch.setattr("bec_core.worker.attempt.Attempt._unguard", lambda self, guard: None)  # it is dead
    machine = identity.own_token().split("/")[0]
    deliveries = 0
    while lab.ledger_states() != {"failed": 1}:
        deliveries += 1
        assert deliveries < 12
        with lab.worker(attrs.evolve(QUICK, shutdown_after_empty=1)) as worker:
            worker.run()  # its slot dies of it
        with lab.database.connection() as connection:
            connection.execute(
                "UPDATE workers SET stopped_at = NULL, process = %s", (f"{machine}/4194303/1.00",)
            )
            connection.execute("UPDATE queue_messages SET visible_at = now()")
    lab.work()
    assert lab.rows(ROWS) == [("terminal_failed", 3, "WorkerDied")]
    assert lab.messages() == (0, 1)


def test_what_comes_often_for_a_good_reason_is_done_all_the_same(lab):
    lab.ask(lab.volume("vol1", b"one"))
    lab.rows("UPDATE queue_messages SET receive_count = 9 RETURNING 1")
    lab.work()
    assert lab.rows(ROWS) == [("done", 0, None)]
    assert lab.messages() == (0, 0)


def test_orderly_stops_never_add_up_to_a_failure(lab):
    """Seen: fifteen SIGTERMs dead-lettered a healthy volume."""
    lab.ask(lab.volume("vol1", Trouble.WEDGED))
    for _ in range(17):
        with lab.worker(attrs.evolve(QUICK, grace_s=0.0)) as worker:
            running = threading.Thread(target=worker.run)
            running.start()
            while not lab.rows("SELECT 1 FROM task_executions WHERE status = 'running'"):
                time.sleep(0.01)
            worker.stop_now()
            running.join(10)
    assert lab.rows("SELECT status, failures, lost FROM task_executions") == [("retryable_failed", 0, 0)]
    assert lab.messages() == (1, 0)


def test_a_message_is_replaced_before_its_queues_own_limit(lab, monkeypatch):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lab.rows("UPDATE queue_messages SET receive_count = 18 RETURNING 1")
    monkeypatch.setattr(lab.tasks, "delivery_limit", lambda: 20)
    seen = []

    class Watch(WorkerObserver):
        def message_taken(self, message_id, volume):
            seen.extend(lab.rows("SELECT receive_count FROM queue_messages"))

    lab.work(observer=Watch())
    assert seen == [(1,)]
    assert lab.rows(ROWS) == [("done", 0, None)]
    assert lab.messages() == (0, 0)


def test_trouble_met_under_the_jobs_hands_is_no_failure(lab, monkeypatch):
    met = []

    def run(self, ctx):
        if not met:
            met.append(1)
            raise StorageError("503 SlowDown")
        return TaskResult()

    lab.ask(lab.volume("vol1", b"one"))
    monkeypatch.setattr(ChecksumWorker, "run", run)
    lab.work(PATIENT)
    assert lab.rows(ROWS) == [("done", 0, None)]


# -- the surroundings ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_the_store_refuses_for_one_volume_alone_is_set_aside_at_last(lab, monkeypatch):
    bad = lab.volume("bad", b"one")
    lab.ask(bad)
    lab.rows("UPDATE ledger SET requested_at = now() RETURNING 1")
    real = lab.store.swap

    def swap(key, data, *, if_etag):
        if "/bad/" in key:
            raise StorageError("403 AccessDenied")
        return real(key, data, if_etag=if_etag)

    monkeypatch.setattr(lab.store, "swap", swap)
    monkeypatch.setattr("bec_core.worker.process._TROUBLE_PAUSE_S", (0.01, 0.01))
    ended = None
    for n in range(12):
        lab.ask(lab.volume(f"good{n}", b"one"))
        ended = lab.work(PATIENT).end
        lab.rows("UPDATE task_executions SET retry_at = NULL WHERE status = 'retryable_failed' RETURNING 1")
        lab.rows("UPDATE queue_messages SET visible_at = now() RETURNING 1")
    assert ended is End.NOTHING_LEFT
    assert lab.ledger_states() == {"done": 12, "failed": 1}
    assert lab.rows("SELECT error_type FROM task_executions WHERE status <> 'done'") == [("RuntimeFault",)]


def test_trouble_with_a_message_that_is_another_workers_by_now_leaves_no_row(lab, monkeypatch):
    """A process that slept in the middle of a look met a closed connection, and gave a done volume a failed row."""
    lab.ask(lab.volume("vol1", b"one"))
    real, met = lab.sources.resolve, []

    def resolve(ref):
        if met:
            return real(ref)
        met.append(ref)
        lab.rows("UPDATE queue_messages SET receipt = gen_random_uuid(), visible_at = now() RETURNING 1")
        raise StorageError("the connection was closed")

    monkeypatch.setattr(lab.sources, "resolve", resolve)
    seen = []
    monkeypatch.setattr(
        tasks, "note_fault", lambda *_, **__: seen.append(1) or tasks.Faults(1, others_succeed=False)
    )
    lab.work(attrs.evolve(PATIENT, until_drained=True, shutdown_after_empty=None))
    assert met
    assert seen == []
    assert lab.rows(ROWS) == [("done", 0, None)]


def test_a_deleted_jobs_worker_ends_and_touches_no_message(lab):
    """Seen: it dead-lettered the messages of a new job of the same name."""
    ref = lab.volume("vol1", b"one")
    with lab.worker(attrs.evolve(QUICK, heartbeat_s=3600)) as worker:
        with lab.database.connection() as connection:
            jobs.delete(connection, lab.job.id)
            again = jobs.create(
                connection, name="checksum", job_type="checksum", config={},
                queue_url=lab.tasks.url, dlq_url=lab.dead_letters.url,
            )  # fmt: skip
            ids = volumes.upsert_refs(connection, [ref])
            ledger.request(connection, again.id, [(ids[0], ref)])
        lab.tasks.send([encode_message(ref)])
        assert worker.run().end is End.DELETED
    assert lab.messages() == (1, 0)
    assert lab.tasks.stats().available + lab.tasks.stats().in_flight == 1


def test_a_deleted_jobs_worker_sets_not_even_nonsense_aside(lab):
    lab.send_raw("what is this?")
    with lab.worker(attrs.evolve(QUICK, heartbeat_s=3600)) as worker:
        with lab.database.connection() as connection:
            jobs.delete(connection, lab.job.id)
        assert worker.run().end is End.DELETED
    assert lab.messages() == (1, 0)
    with pytest.raises(JobGone):
        lab.work()


def test_a_completed_job_ends_its_workers_and_a_paused_ones_say_so(lab, log):
    lab.ask(lab.volume("vol1", b"one"))
    with lab.worker(attrs.evolve(QUICK, shutdown_after_empty=None)) as worker:
        set_status(lab, JobStatus.PAUSED)
        time.sleep(0.5)
        running = threading.Thread(target=lambda: ends.append(worker.run().end))
        ends = []
        running.start()
        time.sleep(1.0)
        assert lab.messages() == (1, 0)
        set_status(lab, JobStatus.COMPLETED)
        running.join(10)
    assert ends == [End.COMPLETED]
    assert sum("the job is paused: waiting" in line for line in log) == 1
    assert lab.messages() == (1, 0)


def set_status(lab, status):
    with lab.database.connection() as connection:
        jobs.set_status(connection, lab.job.id, status)


def test_two_models_never_work_at_one_job(lab, monkeypatch):
    from bec_core.errors import ConflictError
    from bec_core.job import Ingredients

    with lab.worker():
        monkeypatch.setattr(
            ChecksumWorker,
            "ingredients",
            property(lambda self: Ingredients({"model": "ab" * 32})),
            raising=False,
        )
        with pytest.raises(ConflictError, match=r"works with no model, this one has model abababababab"):
            lab.work()
    lab.work()  # the other one has stopped


def test_two_arithmetics_never_work_at_one_job(lab, monkeypatch):
    from bec_core.errors import ConflictError
    from bec_core.job import Ingredients

    def calculate_in(arithmetic):
        said = Ingredients({"model": "ab" * 32}, arithmetic)
        monkeypatch.setattr(ChecksumWorker, "ingredients", property(lambda self: said), raising=False)

    calculate_in("bfloat16")
    with lab.worker():
        calculate_in("float32")
        with pytest.raises(ConflictError, match=r"calculates in bfloat16, this one in float32: one job's"):
            lab.work()
    lab.work()  # the other one has stopped


def test_a_worker_is_told_what_the_jobs_workers_calculate_in_already(lab, monkeypatch):
    from bec_core.job import Ingredients

    pinned = []
    build = ChecksumWorker.__init__

    def told(self, setup):
        pinned.append([setup.pinned_arithmetic({"model": model}) for model in ("ab", "cd")])
        build(self, setup)

    monkeypatch.setattr(ChecksumWorker, "__init__", told)
    for model, arithmetic in (("ab", "float32"), ("cd", "int8"), ("ab", "bfloat16")):
        said = Ingredients({"model": model}, arithmetic)
        monkeypatch.setattr(
            ChecksumWorker, "ingredients", property(lambda self, said=said: said), raising=False
        )
        lab.work()
    lab.work()
    assert pinned == [["", ""], ["float32", ""], ["float32", "int8"], ["bfloat16", "int8"]]


# -- what is left -------------------------------------------------------------------------------------------


def test_a_worker_ends_with_work_left_while_a_volume_is_in_back_off(lab):
    lab.ask(lab.volume("vol1", Trouble.RETRYABLE))
    summary = lab.work(attrs.evolve(QUICK, retry_base_s=60.0, retry_cap_s=60.0))
    assert summary.end is End.WORK_LEFT
    assert (summary.left.backing_off, summary.left.due, summary.left.running) == (1, 0, 0)
    assert 20 < summary.left.next_s <= 60


def test_a_worker_ends_with_work_left_while_another_one_runs_a_volume(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    claim(lab, ref, None)
    summary = lab.work()
    assert summary.end is End.WORK_LEFT
    assert summary.left.running == 1


def test_a_worker_ends_with_nothing_left_only_when_the_ledger_says_so(lab):
    lab.ask(lab.volume("vol1", b"one"), lab.volume("bad", Trouble.TERMINAL))
    assert lab.work().end is End.NOTHING_LEFT


def test_sighup_hands_back_as_sigterm_does():
    code = (
        "import signal, threading, time\n"
        "from bec_cli.signals import stopping_on_signals\n"
        "class W:\n"
        "    def stop(self): print('stop', flush=True)\n"
        "    def stop_now(self): print('now', flush=True)\n"
        "with stopping_on_signals(W()) as got:\n"
        "    print('ready', flush=True)\n"
        "    while not got: time.sleep(0.01)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=20)[0] == "stop\n"
    assert process.returncode == 0
