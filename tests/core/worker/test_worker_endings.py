"""What a worker does with tasks whose life takes a bad turn: nothing lost, nothing done twice."""

import json
import threading
import time

import attrs
import psutil
import pytest
from loguru import logger

from bec_core.admin.session import Session
from bec_core.db import Database, tasks, volumes
from bec_core.errors import (
    DatabaseUnavailable,
    InvalidMessage,
    PageError,
    QueueUnavailable,
    ShutdownRequested,
    StorageError,
)
from bec_core.models import Message, VolumeRef, decode_message
from bec_core.queues import create_queues, open_queue
from bec_core.settings import load_settings
from bec_core.storage import open_store
from bec_core.testing.checksum_job import ChecksumWorker, Trouble
from bec_core.worker import WorkerObserver, identity
from bec_core.worker.dead_letters import letter
from bec_core.worker.hold import HeldTask, Keeper
from support.cli import write_archive_volume
from support.worker_lab import QUICK, Lab

PATIENT = attrs.evolve(QUICK, shutdown_after_empty=8)
STATUS = "SELECT status, attempt, failures, error_type FROM task_executions ORDER BY id"


@pytest.fixture
def lab(database, tmp_path):
    queues = create_queues("checksum", "postgres", database=database)
    (tmp_path / "scans").mkdir()
    return Lab(
        database,
        queues.tasks,
        queues.dead_letters,
        open_store((tmp_path / "out").as_uri()),
        tmp_path / "scans",
        archive=(tmp_path / "archive").as_uri(),
    )


class Failing:
    """Stands in for an object; the calls of one method fail as often as told."""

    def __init__(self, real, method, error, times):
        self._real, self._method, self._error, self.left = real, method, error, times

    def __getattr__(self, name):
        real = getattr(self._real, name)
        if name != self._method:
            return real

        def call(*args, **kwargs):
            probed = args and isinstance(args[0], str) and args[0].startswith(".bec/probe/")
            if self.left > 0 and not probed:
                self.left -= 1
                raise self._error
            return real(*args, **kwargs)

        return call


def test_a_volume_without_pages_fails_for_good_at_its_version(lab, tmp_path):
    write_archive_volume(tmp_path / "archive", "W1", "I1", [])
    lab.ask(VolumeRef("W1", "I1"))
    lab.work()
    assert lab.rows("SELECT status, error_stage, error_type, version IS NULL FROM task_executions") == [
        ("terminal_failed", "resolve", "VolumeEmpty", False)
    ]
    assert lab.messages() == (0, 1)
    assert lab.markers() == []


UNREAD = PageError("the store failed", stage="fetch", error_type="StorageError", retryable=True)


def test_pages_that_the_store_failed_to_give_are_tried_again_with_the_task(lab):
    lab.ask(lab.volume("vol1", *[b"fine"] * 40))
    lab.sources = Failing(lab.sources, "read_page", UNREAD, times=1)
    lab.work(PATIENT)
    assert lab.rows(STATUS) == [("done", 2, 1, None)]
    assert lab.markers()[0]["nb_errors"] == 0


def test_the_last_attempt_takes_such_pages_as_failed(lab):
    lab.ask(lab.volume("vol1", *[b"fine"] * 40))
    lab.sources = Failing(lab.sources, "read_page", UNREAD, times=1)

    class Again(WorkerObserver):
        def task_started(self, volume, attempt):
            lab.sources.left = 1

    lab.work(PATIENT, Again())
    assert lab.rows(STATUS) == [("done", 3, 2, None)]
    assert lab.markers()[0]["errors_by_stage"] == {"fetch": 1}


def test_a_store_in_trouble_is_no_failure_of_the_task(lab):
    lab.ask(lab.volume("vol1", b"one"))
    lab.store = Failing(lab.store, "swap", StorageError("503 SlowDown"), times=1)
    lab.work(PATIENT)
    assert lab.rows(STATUS) == [("done", 2, 0, None)]
    assert lab.messages() == (0, 0)


def test_a_failure_that_was_recorded_but_not_set_aside_is_set_aside_and_not_run_again(lab):
    lab.ask(lab.volume("vol1", Trouble.TERMINAL))
    lab.dead_letters = Failing(lab.dead_letters, "send", QueueUnavailable("down"), times=1)
    lab.work(PATIENT)
    assert lab.rows(STATUS) == [("terminal_failed", 1, 1, "TerminalTaskError")]
    (dead,) = lab.dead_letters.receive(limit=10, wait_s=0, visibility_s=1)
    assert dead.attributes["error_type"] == "TerminalTaskError"
    assert dead.attributes["error_message"] == "this volume fails for good on purpose"


def test_a_duplicate_of_a_failed_task_is_not_run_but_a_new_request_is(lab):
    ref = lab.volume("vol1", Trouble.TERMINAL)
    lab.ask(ref)
    lab.ask(ref)
    lab.work()
    assert lab.rows(STATUS) == [("terminal_failed", 1, 1, "TerminalTaskError")]
    assert lab.messages() == (0, 2)
    lab.ask(ref)
    lab.work()
    assert lab.rows(STATUS) == [("terminal_failed", 2, 1, "TerminalTaskError")]


def claim_elsewhere(lab, ref):
    volume = lab.sources.resolve(ref)
    with lab.database.connection() as connection:
        return tasks.claim(
            connection, job_id=lab.job.id, volume_id=volumes.upsert(connection, volume), etag=volume.etag,
            version=volume.version, worker_id=None, lease_s=3600, config_revision=1, plugin_version="1",
        )  # fmt: skip


def test_a_marker_that_lists_other_artifacts_than_lie_there_is_not_believed(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lab.work()
    (key,) = (info.key for info in lab.store.list() if not info.key.endswith("success.json"))
    right = lab.store.get(key).data
    lab.store.put(key, b"what a successor wrote before it was killed")
    lab.rows("UPDATE task_executions SET status = 'running', lease_expires_at = now() RETURNING 1")
    lab.ask(ref)
    lab.work()
    assert lab.store.get(key).data == right
    assert lab.rows(STATUS) == [("done", 2, 0, None)]
    assert lab.markers()[0]["attempt"] == 2


def test_an_earlier_attempts_list_of_failed_pages_does_not_survive(lab):
    ref = lab.volume("vol1", *[b"fine"] * 39, Trouble.BAD_PAGE)
    lab.ask(ref)
    lab.work()
    lab.store.delete(next(info.key for info in lab.store.list() if info.key.endswith("success.json")))
    (lab.scans / "vol1" / "0040.jpg").write_bytes(b"now well".ljust(len(Trouble.BAD_PAGE)))
    keep_version(lab, ref)
    lab.ask(ref)
    lab.work()
    (marker,) = lab.markers()
    (errors,) = (a for a in marker["artifacts"] if a["name"].endswith("-errors.jsonl"))
    assert (marker["nb_errors"], errors["size"]) == (0, 0)


def keep_version(lab, ref):
    """Let the changed folder have the version that it had (a folder's version names sizes and times)."""
    before = lab.rows("SELECT s3_etag, version FROM task_executions")[0]
    real = lab.sources

    class Same:
        read_page = staticmethod(real.read_page)

        def resolve(self, ref):
            return attrs.evolve(real.resolve(ref), etag=bytes(before[0]), version=before[1])

    lab.sources = Same()


def test_an_error_that_quotes_garbage_can_be_recorded_everywhere(lab, monkeypatch):
    def run(self, ctx):
        ctx.page_failed(ctx.volume.pages[0], ValueError("bytes \x00 \ud800"))
        raise ValueError("bytes \x00\x1b \ud800")

    lab.ask(lab.volume("vol1", b"one"))
    monkeypatch.setattr(ChecksumWorker, "run", run)
    lab.work(PATIENT)
    assert lab.rows("SELECT status, error_message FROM task_executions") == [
        ("terminal_failed", "bytes \ufffd\ufffd \ufffd")
    ]
    assert lab.messages() == (0, 1)


def test_a_page_whose_error_quotes_garbage_does_not_fail_its_volume(lab, monkeypatch):
    lab.ask(lab.volume("vol1", *[b"fine"] * 39, Trouble.BAD_PAGE))
    garbage = PageError("bytes \ud800", stage="decode")
    monkeypatch.setattr(ChecksumWorker, "_make_trouble", lambda self, ctx, data: _raise_if_bad(data, garbage))
    lab.work()
    assert lab.rows(STATUS) == [("done", 1, 0, None)]


def _raise_if_bad(data, error):
    if data == Trouble.BAD_PAGE:
        raise error


def test_a_dead_letter_keeps_within_what_sqs_takes():
    failure = tasks.Failure("run", "KeyError", "x" * 900, "f")
    many = {f"name{n}": "v" for n in range(10)} | {"w_id": "W1", "i_id": "I1"}
    sent = letter(Message("1", "b" * 260_000, many, "r"), failure)
    assert len(sent.attributes) == 10
    assert decode_message(sent) == VolumeRef("W1", "I1")
    assert len(sent.body) + sum(map(len, sent.attributes.values())) < 256 * 1024
    named = letter(
        Message("1", '{"w_id": "W1", "i_id": "I1", "x": "' + "é" * 250_000 + '"}', {}, "r"), failure
    )
    assert decode_message(named) == VolumeRef("W1", "I1")
    assert len(named.body) < 100


def test_a_task_claimed_while_the_worker_is_told_to_stop_stops_too(lab):
    keeper = keeper_of(lab)
    keeper.stop_all(ShutdownRequested("now"))
    message = Message("1", "", {}, "")
    held = HeldTask(claim=tasks.Claim(1, 1, 1, 0), message=message, volume=None, lease_ends=0)
    with keeper.hold(held):
        assert isinstance(held.stop.reason, ShutdownRequested)


def keeper_of(lab):
    return Keeper(lab.database, lab.tasks, lease_s=1, stall_timeout_s=60, stuck_after_s=60)


def test_the_lease_keeper_survives_what_nobody_thought_of(lab):
    lab.ask(lab.volume("vol1", b"one"))
    lab.tasks = Failing(lab.tasks, "extend", KeyError("a bug"), times=1)

    class Slow(WorkerObserver):
        def task_started(self, volume, attempt):
            time.sleep(1.5)

    lab.work(attrs.evolve(QUICK, lease_s=0.6), Slow())
    assert lab.tasks.left == 0
    assert lab.rows(STATUS) == [("done", 1, 0, None)]


def test_a_jump_of_the_clock_makes_no_living_process_look_dead(monkeypatch):
    token = identity.own_token()
    real = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: real(self) + 3600)
    assert not identity.is_dead(token)


def test_a_standby_that_takes_no_writes_counts_as_a_database_in_trouble(database):
    def write():
        with database.connection() as connection:
            connection.execute("SET TRANSACTION READ ONLY")
            connection.execute("UPDATE jobs SET name = name")

    with pytest.raises(DatabaseUnavailable, match="read-only"):
        write()


@pytest.mark.parametrize("source", ["x" * 3000, "\ud800", "a\x00b", "../x", "file:\ud800", 7, ["x"]])
def test_sources_that_no_key_and_no_index_can_hold_are_invalid_messages(source):
    message = Message("1", json.dumps({"w_id": "W1", "i_id": "I1", "source": source}), {}, "r")
    with pytest.raises(InvalidMessage):
        decode_message(message)


def test_many_idle_slots_do_not_starve_the_lease_keeper(lab, postgres):
    """Each slot that waits at a queue in PostgreSQL holds a connection."""
    small = Database(lab.database._conninfo, max_size=2, timeout_s=1.0)
    small.open()
    lab.database = small
    lab.tasks = open_queue(lab.tasks.url, database=small)
    lines = []
    handler = logger.add(lines.append, level="WARNING")
    try:
        lab.work(attrs.evolve(QUICK, concurrency=10, poll_wait_s=2.0, shutdown_after_empty=1))
    finally:
        logger.remove(handler)
        small.close()
    assert lines == []


def test_handing_back_ends_in_threads_that_end(lab):
    """After a stop nothing of the worker goes on in the background."""
    lab.ask(lab.volume("vol1", b"one"))
    before = set(threading.enumerate())
    lab.work()
    left = {t.name for t in set(threading.enumerate()) - before if t.name.startswith("bec-")}
    assert left == set()


def test_enqueueing_a_failed_volume_frees_it_whatever_the_clocks_say(bec, tmp_path):
    """SQS stamps its messages by its own clock: a request must not look older than the failure."""
    write_archive_volume(tmp_path / "archive", "W1", "I1", [Trouble.TERMINAL])
    bec.ok("jobs", "create", "--name", "checksum")
    work = ("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I1")
    bec.ok(*work)
    with load_session() as session, session.database.connection() as connection:
        connection.execute("UPDATE task_executions SET done_at = now() + interval '1 minute'")
    next((tmp_path / "archive").rglob("*.jpg")).write_bytes(b"well")
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I1")
    bec.ok(*work)
    with load_session() as session, session.database.connection() as connection:
        assert connection.execute("SELECT status, attempt FROM task_executions").fetchall() == [("done", 2)]


def load_session():
    return Session(load_settings())
