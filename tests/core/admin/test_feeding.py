"""A job's feeder on both queues: what it sends when, in every state of the job, and what it survives."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

import pytest

from bec_core.admin.asking import ask, sweep
from bec_core.admin.audit import audit
from bec_core.admin.feeding import (
    Feeder,
    FeederEnd,
    FeederOptions,
    feeder_of,
    give_feeder,
    take_feeder_away,
)
from bec_core.admin.job_ending import delete_job, set_status
from bec_core.admin.job_making import create_job
from bec_core.admin.jobs import find_job
from bec_core.admin.queues import queue_stats
from bec_core.admin.redriving import Choice, choose, redrive
from bec_core.admin.session import Session
from bec_core.admin.wanted import Want
from bec_core.db import feeding, tasks, volumes, workers
from bec_core.db.blocking import Released
from bec_core.errors import ConflictError
from bec_core.models import Job, JobStatus, Message, VolumeRef, decode_message
from bec_core.queues import sqs as sqs_module
from bec_core.queues.release import send_released
from bec_core.queues.sending import hand_over

OPTIONS = FeederOptions(every_s=0.05, publish_every_s=0.0, empty_twice_s=0.1)


@pytest.fixture
def job(session: Session) -> Job:
    made = create_job(session, name=f"j{uuid.uuid4().hex[:8]}", job_type="checksum").job
    give_feeder(session, made, 3)
    return made


def refs_of(count: int, w_id: str = "W1") -> list[VolumeRef]:
    return [VolumeRef(w_id, f"I{n:04}") for n in range(count)]


def sql(session: Session, text: str, *values: Any) -> list[Any]:
    with session.database.connection() as connection:
        cursor = connection.execute(text.encode(), values)
        return cursor.fetchall() if cursor.description else []


def worker(session: Session, job: Job) -> int:
    with session.database.connection() as connection:
        return workers.register(connection, name="w", hostname="h", job_id=job.id, process="p", tags={})


def look(session: Session, job: Job) -> None:
    assert Feeder(session, job, OPTIONS).once() is None


def sent(session: Session) -> int:
    return int(sql(session, "SELECT count(*) FROM ledger WHERE sent_at IS NOT NULL")[0][0])


def take(session: Session, job: Job, number: int = 10) -> list[Message]:
    return session.queue(job.queue_url).receive(limit=number, wait_s=0, visibility_s=60)


def claim(session: Session, job: Job, messages: list[Message]) -> None:
    """A worker has these at hand."""
    found = sql(session, "SELECT min(worker_id) FROM workers")[0][0] or worker(session, job)
    with session.database.connection() as connection:
        for message in messages:
            tasks.claim(
                connection, job_id=job.id, volume_id=volumes.upsert_ref(connection, decode_message(message)),
                etag=bytes(range(16)), version="v", worker_id=found, lease_s=60, config_revision=1, plugin_version="1",
            )  # fmt: skip


def test_asking_sends_nothing_and_the_feeder_sends_for_the_first_worker_to_come(
    session: Session, job: Job
) -> None:
    asked = ask(session, job, refs_of(20))
    assert (len(asked.for_feeder), asked.sent) == (20, ())
    assert queue_stats(session, job)[0].available == 0
    look(session, job)
    look(session, job)
    assert queue_stats(session, job)[0].available == sent(session) == 3
    again = ask(session, job, refs_of(20))
    assert {reason for _, reason in again.skipped} == {"waiting already"}
    row = feeder_of(session, job)
    assert row is not None
    assert row.per_worker == 3
    assert row.heartbeat_s is not None


def test_it_keeps_so_many_for_each_live_worker_as_they_take_them(session: Session, job: Job) -> None:
    ask(session, job, refs_of(20))
    worker(session, job)
    worker(session, job)
    look(session, job)
    assert sent(session) == 6
    claim(session, job, taken := take(session, job, 4))
    assert len(taken) == 4
    look(session, job)
    assert sent(session) == 10


def test_the_most_urgent_go_first_and_what_waits_can_get_another_priority(session: Session, job: Job) -> None:
    ask(session, job, refs_of(5))
    ask(session, job, refs_of(5, "W2"), priority=7)
    changed = ask(session, job, [VolumeRef("W1", "I0004"), VolumeRef("W3", "I0000")], priority=9)
    assert (changed.reprioritised, len(changed.for_feeder)) == (1, 1)
    look(session, job)
    names = {str(decode_message(message)) for message in take(session, job)}
    assert names == {"W1/I0004", "W3/I0000", "W2/I0000"}


@pytest.mark.parametrize("status", [JobStatus.PAUSED, JobStatus.COMPLETED, JobStatus.CANCELLED])
def test_it_rests_while_the_job_does(session: Session, job: Job, status: JobStatus) -> None:
    ask(session, job, refs_of(5))
    set_status(session, job, status)
    said: list[str] = []
    feeder = Feeder(session, job, OPTIONS, say=said.append)
    assert feeder.once() is None
    assert feeder.once() is None
    assert sent(session) == 0
    assert said == [f"the job is {status.value}: sending nothing (bec jobs resume {job.name})"]
    set_status(session, find_job(session, job.id), JobStatus.ACTIVE)
    assert feeder.once() is None
    assert sent(session) == 3


def test_a_queue_that_lost_its_messages_is_filled_again(session: Session, job: Job) -> None:
    ask(session, job, refs_of(3))
    look(session, job)
    session.queue(job.queue_url).purge()
    sql(session, "UPDATE ledger SET sent_at = sent_at - interval '10 minutes'")
    feeder = Feeder(session, job, OPTIONS)
    for _ in range(3):  # a queue whose figures lag must be seen empty twice
        feeder.once()
        time.sleep(0.12)
    assert queue_stats(session, job)[0].available == 3


def test_what_the_queue_has_forgotten_is_sent_again_though_it_is_not_empty(
    session: Session, job: Job
) -> None:
    if session.settings.queue_kind != "sqs":
        pytest.skip("a queue in PostgreSQL keeps its messages for ever")
    ask(session, job, refs_of(4))
    look(session, job)
    session.queue(job.queue_url).purge()
    sql(session, "UPDATE ledger SET sent_at = sent_at - interval '5 days' WHERE sent_at IS NOT NULL")
    look(session, job)
    assert queue_stats(session, job)[0].available == 3
    assert sql(session, "SELECT count(*) FROM ledger WHERE sent_at > now() - interval '1 day'") == [(3,)]


def test_killed_before_it_wrote_that_it_sent_it_sends_once_more_and_nothing_is_lost(
    session: Session, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(session, job, refs_of(4))
    with monkeypatch.context() as killed:
        killed.setattr(
            "bec_core.queues.sending.ledger.mark_sent", lambda *_: (_ for _ in ()).throw(SystemExit)
        )
        with pytest.raises(SystemExit):
            look(session, job)
    assert sent(session) == 0
    for _ in range(2):
        look(session, job)
        claim(session, job, take(session, job))
    assert sql(session, "SELECT count(DISTINCT volume_id) FROM task_executions") == [(4,)]


def test_marked_as_sent_but_never_sent_it_comes_back(session: Session, job: Job) -> None:
    ask(session, job, refs_of(2))
    sql(session, "UPDATE ledger SET sent_at = now() - interval '10 minutes'")
    feeder = Feeder(session, job, OPTIONS)
    for _ in range(3):
        feeder.once()
        time.sleep(0.12)
    assert len(take(session, job)) == 2


def test_an_idle_worker_of_a_job_whose_feeder_is_away_sends_as_much_as_that_would(
    session: Session, job: Job
) -> None:
    ask(session, job, refs_of(20))
    assert sweep(session, job) == 3
    assert sent(session) == 3


def test_redriving_forcing_and_auditing_leave_the_sending_to_it(session: Session, job: Job) -> None:
    ask(session, job, refs_of(4))
    sql(session, "UPDATE ledger SET requested_at = requested_at - interval '1 hour'")
    assert [one.kind for one in audit(session, job).findings] == []
    sql(
        session,
        "INSERT INTO task_executions (job_id, volume_id, s3_etag, version, status, started_at)"
        " SELECT job_id, volume_id, decode(repeat('ab', 16), 'hex'), 'v', 'terminal_failed', now() FROM ledger",
    )
    sql(session, "UPDATE ledger SET state = 'failed'")
    done = redrive(session, job, choose(session, job, Choice()))
    assert (len(done.for_feeder), done.sent) == (4, ())
    assert len(ask(session, job, refs_of(4), want=Want.FORCE).for_feeder) == 4
    assert queue_stats(session, job)[0].available == 0


def test_what_an_input_releases_waits_for_the_feeder_too(session: Session, job: Job) -> None:
    (ref,) = refs_of(1)
    ask(session, job, [ref])
    ((volume_id,),) = sql(session, "SELECT volume_id FROM ledger")
    released = [Released(job.id, volume_id, ref, job.queue_url)]
    assert send_released(session.database, session.queue, released) == 0
    assert queue_stats(session, job)[0].available == 0
    assert take_feeder_away(session, job) == 1
    sql(session, "UPDATE ledger SET sent_at = NULL")
    assert send_released(session.database, session.queue, released) == 1


def test_a_second_feeder_stands_by_and_takes_over(session: Session, job: Job) -> None:
    ask(session, job, refs_of(5))
    said: list[str] = []
    stops = [threading.Event(), threading.Event()]
    ends: list[FeederEnd] = []

    def start(stop: threading.Event) -> threading.Thread:
        feeder = Feeder(session, job, OPTIONS, say=said.append)
        thread = threading.Thread(target=lambda: ends.append(feeder.run(stop)))
        thread.start()
        return thread

    threads = []
    try:
        threads.append(start(stops[0]))
        _until(lambda: sent(session) == 3)
        with pytest.raises(ConflictError, match="another process feeds job"):
            Feeder(session, job, OPTIONS).once()
        threads.append(start(stops[1]))
        _until(lambda: bool(said))
        stops[0].set()
        threads[0].join()
        claim(session, job, take(session, job))
        _until(lambda: sent(session) == 5)
        assert len(said) == 1
        assert "standing by" in said[0]
        assert take_feeder_away(session, job) == 0
        threads[1].join(10)
        assert ends == [FeederEnd.STOPPED, FeederEnd.TAKEN_AWAY]
    finally:
        for stop in stops:
            stop.set()
        for thread in threads:
            thread.join()


def test_it_survives_a_database_that_ends_its_connections(session: Session, job: Job) -> None:
    ask(session, job, refs_of(5))
    stop, ends = threading.Event(), list[FeederEnd]()
    thread = threading.Thread(target=lambda: ends.append(Feeder(session, job, OPTIONS).run(stop)))
    thread.start()
    try:
        _until(lambda: sent(session) == 3)
        sql(
            session,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        claim(session, job, take(session, job))
        _until(lambda: sent(session) == 5, within_s=30)
    finally:
        stop.set()
        thread.join()
    assert ends == [FeederEnd.STOPPED]


def test_without_its_feeder_a_job_gets_what_was_held_back_at_once(session: Session, job: Job) -> None:
    ask(session, job, refs_of(6))
    look(session, job)
    assert take_feeder_away(session, job) == 3
    assert take_feeder_away(session, job) is None
    assert queue_stats(session, job)[0].available == 6
    assert len(ask(session, job, refs_of(1, "W9")).sent) == 1


def test_a_deleted_job_ends_it(session: Session, job: Job) -> None:
    feeder = Feeder(session, job, OPTIONS)
    delete_job(session, job)
    assert feeder.once() is FeederEnd.DELETED


def test_more_than_a_chunk_is_handed_over_whole(
    session: Session, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bec_core.db.locks import ENQUEUEING, only_one

    monkeypatch.setattr("bec_core.queues.sending._CHUNK", 2)
    ask(session, job, refs_of(5))
    rows = sql(session, "SELECT volume_id FROM ledger ORDER BY volume_id")
    asked = [(row[0], ref) for row, ref in zip(rows, refs_of(5), strict=True)]
    with only_one(session.database, (ENQUEUEING, job.id), "testing") as held:
        assert hand_over(session.database, session.queue(job.queue_url), job.id, asked, held) == {}
    assert sent(session) == 5


def test_queues_are_made_to_keep_messages_four_days_and_dead_letters_fourteen(
    session: Session, job: Job
) -> None:
    kept = [session.queue(url).retention_s() for url in (job.queue_url, job.dlq_url)]
    assert kept == ([4 * 86400, 14 * 86400] if session.settings.queue_kind == "sqs" else [None, None])
    assert sqs_module.MAX_VISIBILITY_S < 4 * 86400


def test_a_feeder_row_keeps_its_number_when_none_is_given(session: Session, job: Job) -> None:
    give_feeder(session, job)
    with session.database.connection() as connection:
        row = feeding.feeder_of(connection, job.id)
    assert row is not None
    assert row.per_worker == 3


def _until(true: Any, within_s: float = 10) -> None:
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)
