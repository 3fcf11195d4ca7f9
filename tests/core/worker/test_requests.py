"""Requests are numbered: what is asked for again is done again, and the old result stays until the new one is there."""

import threading
import time
import uuid

import attrs
import pytest

from bec_core.artifacts import TaskFolder, intact
from bec_core.db import jobs, tasks, volumes
from bec_core.models import TaskResult, encode_message
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.testing.checksum_job import ChecksumWorker, Trouble
from bec_core.worker import End, WorkerObserver, process
from bec_core.worker.ending import Done
from bec_core.worker.settle import settle
from support.worker_lab import QUICK, Lab

PATIENT = attrs.evolve(QUICK, shutdown_after_empty=60)


@pytest.fixture
def lab(database, tmp_path):
    queues = create_queues("checksum", "postgres", database=database)
    (tmp_path / "scans").mkdir()
    store = open_store((tmp_path / "out").as_uri())
    return Lab(database, queues.tasks, queues.dead_letters, store, tmp_path / "scans")


def force(lab, *refs):
    """What ``enqueue --force`` does: the number first, then the message."""
    with lab.database.connection() as connection:
        for volume_id in volumes.upsert_refs(connection, refs):
            connection.execute(
                "UPDATE ledger SET request = request + 1, state = 'waiting', config_revision ="
                " (SELECT config_revision FROM jobs WHERE id = job_id) WHERE volume_id = %s",
                (volume_id,),
            )
    assert lab.tasks.send([encode_message(ref) for ref in refs]) == []


def marker_of(lab, ref):
    return TaskFolder(lab.store, "checksum", lab.sources.resolve(ref)).marker()


def nonce(self, ctx):
    """A job that shows any mix of two runs: the same fresh nonce in two artifacts."""
    value = uuid.uuid4().bytes
    ctx.write_artifact("-a.bin", value)
    ctx.write_artifact("-b.bin", value)
    return TaskResult()


def nonces(lab):
    return {info.key[-6:]: lab.store.get(info.key).data for info in lab.store.list() if ".bin" in info.key}


def test_what_is_forced_is_done_again_and_the_old_result_stands_until_then(lab, monkeypatch):
    monkeypatch.setattr(ChecksumWorker, "run", nonce)
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lab.work()
    old, before = marker_of(lab, ref), nonces(lab)
    force(lab, ref)
    seen = []

    class Watch(WorkerObserver):
        def task_started(self, volume, attempt):
            folder = TaskFolder(lab.store, "checksum", volume)
            seen.append((folder.marker().content == old.content, intact(folder, folder.marker())))

    assert lab.work(observer=Watch()).end is End.NOTHING_LEFT
    assert seen == [(True, True)], "readable and done while the new one is made"
    new, after = marker_of(lab, ref), nonces(lab)
    assert (old.request, new.request) == (0, 1)
    assert set(before.values()).isdisjoint(after.values())
    assert len(set(after.values())) == 1, "no mixture of two runs"
    assert lab.rows("SELECT status, attempt, request FROM task_executions") == [("done", 2, 1)]
    assert lab.ledger_states() == {"done": 1}


def test_plain_asking_and_markers_without_a_number_never_ask_for_more(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lab.work()
    folder = TaskFolder(lab.store, "checksum", lab.sources.resolve(ref))
    old = {key: value for key, value in folder.marker().content.items() if key not in ("request", "recipe")}
    import json

    lab.store.put(folder.key("success.json"), json.dumps(old).encode())
    lab.ask(ref)
    lab.work()
    assert lab.rows("SELECT status, attempt FROM task_executions") == [("done", 1)]


def test_what_is_forced_while_it_runs_is_done_again_with_the_config_of_the_request(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    started, go_on = threading.Event(), threading.Event()

    class Slow(WorkerObserver):
        def task_started(self, volume, attempt):
            started.set()
            go_on.wait(20)

    ended = []
    first = threading.Thread(target=lambda: ended.append(lab.work(PATIENT, Slow())))
    first.start()
    assert started.wait(20)
    with lab.database.connection() as connection:
        changed = jobs.update_config(connection, lab.job.id, {"page_ms": 1.0})
    force(lab, ref)
    go_on.set()
    first.join()
    assert ended[0].end is End.RELOAD, "this worker has the old config"
    assert lab.ledger_states() == {"waiting": 1}
    assert marker_of(lab, ref).request == 0
    lab.job = changed
    assert lab.work(PATIENT).end is End.NOTHING_LEFT
    marker = marker_of(lab, ref)
    assert (marker.request, marker.content["config"]) == (1, {"page_ms": 1.0})
    assert lab.ledger_states() == {"done": 1}


def test_what_is_forced_while_the_end_of_it_is_written_waits_no_whole_lease(lab, monkeypatch):
    """The task is held no more, and its row still says running, by this worker."""
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    ending, left = threading.Event(), threading.Event()

    def slow_settle(place, message, attempted):
        if isinstance(attempted, Done) and not ending.is_set():
            ending.set()
            assert left.wait(20)
        return settle(place, message, attempted)

    class Watch(WorkerObserver):
        def task_finished(self, volume, name, reason=None):
            if name == "left":
                left.set()

    monkeypatch.setattr(process, "settle", slow_settle)
    ended = []
    options = attrs.evolve(PATIENT, lease_s=60.0)
    first = threading.Thread(target=lambda: ended.append(lab.work(options, Watch())))
    began = time.monotonic()
    first.start()
    assert ending.wait(20)
    force(lab, ref)
    first.join()
    assert ended[0].end is End.NOTHING_LEFT
    assert time.monotonic() - began < 30
    assert marker_of(lab, ref).request == 1


def test_a_failure_of_an_earlier_request_does_not_fail_the_later_one(lab):
    ref = lab.volume("vol1", Trouble.TERMINAL)
    lab.ask(ref)
    started, go_on = threading.Event(), threading.Event()

    class Slow(WorkerObserver):
        def task_started(self, volume, attempt):
            if attempt == 1:
                started.set()
                go_on.wait(20)

    first = threading.Thread(target=lambda: lab.work(QUICK, Slow()))
    first.start()
    assert started.wait(20)
    with lab.database.connection() as connection:
        connection.execute("UPDATE ledger SET request = request + 1")
    go_on.set()
    first.join()
    # it went on waiting, without a message: the idle worker sent one, and the later request had its own turn
    assert lab.rows("SELECT status, attempt, request FROM task_executions") == [("terminal_failed", 2, 1)]
    assert lab.ledger_states() == {"failed": 1}


def test_a_late_marker_that_is_intact_is_believed_and_its_dead_letter_removed(lab):
    """A worker slept past its lease; its successor gave the task up; then the marker came through."""
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lab.work()
    lab.rows(
        "UPDATE task_executions SET status = 'terminal_failed', failures = 3, error_type = 'KeyError',"
        " error_message = 'x', error_stage = 'run', error_fingerprint = 'f' RETURNING 1"
    )
    lab.rows("UPDATE ledger SET state = 'failed' RETURNING 1")
    lab.dead_letters.send([encode_message(ref)])
    lab.tasks.send([encode_message(ref)])
    lab.work()
    assert lab.rows("SELECT status, attempt FROM task_executions") == [("done", 1)]
    assert lab.messages() == (0, 0)
    assert lab.ledger_states() == {"done": 1}


def test_a_late_marker_of_an_earlier_request_is_not_believed(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lab.work()
    lab.rows("UPDATE task_executions SET status = 'retryable_failed' RETURNING 1")
    force(lab, ref)
    lab.work()
    assert lab.rows("SELECT status, attempt, request FROM task_executions") == [("done", 2, 1)]


def test_a_run_over_a_folder_does_again_what_another_recipe_did(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lab.work()
    own = attrs.evolve(QUICK, redo_other_recipes=True)
    lab.ask(ref)
    lab.work(own)
    assert lab.rows("SELECT attempt FROM task_executions") == [(1,)], "the same recipe"
    folder = TaskFolder(lab.store, "checksum", lab.sources.resolve(ref))
    import json

    other = {**folder.marker().content, "recipe": "0123456789abcdef"}
    lab.store.put(folder.key("success.json"), json.dumps(other).encode())
    lab.ask(ref)
    lab.work()
    assert lab.rows("SELECT attempt FROM task_executions") == [(1,)], (
        "a worker of a queue redoes nothing unasked"
    )
    lab.ask(ref)
    lab.work(own)
    assert lab.rows("SELECT attempt FROM task_executions") == [(2,)]


def test_the_row_says_by_what_and_where_it_was_done(lab):
    lab.ask(lab.volume("vol1", b"one"))
    lab.work()
    ((recipe, root),) = lab.rows("SELECT recipe, artifact_root FROM task_executions")
    assert root == "checksum"
    assert lab.rows("SELECT recipe FROM job_recipes") == [(recipe,)]
    assert lab.rows("SELECT DISTINCT recipe FROM workers") == [(recipe,)]


def test_another_jobs_results_under_a_shared_prefix_count_as_theirs(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    lab.work()
    mine = lab.job
    with lab.database.connection() as connection:
        lab.job = jobs.create(
            connection, name="second", job_type="checksum", config={"artifact_prefix": "checksum"},
            queue_url=lab.tasks.url, dlq_url=lab.dead_letters.url, shares_prefix=True,
        )  # fmt: skip
    before = [(info.key, info.etag) for info in lab.store.list()]
    lab.ask(ref)
    assert lab.work().end is End.NOTHING_LEFT
    assert [(info.key, info.etag) for info in lab.store.list()] == before
    assert lab.rows("SELECT state, reason FROM ledger WHERE job_id = " + str(lab.job.id)) == [
        ("done", f"done by job {mine.name}")
    ]
    assert lab.rows("SELECT count(*) FROM task_executions WHERE job_id = " + str(lab.job.id)) == [(0,)]
    force(lab, ref)
    lab.work()
    assert marker_of(lab, ref).job_name == "second"


def test_a_lease_that_ended_unanswered_hands_the_request_on(lab):
    ref = lab.volume("vol1", b"one")
    lab.ask(ref)
    volume = lab.sources.resolve(ref)
    force(lab, ref)
    with lab.database.connection() as connection:
        claimed = tasks.claim(
            connection, job_id=lab.job.id, volume_id=volumes.upsert(connection, volume), etag=volume.etag,
            version=volume.version, worker_id=None, lease_s=0.0, config_revision=1, plugin_version="1",
        )  # fmt: skip
    assert claimed.request == 1
    time.sleep(0.01)
    lab.work()
    assert marker_of(lab, ref).request == 1
