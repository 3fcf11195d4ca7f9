"""The one way to ask for volumes, on both queues: numbers, locks, bounds, and what a queue lost."""

from __future__ import annotations

import uuid
from typing import Any

import boto3
import pytest

from bec_core.admin import moving
from bec_core.admin.asking import ask, raise_request, sweep
from bec_core.admin.job_making import create_job
from bec_core.admin.queues import purge, queue_stats
from bec_core.admin.redriving import Choice, choose, redrive
from bec_core.admin.session import Session
from bec_core.admin.staleness import stale_volumes
from bec_core.admin.wanted import Want
from bec_core.db import tasks, volumes
from bec_core.errors import SettingsError
from bec_core.models import Job, Message, OutgoingMessage, VolumeRef, encode_message
from bec_core.queues import sqs_client
from bec_core.queues.base import TaskQueue

FOLDER = VolumeRef("scans", "box", "file:///data/scans/box")


@pytest.fixture
def job(session: Session) -> Job:
    return create_job(session, name=f"j{uuid.uuid4().hex[:8]}", job_type="checksum").job


def refs_of(count: int) -> list[VolumeRef]:
    return [VolumeRef("W1", f"I{n:04}") for n in range(count)]


def sql(session: Session, text: str, *values: Any) -> list[Any]:
    with session.database.connection() as connection:
        cursor = connection.execute(text.encode(), values)
        return cursor.fetchall() if cursor.description else []


def requests(session: Session) -> list[tuple[str, int, int | None]]:
    return sql(session, "SELECT state, request, config_revision FROM ledger ORDER BY volume_id")


def take(queue: TaskQueue) -> Message:
    (message,) = queue.receive(limit=1, wait_s=1, visibility_s=60)
    return message


def ended(session: Session, job: Job, ref: VolumeRef, status: str, recipe: str | None = None) -> None:
    """A worker ended the volume's task so."""
    with session.database.connection() as connection:
        volume_id = volumes.upsert_ref(connection, ref)
        connection.execute(
            "INSERT INTO task_executions (job_id, volume_id, s3_etag, status, started_at, done_at, failures, recipe,"
            " request, error_type) SELECT %s, %s, %s, %s, now(), now(), 1, %s,"
            " coalesce((SELECT request FROM ledger WHERE (job_id, volume_id) = (%s, %s)), 0), %s"
            " ON CONFLICT (job_id, volume_id, s3_etag) DO UPDATE SET status = excluded.status,"
            " recipe = excluded.recipe, request = excluded.request, done_at = now()",
            (job.id, volume_id, tasks.NO_VERSION[:15] + b"1", status, recipe, job.id, volume_id,
             "RuntimeFault" if status == "terminal_failed" else None),
        )  # fmt: skip
        connection.execute(
            "UPDATE ledger SET state = %s WHERE (job_id, volume_id) = (%s, %s)",
            ("done" if status == "done" else "failed", job.id, volume_id),
        )


def letter(ref: VolumeRef) -> OutgoingMessage:
    plain = encode_message(ref)
    return OutgoingMessage(plain.body, {**plain.attributes, "error_type": "RuntimeFault"})


# Numbers ------------------------------------------------------------------------------------------------


def test_only_force_raises_the_number_that_a_marker_must_answer(session: Session, job: Job) -> None:
    ref = refs_of(1)
    ask(session, job, ref)
    assert requests(session) == [("waiting", 0, None)]
    assert ask(session, job, ref).skipped == ((ref[0], "waiting already"),)
    assert ask(session, job, ref, want=Want.FORCE).sent == (ref[0],), "raised and sent, also while it waits"
    assert requests(session) == [("waiting", 1, job.config_revision)]
    ended(session, job, ref[0], "done")
    ask(session, job, ref, want=Want.CHECK)
    assert requests(session) == [("waiting", 1, job.config_revision)], "checking sends, the number stays"
    ended(session, job, ref[0], "terminal_failed")
    redrive(session, job, choose(session, job, Choice()))
    assert requests(session) == [("waiting", 1, job.config_revision)]
    assert queue_stats(session, job)[0].available == 4


def test_a_number_never_falls_back_also_when_the_queue_was_emptied(session: Session, job: Job) -> None:
    (ref,) = refs_of(1)
    for _ in range(3):
        ask(session, job, [ref], want=Want.FORCE)
    ended(session, job, ref, "done")
    ask(session, job, [ref])
    purge(session, job)
    assert requests(session) == []
    ask(session, job, [ref], want=Want.FORCE)
    assert [number for _, number, _ in requests(session)] == [4]


def test_doing_a_volume_here_by_force_asks_without_the_queue(session: Session, job: Job) -> None:
    raise_request(session, job, refs_of(1)[0])
    assert requests(session) == [("waiting", 1, job.config_revision)]
    assert queue_stats(session, job)[0].available == 0
    assert sweep(session, job) == 1, "what never reached the queue is sent by whoever looks next"


def stale_refs(session: Session, job: Job) -> list[VolumeRef]:
    return [one.ref for one in stale_volumes(session, job)]


def test_what_was_done_by_an_older_recipe_is_stale_and_by_an_unknown_one_never(
    session: Session, job: Job
) -> None:
    refs = refs_of(4)
    ask(session, job, refs)
    for ref, recipe in zip(refs, ("old", None, "new", "old"), strict=True):
        ended(session, job, ref, "done", recipe)
    assert stale_refs(session, job) == [], "nobody declared a recipe"
    for recipe, age in (("new", 0), ("old", 100)):
        sql(session, "INSERT INTO job_recipes (job_id, recipe, contents, declared_at)"
            " VALUES (%s, %s, '{}', now() - make_interval(secs => %s))", job.id, recipe, age)  # fmt: skip
    assert stale_refs(session, job) == [refs[0], refs[3]]
    some = ask(session, job, refs[:3], want=Want.STALE)
    assert some.sent == (refs[0],)
    assert {reason for _, reason in some.skipped} == {"not stale"}
    assert stale_refs(session, job) == [refs[3]], "asked for again already"
    assert [number for _, number, _ in requests(session)] == [1, 0, 0, 0]


# Redriving ----------------------------------------------------------------------------------------------


def test_a_redriven_folder_volume_keeps_its_source_and_waits_once(session: Session, job: Job) -> None:
    ask(session, job, [FOLDER])
    session.queue(job.queue_url).delete(take(session.queue(job.queue_url)))
    session.queue(job.dlq_url).send([letter(FOLDER)])
    ended(session, job, FOLDER, "terminal_failed")
    chosen = choose(session, job, Choice(runtime_faults=True))
    done = redrive(session, job, chosen)
    assert (done.sent, done.dead_letters_removed) == ((FOLDER,), 1)
    again = redrive(session, job, chosen)
    assert (again.sent, again.waiting) == ((), (FOLDER,)), "never a second message for what waits"
    assert queue_stats(session, job)[0].available == 1
    assert take(session.queue(job.queue_url)).attributes["source"] == FOLDER.source


def test_one_cause_is_redriven_alone_and_never_twice(session: Session, job: Job) -> None:
    slow, waits_again, damaged = refs = refs_of(3)
    ask(session, job, refs)
    for ref in refs:
        session.queue(job.queue_url).delete(take(session.queue(job.queue_url)))
        ended(session, job, ref, "terminal_failed")
    sql(session, "UPDATE task_executions SET error_fingerprint = CASE WHEN volume_id ="
        " (SELECT id FROM volumes WHERE bdrc_i_id = %s) THEN 'damaged' ELSE 'slow' END", damaged.i_id)  # fmt: skip
    ask(session, job, [waits_again])
    for sent, waiting in (((slow,), (waits_again,)), ((), (slow, waits_again))):
        done = redrive(session, job, choose(session, job, Choice(fingerprint="slow")))
        assert (done.sent, done.waiting) == (sent, waiting)
    assert queue_stats(session, job)[0].available == 2


def test_a_folder_that_nothing_names_any_more_is_refused_and_not_asked_for_wrongly(
    session: Session, job: Job
) -> None:
    ended(session, job, FOLDER, "terminal_failed")
    (refused,) = redrive(session, job, choose(session, job, Choice())).refused
    assert "--source file:///" in refused[1]
    assert queue_stats(session, job)[0].available == 0


def test_moving_all_messages_ends_beside_workers_that_dead_letter_meanwhile(
    session: Session, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, tasks_queue = session.queue(job.dlq_url), session.queue(job.queue_url)
    dead.send([letter(ref) for ref in refs_of(12)])
    send, calls = type(dead).send, [0]

    def and_it_fails_again(queue: TaskQueue, messages: list[OutgoingMessage]) -> Any:
        calls[0] += 1
        assert calls[0] < 30, "it chases what comes meanwhile"
        if queue is tasks_queue:
            send(dead, [letter(VolumeRef("W2", f"I{calls[0]}-{n}")) for n in range(len(messages))])
        return send(queue, messages)

    monkeypatch.setattr(type(dead), "send", and_it_fails_again)
    assert 12 <= moving.move_messages(session, job.dlq_url, job.queue_url) <= 40
    assert requests(session)[0][0] == "waiting"


def test_a_queue_is_not_moved_into_itself(session: Session, job: Job) -> None:
    for move in (moving.move_messages, moving.start_move_task):
        with pytest.raises(SettingsError, match="one queue"):
            move(session, job.dlq_url, job.dlq_url)


def test_moving_sends_no_second_message_for_what_waits_but_keeps_what_the_queue_set_aside(
    session: Session, job: Job
) -> None:
    asked_again, by_sqs = refs_of(2)
    ask(session, job, [asked_again, by_sqs])
    session.queue(job.dlq_url).send([letter(asked_again), encode_message(by_sqs)])
    assert moving.move_messages(session, job.dlq_url, job.queue_url) == 2
    figures, dead = queue_stats(session, job)
    assert (figures.available, dead.available) == (3, 0)


# What a queue lost --------------------------------------------------------------------------------------


def test_what_waits_without_a_message_is_sent_again_once(session: Session, job: Job) -> None:
    refs = refs_of(4)
    ask(session, job, refs)
    session.queue(job.queue_url).purge()
    sql(session, "UPDATE ledger SET sent_at = now() - interval '10 minutes'")
    ended(session, job, refs[0], "done")
    for ref, column in ((refs[1], "retry_at"), (refs[2], "lease_expires_at")):
        ended(session, job, ref, "done")
        sql(session, f"UPDATE task_executions SET status = 'retryable_failed', {column} = now() + interval '1 h'"
            " WHERE volume_id = (SELECT id FROM volumes WHERE bdrc_i_id = %s)", ref.i_id)  # fmt: skip
        sql(session, "UPDATE ledger SET state = 'waiting' WHERE volume_id ="
            " (SELECT id FROM volumes WHERE bdrc_i_id = %s)", ref.i_id)  # fmt: skip
    exact = session.queue(job.queue_url).exact
    assert sweep(session, job) == (1 if exact else 0), "SQS does not tell what is gone"
    assert sweep(session, job, queue_was_empty=True) == (0 if exact else 1)
    assert sweep(session, job, queue_was_empty=True) == 0, "it was sent a moment ago"
    assert queue_stats(session, job)[0].available == 1


def test_one_client_serves_a_session_however_often_it_looks(
    session: Session, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    client = boto3.Session.client
    monkeypatch.setattr(boto3.Session, "client", lambda *a, **k: made.append(a) or client(*a, **k))
    assert sqs_client is not None
    for _ in range(500 if session.queue(job.queue_url).exact else 100):
        queue_stats(session, job)
    assert len(made) <= 1
    assert session.queue(job.queue_url) is session.queue(job.queue_url)
