import hashlib
import socket
import threading
import time

import attrs
import pytest

from bec_core.db import jobs, tasks, volumes, workers
from bec_core.models import JobStatus, TaskStatus
from bec_core.queues import create_queues
from bec_core.queues.memory import MemoryQueue
from bec_core.storage import open_store
from bec_core.testing.checksum_job import Trouble
from bec_core.worker import WorkerObserver, identity
from support.worker_lab import QUICK, Lab

MISSING = '{"w_id": "W404", "i_id": "I404"}'


@pytest.fixture
def lab(database, tmp_path):
    queues = create_queues("checksum", "postgres", database=database)
    return make_lab(database, queues, tmp_path)


def make_lab(database, queues, tmp_path, **arguments):
    store = open_store((tmp_path / "out").as_uri())
    (tmp_path / "scans").mkdir()
    return Lab(database, queues.tasks, queues.dead_letters, store, tmp_path / "scans", **arguments)


def test_a_worker_that_drains_an_exact_queue_waits_for_no_message_after_the_last(lab):
    lab.ask(lab.volume("vol1", b"one"))
    began = time.monotonic()
    lab.work(attrs.evolve(QUICK, until_drained=True, shutdown_after_empty=None, poll_wait_s=20.0))
    assert time.monotonic() - began < 10
    assert [row[0] for row in lab.rows()] == ["done"]


def test_a_volume_is_done_once_and_its_marker_lists_what_was_published(lab):
    ref = lab.volume("vol1", b"one", b"two")
    lab.ask(ref)
    assert lab.work().messages == 1
    (marker,) = lab.markers()
    assert marker["volume"] == {"w_id": ref.w_id, "i_id": ref.i_id}
    assert (marker["total_images"], marker["nb_errors"], marker["job_name"]) == (2, 0, "checksum")
    (artifact,) = marker["artifacts"]
    key = f"checksum/{ref.w_id}/{ref.i_id}/{marker['version']}/{artifact['name']}"
    data = lab.store.get(key).data
    assert (len(data), hashlib.sha256(data).hexdigest()) == (artifact["size"], artifact["sha256"])
    assert lab.rows() == [("done", 1, 0, 1)]
    assert lab.ledger_states() == {"done": 1}
    assert lab.messages() == (0, 0)


def test_a_duplicate_delivery_is_found_done_and_deleted(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(
        ref,
    )
    lab.work()
    lab.ask(ref)
    lab.work()
    assert lab.rows() == [("done", 1, 0, 1)]
    assert lab.messages() == (0, 0)
    assert lab.ledger_states() == {"done": 1}


def test_a_changed_volume_is_a_new_task(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lab.work()
    (lab.scans / "vol1" / "0002.jpg").write_bytes(b"two")
    lab.ask(ref)
    lab.work()
    assert lab.rows() == [("done", 1, 0, 1)] * 2
    assert len(lab.markers()) == 2


def test_a_bad_page_is_recorded_and_the_volume_is_done(lab):
    ref = lab.volume("vol1", *[b"fine"] * 19, Trouble.BAD_PAGE)
    lab.ask(ref)
    lab.work()
    (marker,) = lab.markers()
    assert marker["nb_errors"] == 1
    assert marker["errors_by_stage"] == {"decode": 1}
    errors = next(a["name"] for a in marker["artifacts"] if a["name"].endswith("-errors.jsonl"))
    line = lab.store.get(f"checksum/{ref.w_id}/{ref.i_id}/{marker['version']}/{errors}").data.decode()
    assert '"error_type": "BadOnPurpose"' in line
    assert '"img_filename": "0020.jpg"' in line


def test_too_many_bad_pages_fail_the_task_until_its_attempts_are_used_up(lab):
    lab.ask(lab.volume("vol1", b"fine", Trouble.BAD_PAGE))
    lab.work(attrs.evolve(QUICK, shutdown_after_empty=8))
    assert lab.rows() == [("terminal_failed", 3, 3, 3)]
    assert lab.rows("SELECT error_type, nb_errors FROM task_executions") == [("TooManyPageErrors", 1)]
    assert lab.messages() == (0, 1)
    assert lab.ledger_states() == {"failed": 1}
    assert lab.markers() == []


@pytest.mark.parametrize(
    ("trouble", "attempts", "error"),
    [
        (Trouble.TERMINAL, 1, "TerminalTaskError"),
        (Trouble.RETRYABLE, 3, "RetryableTaskError"),
        (Trouble.UNEXPECTED, 3, "KeyError"),
    ],
)
def test_a_failed_task_ends_in_the_dead_letter_queue_with_its_reason(lab, trouble, attempts, error):
    lab.ask(lab.volume("bad", trouble), lab.volume("good", b"fine"))
    lab.work(attrs.evolve(QUICK, shutdown_after_empty=8))
    assert sorted(lab.rows("SELECT status, attempt, error_type FROM task_executions")) == [
        ("done", 1, None),
        ("terminal_failed", attempts, error),
    ]
    (letter,) = lab.dead_letters.receive(limit=1, wait_s=0, visibility_s=1)
    assert letter.attributes["error_type"] == error
    assert letter.attributes["error_stage"] == "run"
    assert lab.ledger_states() == {"done": 1, "failed": 1}


def test_messages_that_name_no_volume_are_set_aside_and_the_worker_lives(lab):
    for body in (
        "garbage",
        "{}",
        '{"w_id": "../../etc", "i_id": "passwd"}',
        '{"w_id": "W1", "i_id": "I1", "source": "x"}',
    ):
        lab.send_raw(body)
    lab.ask(lab.volume("vol1", b"one"))
    lab.work()
    assert lab.messages() == (0, 4)
    assert lab.rows("SELECT status, error_type FROM task_executions ORDER BY status") == [
        ("done", None),
        ("terminal_failed", "InvalidMessage"),
    ]


def test_a_missing_manifest_has_a_row_and_ends_at_once(lab):
    lab.send_raw(MISSING)
    lab.work()
    assert lab.rows("SELECT status, error_stage, error_type FROM task_executions") == [
        ("terminal_failed", "resolve", "ManifestMissing")
    ]
    assert lab.messages() == (0, 1)


def test_a_task_that_another_worker_holds_is_left_and_not_deleted(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(
        ref,
    )
    lab.ask(ref)
    started, go_on = threading.Event(), threading.Event()

    class Slow(WorkerObserver):
        def task_started(self, volume, attempt):
            started.set()
            go_on.wait(10)

    first = threading.Thread(target=lab.work, args=(QUICK, Slow()))
    first.start()
    assert started.wait(10)
    lab.work()
    assert lab.rows() == [("running", 1, 0, 1)]
    assert lab.messages() == (2, 0)
    go_on.set()
    first.join()
    assert lab.rows() == [("done", 1, 0, 1)]


def test_a_job_longer_than_its_lease_keeps_it(lab):
    lab.ask(lab.volume("vol1", b"one"))
    options = attrs.evolve(QUICK, lease_s=0.6)

    class Slow(WorkerObserver):
        def task_started(self, volume, attempt):
            time.sleep(2.0)

    slow = threading.Thread(target=lab.work, args=(options, Slow()))
    slow.start()
    time.sleep(1.2)
    lab.work(options)
    slow.join()
    assert lab.rows() == [("done", 1, 0, 1)]


def test_a_worker_that_lost_its_lease_publishes_nothing(lab):
    lab.ask(lab.volume("vol1", b"one"))

    class Robbed(WorkerObserver):
        def task_started(self, volume, attempt):
            with lab.database.connection() as connection:
                connection.execute("UPDATE task_executions SET epoch = epoch + 1")

    outcomes = []
    Robbed.task_finished = lambda self, volume, outcome, message="": outcomes.append(outcome)
    lab.work(observer=Robbed())
    assert outcomes == ["left"]
    assert lab.markers() == []
    assert lab.store.list() == []
    assert lab.messages() == (1, 0)


def test_a_marker_without_a_row_repairs_the_row(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lab.work()
    with lab.database.connection() as connection:
        connection.execute("DELETE FROM task_executions")
    lab.ask(ref)
    lab.work()
    assert lab.rows("SELECT status, total_images, version FROM task_executions") == [
        ("done", 1, lab.markers()[0]["version"])
    ]


def test_a_row_that_says_done_without_a_marker_is_done_again(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lab.work()
    for info in lab.store.list():
        lab.store.delete(info.key)
    lab.ask(ref)
    lab.work()
    assert lab.rows() == [("done", 2, 0, 2)]
    assert len(lab.markers()) == 1


def test_stopping_hands_the_task_back_and_counts_no_failure(lab):
    lab.ask(lab.volume("vol1", Trouble.WEDGED))
    with lab.worker(attrs.evolve(QUICK, grace_s=0.0)) as worker:
        running = threading.Thread(target=worker.run)
        running.start()
        while not lab.rows():
            time.sleep(0.01)
        worker.stop()
        running.join(10)
        assert not running.is_alive()
    assert lab.rows(
        "SELECT status, failures, lease_expires_at, error_type, handed_back FROM task_executions"
    ) == [("retryable_failed", 0, None, None, True)]
    assert lab.tasks.stats().available == 1


def test_a_task_without_progress_is_given_up_and_counts(lab):
    lab.ask(lab.volume("vol1", Trouble.WEDGED))
    lab.work(attrs.evolve(QUICK, stall_timeout_s=0.3, shutdown_after_empty=8))
    assert lab.rows("SELECT status, failures, error_type FROM task_executions") == [
        ("terminal_failed", 3, "TaskStalled")
    ]
    assert lab.messages() == (0, 1)


def test_a_paused_job_keeps_its_messages_and_a_cancelled_one_sets_them_aside(lab):
    lab.ask(lab.volume("vol1", b"one"))
    with lab.worker(attrs.evolve(QUICK, shutdown_after_empty=1000)) as worker:
        set_status(lab, JobStatus.PAUSED)
        worker._heartbeat.beat()
        running = threading.Thread(target=worker.run)
        running.start()
        time.sleep(0.4)
        assert lab.rows() == []
        assert lab.messages() == (1, 0)
        set_status(lab, JobStatus.CANCELLED)
        while lab.messages() != (0, 1):
            time.sleep(0.05)
        worker.stop()
        running.join()
    assert lab.rows() == []


def set_status(lab, status):
    with lab.database.connection() as connection:
        jobs.set_status(connection, lab.job.id, status)


def test_the_workers_row_says_what_it_does(lab):
    lab.ask(lab.volume("vol1", b"one", b"two"))
    seen = []

    class Watch(WorkerObserver):
        def task_started(self, volume, attempt):
            time.sleep(0.5)
            seen.extend(lab.rows("SELECT activity, stopped_at FROM workers"))

    lab.work(observer=Watch())
    ((activity, stopped),) = seen
    assert activity[0]["pages_total"] == 2
    assert stopped is None
    assert lab.rows("SELECT stopped_at IS NOT NULL FROM workers") == [(True,)]


@pytest.mark.parametrize("dismissed", [False, True])
def test_what_a_dead_worker_of_this_machine_held_is_free_at_once(lab, dismissed):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    with lab.database.connection() as connection:
        machine = identity.own_token().split("/")[0]
        dead = workers.register(
            connection, name="dead", hostname=socket.gethostname(), job_id=lab.job.id,
            process=f"{machine}/4194303/1.00", tags={},
        )  # fmt: skip
        volume = lab.sources.resolve(ref)
        tasks.claim(
            connection, job_id=lab.job.id, volume_id=volumes.upsert(connection, volume), etag=volume.etag,
            version=volume.version, worker_id=dead, lease_s=3600, config_revision=1, plugin_version="1",
        )  # fmt: skip
        if dismissed:
            connection.execute("UPDATE workers SET last_heartbeat_at = now() - interval '1 hour'")
            assert workers.dismiss(connection, [dead], None) == [dead]
    lab.work()
    assert lab.rows() == [("done", 2, 1, 3)]


def test_status_names_are_the_production_databases():
    assert [status.value for status in TaskStatus] == [
        "running",
        "done",
        "retryable_failed",
        "terminal_failed",
    ]


@pytest.mark.parametrize(("kind", "said"), [("postgres", "off"), ("memory", "on")])
def test_a_rows_commit_is_waited_for_unless_its_message_lies_beside_it(
    lab, database, tmp_path, monkeypatch, kind, said
):
    """Beside it the message's deletion is lost with the row, so its next delivery finds the marker."""
    seen, real = [], tasks.finish

    def finish(connection, *arguments, **keywords):
        done = real(connection, *arguments, **keywords)
        seen.extend(connection.execute("SHOW synchronous_commit").fetchone())
        return done

    monkeypatch.setattr(tasks, "finish", finish)
    if kind == "memory":
        lab = Lab(database, MemoryQueue("m"), MemoryQueue("d"), lab.store, lab.scans, name="other")
    lab.ask(lab.volume("vol1", b"one"))
    lab.work()
    assert lab.ledger_states() == {"done": 1}
    assert seen == [said]
