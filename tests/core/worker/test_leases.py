"""Leases: who may work on a task, for how long, and what happens when that ends."""

import threading
import time
import uuid

import attrs
import pytest
from loguru import logger

from bec_core.db import tasks, volumes
from bec_core.errors import TaskStalled
from bec_core.models import Message, TaskResult
from bec_core.queues import SqsOptions, create_queues, sqs
from bec_core.storage import open_store
from bec_core.testing.checksum_job import ChecksumWorker, Trouble
from bec_core.worker import WorkerObserver
from bec_core.worker.hold import HeldTask, Keeper
from support.worker_lab import QUICK, Lab


@pytest.fixture
def lab(database, tmp_path):
    queues = create_queues("checksum", "postgres", database=database)
    return make_lab(database, queues, tmp_path)


def make_lab(database, queues, tmp_path):
    (tmp_path / "scans").mkdir()
    store = open_store((tmp_path / "out").as_uri())
    return Lab(database, queues.tasks, queues.dead_letters, store, tmp_path / "scans")


def test_a_dead_machines_task_is_taken_over_within_one_lease(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lease_s = 2.0
    (message,) = lab.tasks.receive(limit=1, wait_s=0, visibility_s=lease_s)
    volume = lab.sources.resolve(ref)
    with lab.database.connection() as connection:
        tasks.claim(
            connection, job_id=lab.job.id, volume_id=volumes.upsert(connection, volume), etag=volume.etag,
            version=volume.version, worker_id=None, lease_s=lease_s, config_revision=1, plugin_version="1",
        )  # fmt: skip
    started = time.monotonic()
    claimed = []

    class Watch(WorkerObserver):
        def task_started(self, volume, attempt):
            claimed.append(time.monotonic() - started)

    lab.work(attrs.evolve(QUICK, lease_s=lease_s, until_drained=True, shutdown_after_empty=None), Watch())
    assert lease_s - 0.5 < claimed[0] < lease_s + 2.0  # the second above it: the slack, and a busy machine
    assert lab.rows() == [("done", 2, 0, 2)]
    assert not lab.tasks.delete(message)


def test_a_job_longer_than_sqs_hides_a_message_is_handed_on(database, aws, tmp_path, monkeypatch):
    """The twelve hours, played in four seconds: the message comes again, and whoever gets it leaves the task alone."""
    monkeypatch.setattr(sqs, "MAX_VISIBILITY_S", 4)
    options = SqsOptions(region="us-east-1", endpoint_url=aws)
    lab = make_lab(database, create_queues(f"checksum-{uuid.uuid4().hex[:8]}", "sqs", sqs=options), tmp_path)
    lab.ask(lab.volume("vol1", b"one"))
    quick = attrs.evolve(QUICK, lease_s=2.0, until_drained=True, shutdown_after_empty=None)
    received = []

    class Long(WorkerObserver):
        def task_started(self, volume, attempt):
            time.sleep(8)

    class Watch(WorkerObserver):
        def message_taken(self, message_id, volume):
            received.append(lab.rows())

    first = threading.Thread(target=lab.work, args=(quick, Long()))
    first.start()
    while not lab.rows():
        time.sleep(0.05)
    lab.work(quick, Watch())
    first.join()
    assert received[0] == [("running", 1, 0, 1)]
    assert lab.rows() == [("done", 1, 0, 1)]
    assert lab.messages() == (0, 0)
    assert lab.ledger_states() == {"done": 1}


def test_a_wedged_job_is_given_up_with_its_stack_in_the_log(lab):
    lab.ask(lab.volume("vol1", Trouble.WEDGED))
    lines = []
    handler = logger.add(lines.append, level="ERROR")
    try:
        lab.work(attrs.evolve(QUICK, stall_timeout_s=0.3, shutdown_after_empty=8))
    finally:
        logger.remove(handler)
    (first, *_) = (line for line in lines if "no page was finished" in line)
    assert "bec-slot-" in first
    assert "_make_trouble" in first


def test_a_job_that_does_not_stop_when_told_is_reported_once(lab):
    keeper = Keeper(lab.database, lab.tasks, lease_s=2, stall_timeout_s=60, stuck_after_s=0.3)
    held = HeldTask(
        claim=tasks.Claim(1, 1, 1, 0),
        message=Message("1", "", {}, ""),
        volume=lab.sources.resolve(lab.volume("vol1", b"one")),
        lease_ends=time.monotonic() + 60,
    )
    keeper.start()
    with keeper.hold(held):
        held.stop.set(TaskStalled("no page"))
        time.sleep(1.2)
    keeper.close()
    assert keeper.stuck == [held]


def test_a_stale_epoch_changes_nothing(lab):
    """Whatever a worker writes into a row says the epoch that it claimed."""
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    volume = lab.sources.resolve(ref)

    def claim(connection):
        return tasks.claim(
            connection, job_id=lab.job.id, volume_id=volumes.upsert(connection, volume), etag=volume.etag,
            version=volume.version, worker_id=None, lease_s=0.0, config_revision=1, plugin_version="1",
        )  # fmt: skip

    with lab.database.connection() as connection:
        stale, fresh = claim(connection), claim(connection)
    assert (stale.epoch, fresh.epoch) == (1, 2)
    before = lab.rows("SELECT * FROM task_executions"), lab.ledger_states()
    outcome = tasks.Outcome(1, 0, 1.0, 1.0, 1.0)
    failure = tasks.Failure("run", "KeyError", "no", "f")
    for write in (
        lambda connection: tasks.finish(connection, stale, outcome),
        lambda connection: tasks.fail(connection, stale, failure, terminal=True),
        lambda connection: tasks.fail(connection, stale, failure, terminal=False, retry_s=5.0),
        lambda connection: tasks.renew(connection, stale, 300.0),
        lambda connection: tasks.is_ours(connection, stale),
    ):
        with lab.database.connection() as connection:
            assert not write(connection)
        assert (lab.rows("SELECT * FROM task_executions"), lab.ledger_states()) == before


class SleepyStore:
    """A store whose first write of an object of some name happens only when told: after the lease was confirmed."""

    def __init__(self, real, ending):
        self._real, self._ending = real, ending
        self.asleep, self.wake = threading.Event(), threading.Event()

    def __getattr__(self, name):
        method = getattr(self._real, name)
        if name not in ("put", "put_new", "swap"):
            return method

        def write(key, *args, **kwargs):
            if key.endswith(self._ending) and not self.asleep.is_set():
                self.asleep.set()
                assert self.wake.wait(30)
            return method(key, *args, **kwargs)

        return write


@pytest.mark.parametrize("ending", [".json", "success.json"])
def test_a_worker_that_sleeps_right_before_a_write_overwrites_nothing_of_its_successor(
    lab, ending, monkeypatch
):
    """Between the last look at the lease and the write only the store itself can tell."""
    lab.ask(lab.volume("vol1", b"one"))
    real = lab.store
    lab.store = sleepy = SleepyStore(real, ending)
    monkeypatch.setattr(ChecksumWorker, "run", different_each_time)
    sleeper = threading.Thread(target=lab.work, args=(attrs.evolve(QUICK, lease_s=3600),))
    sleeper.start()
    assert sleepy.asleep.wait(30)
    lab.rows("UPDATE task_executions SET lease_expires_at = now() RETURNING 1")
    lab.rows("UPDATE queue_messages SET visible_at = now() RETURNING 1")
    lab.store = real
    lab.work()
    before = [(info.key, info.etag) for info in real.list()]
    assert lab.rows() == [("done", 2, 0, 2)]
    sleepy.wake.set()
    sleeper.join()
    assert [(info.key, info.etag) for info in real.list()] == before
    assert lab.rows() == [("done", 2, 0, 2)]


def different_each_time(self, ctx):
    ctx.write_artifact(".json", uuid.uuid4().bytes)
    return TaskResult()
