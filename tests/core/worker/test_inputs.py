"""A job that reads another: what is not ready is blocked, never failed; what is finished releases it, once."""

import threading

import attrs
import pytest

from bec_core.artifacts import TaskFolder, remember
from bec_core.db import blocking, inputs, ledger, volumes
from bec_core.errors import DatabaseUnavailable
from bec_core.models import TaskResult, encode_message
from bec_core.queues import create_queues
from bec_core.queues.release import release
from bec_core.storage import open_store
from bec_core.testing.checksum_job import ChecksumWorker, Trouble
from bec_core.worker import End
from support.reading_job import READER, Reader
from support.worker_lab import QUICK, Lab


@pytest.fixture
def store(tmp_path):
    return open_store((tmp_path / "out").as_uri())


@pytest.fixture
def first(database, tmp_path, store):
    """The job that is read."""
    queues = create_queues("checksum", "postgres", database=database)
    (tmp_path / "scans").mkdir()
    return Lab(database, queues.tasks, queues.dead_letters, store, tmp_path / "scans")


@pytest.fixture
def second(first, monkeypatch):
    """The job that reads it."""
    monkeypatch.setattr(Reader, "between", None)
    monkeypatch.setattr(Reader, "suffix", ".json")
    queues = create_queues("reader", "postgres", database=first.database)
    lab = Lab(
        first.database, queues.tasks, queues.dead_letters, first.store, first.scans,
        name="reader", job_type=READER, beside=[first],
    )  # fmt: skip
    first.beside.append(lab)
    bind(lab, first)
    return lab


def bind(reader, read, *, follow=False):
    with reader.database.connection() as connection:
        inputs.bind(connection, reader.job.id, "lines", read.job.id, artifacts=(".json",), follow=follow)


def ask_blocking(lab, *refs):
    """What enqueueing does; the volumes that are blocked."""
    with lab.database.connection() as connection:
        blocking.entering(connection, lab.job.id)
        ids = volumes.upsert_refs(connection, refs)
        ledger.request(connection, lab.job.id, list(zip(ids, refs, strict=True)))
        return blocking.block(connection, lab.job.id, ids)


def task_of(lab, columns):
    return lab.rows(f"SELECT {columns} FROM task_executions WHERE job_id = {lab.job.id}")


def written(lab, ref):
    folder = TaskFolder(lab.store, lab.job.artifact_root, lab.sources.resolve(ref))
    return folder.read(".txt") if folder.marker() else None


def sweep_releases(lab):
    return release(lab.database, lab.open_queue, lab.job, sources=lab.sources, store=lab.store)


# Blocked ------------------------------------------------------------------------------------------------


def test_a_message_that_comes_too_early_becomes_a_blocked_entry(first, second):
    ref = second.volume("vol1", b"one")
    second.ask(ref)
    assert second.work().end is End.NOTHING_LEFT, "nothing is on its way: nobody asked the first job"
    assert second.ledger_states() == {"blocked": 1}
    assert second.messages() == (0, 0)
    assert second.rows() == [], "no attempt"


def test_somebody_elses_message_for_a_volume_that_is_not_ready_is_no_failure(first, second):
    ref = second.volume("vol1", b"one")
    second.tasks.send([encode_message(ref)])
    second.work()
    assert second.ledger_states() == {"blocked": 1}
    first.ask(ref)
    first.work()
    second.work()
    assert second.ledger_states() == {"done": 1}


def test_what_is_blocked_is_released_by_the_transaction_that_finishes_its_input(first, second):
    ref = second.volume("vol1", b"one")
    assert ask_blocking(second, ref)
    first.ask(ref)
    assert first.work().end is End.NOTHING_LEFT
    assert second.ledger_states() == {"waiting": 1}
    assert second.messages() == (1, 0), "its message was sent"
    second.work()
    assert second.ledger_states() == {"done": 1}
    assert written(second, ref).startswith(b"read: {")
    marker = second.markers()[-1]
    listed = next(one for one in first.markers() if one["job_name"] == "checksum")["artifacts"][0]
    assert marker["lineage"] == [
        {"input": "lines", "job": "checksum", "artifact": listed["name"], "sha256": listed["sha256"]}
    ]


def test_a_crash_between_the_release_and_its_message_is_repaired_and_nothing_is_sent_twice(first, second):
    ref = second.volume("vol1", b"one")
    ask_blocking(second, ref)
    first.ask(ref)

    opened = first.open_queue

    def dead(url):
        raise DatabaseUnavailable("the process is gone")

    first.open_queue = dead
    first.work()
    first.open_queue = opened
    assert second.ledger_states() == {"waiting": 1}
    assert second.messages() == (0, 0)
    with second.database.connection() as connection:
        connection.execute("UPDATE ledger SET released_at = now() - interval '1 minute'")
    second.work()
    assert second.ledger_states() == {"done": 1}
    assert task_of(second, "attempt") == [(1,)]


def test_what_is_released_a_moment_ago_is_left_to_whoever_sends_it(first, second):
    ref = second.volume("vol1", b"one")
    ask_blocking(second, ref)
    first.ask(ref)
    opened, first.open_queue = (
        first.open_queue,
        lambda url: (_ for _ in ()).throw(DatabaseUnavailable("gone")),
    )
    first.work()
    first.open_queue = opened
    with second.database.connection() as connection:
        assert ledger.due(connection, second.job.id, settled_after_s=0) == []


def test_an_upstream_failure_blocks_and_its_redoing_releases(first, second):
    ref = second.volume("vol1", bytes(Trouble.TERMINAL))
    ask_blocking(second, ref)
    first.ask(ref)
    first.work()
    with second.database.reading() as connection:
        (on,) = blocking.blocked_on(connection, second.job.id)
    assert (on.input, on.job_name, on.waiting, on.failed, on.not_asked) == ("lines", "checksum", 0, 1, 0)
    assert second.work().end is End.NOTHING_LEFT, "what failed for good is not on its way"
    next(second.scans.glob("vol1/*")).write_bytes(b"good now")
    first.ask(ref)
    first.work()
    second.work()
    assert second.ledger_states() == {"done": 1}


def test_a_worker_whose_volumes_are_on_their_way_says_that_work_is_left(first, second):
    ref = second.volume("vol1", b"one")
    ask_blocking(second, ref)
    first.ask(ref)  # and nobody works on it
    summary = second.work()
    assert summary.end is End.WORK_LEFT
    assert (summary.left.blocked, summary.left.coming) == (1, 1)


def test_an_input_that_is_bound_to_no_job_blocks(first, second):
    ref = second.volume("vol1", b"one")
    with second.database.connection() as connection:
        inputs.bind(connection, second.job.id, "lines", None)
    second.ask(ref)
    second.work()
    assert second.ledger_states() == {"blocked": 1}


def test_a_job_that_was_made_before_its_plugin_had_inputs_is_blocked_not_broken(first, second):
    with second.database.connection() as connection:
        connection.execute("DELETE FROM job_inputs")
    second.ask(second.volume("vol1", b"one"))
    second.work()
    assert second.ledger_states() == {"blocked": 1}


# Who else finishes --------------------------------------------------------------------------------------


def test_what_a_worker_of_the_version_before_finished_is_released_by_whoever_looks(
    first, second, monkeypatch
):
    ref = second.volume("vol1", b"one")
    ask_blocking(second, ref)
    first.ask(ref)
    monkeypatch.setattr(
        blocking, "before_finishing", lambda connection, job_id: False
    )  # old code knows of no readers
    first.work()
    monkeypatch.undo()
    assert second.ledger_states() == {"blocked": 1}
    second.work()  # an idle worker looks
    assert second.ledger_states() == {"done": 1}


def test_a_marker_without_a_row_is_done(first, second):
    ref = second.volume("vol1", b"one")
    first.ask(ref)
    first.work()
    with first.database.connection() as connection:
        connection.execute("DELETE FROM task_executions; DELETE FROM ledger")
    assert ask_blocking(second, ref), "the database alone doesn't know"
    second.work()
    assert second.ledger_states() == {"done": 1}
    rows = first.rows(
        f"SELECT status, artifacts IS NOT NULL FROM task_executions WHERE job_id = {first.job.id}"
    )
    assert rows == [("done", True)], "it is remembered"


def test_markers_are_looked_for_once_an_hour(first, second):
    ref = second.volume("vol1", b"one")
    ask_blocking(second, ref)
    looked = []
    store = second.store

    class Counting:
        def get(self, key):
            looked.append(key)
            return store.get(key)

        def __getattr__(self, name):
            return getattr(store, name)

    for _ in range(3):
        release(second.database, second.open_queue, second.job, sources=second.sources, store=Counting())
    assert len(looked) == 1
    with second.database.connection() as connection:
        connection.execute("UPDATE ledger SET looked_at = now() - interval '2 hours'")
    release(second.database, second.open_queue, second.job, sources=second.sources, store=Counting())
    assert len(looked) == 2


def test_two_that_release_at_once_release_each_volume_once(first, second):
    refs = [second.volume(f"vol{n}", b"one") for n in range(40)]
    first.ask(*refs)
    first.work()
    with second.database.connection() as connection:
        ids = volumes.upsert_refs(connection, refs)
        ledger.request(connection, second.job.id, list(zip(ids, refs, strict=True)))
        connection.execute("UPDATE ledger SET state = 'blocked' WHERE job_id = %s", (second.job.id,))
    found = []
    threads = [threading.Thread(target=lambda: found.extend(sweep_releases(second))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40
    assert second.messages() == (40, 0)


def test_finishing_and_blocking_at_the_same_moment_never_miss_each_other(first, second):
    """Whoever comes second sees what the first did: the gate of the input's job."""
    ref = second.volume("vol1", b"one")
    first.ask(ref)
    first.work()
    with first.database.connection() as connection:  # as if it were just about to be finished
        connection.execute("UPDATE task_executions SET status = 'running', done_at = NULL")
        volume_id = volumes.upsert(connection, first.sources.resolve(ref))
    blocked = []
    with first.database.connection() as finishing:
        blocking.before_finishing(finishing, first.job.id)
        finishing.execute("UPDATE task_executions SET status = 'done', done_at = now()")
        thread = threading.Thread(target=lambda: blocked.append(ask_blocking(second, ref)))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "it waits for whoever is finishing"
        blocking.finished(finishing, first.job.id, volume_id)
    thread.join()
    assert blocked == [set()], "and then sees that it is done"


# Following ----------------------------------------------------------------------------------------------


def test_what_gets_done_is_asked_of_a_job_that_follows(first, second):
    bind(second, first, follow=True)
    refs = [second.volume(f"vol{n}", b"one") for n in range(3)]
    first.ask(*refs)
    first.work()
    assert second.ledger_states() == {"waiting": 3}
    second.work()
    assert second.ledger_states() == {"done": 3}
    with first.database.connection() as connection:
        connection.execute(
            "UPDATE ledger SET request = 1, state = 'waiting' WHERE job_id = %s", (first.job.id,)
        )
    first.tasks.send([encode_message(ref) for ref in refs])
    first.work()
    assert second.ledger_states() == {"done": 3}, (
        "done at this version: out of date perhaps, but not redone by itself"
    )


def test_a_cancelled_follower_is_asked_for_nothing(first, second):
    bind(second, first, follow=True)
    with second.database.connection() as connection:
        connection.execute("UPDATE jobs SET status = 'cancelled' WHERE id = %s", (second.job.id,))
    ref = second.volume("vol1", b"one")
    first.ask(ref)
    first.work()
    assert second.ledger_states() == {}


# Reading ------------------------------------------------------------------------------------------------


def test_a_needed_artifact_that_a_done_input_has_not_fails_for_good_and_says_what_there_is(first, second):
    with second.database.connection() as connection:
        inputs.bind(connection, second.job.id, "lines", first.job.id, artifacts=(".parquet",))
    ref = second.volume("vol1", b"one")
    first.ask(ref)
    first.work()
    second.ask(ref)
    second.work()
    (row,) = second.rows(
        f"SELECT status, error_type, error_message FROM task_executions WHERE job_id = {second.job.id}"
    )
    assert row[:2] == ("terminal_failed", "InputArtifactMissing")
    assert ".json" in row[2]
    assert "--force" in row[2]


def test_what_is_asked_for_and_not_declared_says_what_there_is(first, second, monkeypatch):
    monkeypatch.setattr(Reader, "suffix", ".csv")
    ref = second.volume("vol1", b"one")
    first.ask(ref)
    first.work()
    second.ask(ref)
    second.work()
    (row,) = task_of(second, "error_type")
    assert row == ("InputArtifactMissing",)


def redo(lab, ref):
    """Do a volume again, with another result."""
    with lab.database.connection() as connection:
        connection.execute(
            "UPDATE ledger SET request = request + 1, state = 'waiting' WHERE job_id = %s", (lab.job.id,)
        )
    lab.tasks.send([encode_message(ref)])
    assert lab.work().end is End.NOTHING_LEFT


def another_result(self, ctx):
    ctx.write_artifact(".json", b'{"another": "result"}')
    return TaskResult()


def test_an_input_that_changes_between_reading_and_publishing_is_read_again(first, second, monkeypatch):
    ref = second.volume("vol1", b"one")
    first.ask(ref)
    first.work()
    runs = []

    def between(ctx):
        runs.append(ctx.attempt)
        if len(runs) == 1:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ChecksumWorker, "run", another_result)
                redo(first, ref)

    monkeypatch.setattr(Reader, "between", staticmethod(between))
    second.ask(ref)
    second.work()
    assert runs == [1, 2]
    assert written(second, ref) == b'read: {"another": "result"}'
    (row,) = task_of(second, "status, failures")
    assert row == ("done", 0), "nothing is counted against it"


def test_an_input_that_is_done_anew_with_the_same_result_is_no_change(first, second, monkeypatch):
    ref = second.volume("vol1", b"one")
    first.ask(ref)
    first.work()
    runs = []

    def between(ctx):
        runs.append(ctx.attempt)
        if len(runs) == 1:
            redo(first, ref)

    monkeypatch.setattr(Reader, "between", staticmethod(between))
    second.ask(ref)
    second.work()
    assert runs == [1]


def test_an_artifact_that_is_damaged_is_a_failure_that_says_so(first, second):
    ref = second.volume("vol1", b"one")
    first.ask(ref)
    first.work()
    folder = TaskFolder(first.store, "checksum", first.sources.resolve(ref))
    first.store.put(folder.key(folder.basename + ".json"), b"damaged")
    second.ask(ref)
    second.work(attrs.evolve(QUICK, shutdown_after_empty=8))
    (row,) = task_of(second, "status, error_message")
    assert row[0] == "terminal_failed", "after three attempts"
    assert "is not what its marker lists" in row[1]


def test_checksums_of_the_earlier_systems_artifacts_are_known_once_they_are_read(first, second):
    ref = second.volume("vol1", b"one")
    volume = first.sources.resolve(ref)
    folder = TaskFolder(first.store, "checksum", volume)
    first.store.put(folder.key(folder.basename + ".json"), b"{}")
    first.store.put(folder.key("success.json"), b'{"job_name": "checksum", "total_images": 1}')
    with first.database.connection() as connection:
        remember(
            connection, folder.marker(), job_id=first.job.id, volume_id=volumes.upsert(connection, volume),
            etag=volume.etag, version=volume.version, root="checksum",
        )  # fmt: skip
    second.ask(ref)
    second.work()
    (row,) = task_of(first, "artifacts")
    assert row[0] == {
        folder.basename + ".json": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    }


def test_a_row_that_says_done_without_a_marker_is_a_failure_that_names_the_way_out(first, second):
    """Not a fault of this program: that would end the worker after three such volumes."""
    ref = second.volume("vol1", b"one")
    first.ask(ref)
    first.work()
    folder = TaskFolder(first.store, "checksum", first.sources.resolve(ref))
    first.store.delete(folder.key("success.json"))
    second.ask(ref)
    assert second.work(attrs.evolve(QUICK, shutdown_after_empty=8)).end is End.NOTHING_LEFT
    (row,) = task_of(second, "status, failures, error_stage, error_message")
    assert row[:3] == ("terminal_failed", 3, "inputs")
    assert "bec audit --job-name checksum --repair" in row[3]


@pytest.mark.parametrize(
    ("w_id", "source", "i_version"), [("W1", "bdrc", None), ("ocr_benchmark:W1", "ocr_benchmark", "v7")]
)
def test_a_follower_is_asked_for_what_nobody_asked_the_first_job_for(first, second, w_id, source, i_version):
    """Somebody else's message: the ledger does not tell where the volume comes from, its id and version do."""
    bind(second, first, follow=True)
    with first.database.connection() as connection:
        (volume_id,) = connection.execute(
            "INSERT INTO volumes (bdrc_w_id, bdrc_i_id, last_s3_etag) VALUES (%s, 'I1', %s) RETURNING id",
            (w_id, bytes(16)),
        ).fetchone()
        connection.execute(
            "INSERT INTO task_executions (job_id, volume_id, s3_etag, status, version, done_at)"
            " VALUES (%s, %s, %s, 'done', 'v7', now())",
            (first.job.id, volume_id, bytes(16)),
        )
        (released,) = blocking.finished(connection, first.job.id, volume_id)
    assert (released.ref.w_id, released.ref.source, released.ref.i_version) == ("W1", source, i_version)
