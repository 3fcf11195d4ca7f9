"""Moving whole messages from one queue to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from attrs import define, field

from bec_core.admin.actions import record
from bec_core.admin.session import Session
from bec_core.db import jobs, ledger, requeue, volumes
from bec_core.db.locks import ENQUEUEING, Held, only_one
from bec_core.errors import InvalidMessage, QueueUnavailable, SettingsError
from bec_core.models import Job, Message, OutgoingMessage, VolumeRef, decode_message
from bec_core.queues.letters import each_once, show_again

_REASON = ("error_", "failed_at")  # how the attributes begin that say why a message was set aside


def move_messages(
    session: Session,
    source_url: str,
    dest_url: str,
    *,
    limit: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Move the messages that are in one queue now to the other, up to ``limit``; returns how many.

    Each goes into the other queue before it leaves the first, so a crash in between leaves it in both: the worker
    finds the second one done. What was added when a message was set aside is taken off again; the ledger of the job
    whose queue ``dest_url`` is says that its volumes wait again. A dead letter of a volume that was asked for again
    since, and so waits with a message of its own, is deleted and counts as moved.

    Raises:
        SettingsError: both are one queue.
        QueueUnavailable: the other queue refused a message.
    """
    refuse_same(source_url, dest_url)
    with session.database.connection() as connection:
        job_ids = requeue.jobs_of_queue(connection, dest_url)
    source, dest = session.queue(source_url), session.queue(dest_url)
    moved = 0
    with ExitStack() as locks:
        ledgers = _Ledgers(session)
        for job_id in job_ids:
            what = f"asking job {job_id} for volumes"
            ledgers.held[job_id] = locks.enter_context(only_one(session.database, (ENQUEUEING, job_id), what))
        for batch in each_once(source, limit=limit):
            needless = ledgers.needless(batch)
            to_move = [message for message in batch if message.id not in needless]
            ledgers.request(to_move)
            failures = dest.send([_renewed(message) for message in to_move])
            failed = {failure.index for failure in failures}
            ledgers.mark_sent([one for index, one in enumerate(to_move) if index not in failed])
            show_again(source, [to_move[index] for index in failed])
            for message in batch:
                if message not in [to_move[index] for index in failed]:
                    source.delete(message)
                    moved += 1
            if failures:
                raise QueueUnavailable(
                    f"{dest_url} refused a message after {moved} were moved: {failures[0].reason};"
                    " the rest stays in place"
                )
            progress(moved)
        _record(session, job_ids, moved, source_url, dest_url)
    return moved


def _record(
    session: Session, job_ids: Sequence[int], moved: int | None, source_url: str, dest_url: str
) -> None:
    told = {"out_of": source_url.rpartition("/")[2], "into": dest_url.rpartition("/")[2]}
    with session.database.connection() as connection:
        known: list[Job | None] = [jobs.get(connection, job_id) for job_id in job_ids]
        for job in known or [None]:
            record(session, connection, job, "redrive", moved, **told)


def start_move_task(
    session: Session, source_url: str, dest_url: str, *, per_second: int | None = None
) -> str:
    """Let SQS itself move everything (it can't choose, and moves up to 500 a second); returns the task's handle.

    Raises:
        SettingsError: a queue is not SQS's, or both are one.
        QueueUnavailable: SQS refused.
    """
    from bec_core.queues.sqs_move import start_move_task as start

    refuse_same(source_url, dest_url)
    handle = start(session.sqs, source_url, dest_url, per_second=per_second)
    with session.database.connection() as connection:
        job_ids = requeue.jobs_of_queue(connection, dest_url)
    _record(session, job_ids, None, source_url, dest_url)
    return handle


def refuse_same(source_url: str, dest_url: str) -> None:
    """Refuse to move messages from a queue into itself: it would never end.

    Raises:
        SettingsError: both URLs name one queue.
    """
    if source_url.rstrip("/") == dest_url.rstrip("/"):
        raise SettingsError(f"source and destination are one queue, {dest_url}: there is nothing to move")


@define
class _Ledgers:
    """The ledgers of the jobs that take their tasks from the queue moved to, with the lock held on each."""

    session: Session
    held: dict[int, Held] = field(factory=dict)

    def needless(self, messages: Sequence[Message]) -> set[str]:
        """The ids of the letters of volumes that wait in every ledger with a message of their own, or come twice.

        A message without a reason was set aside by the queue itself: it may be the only one.
        """
        letters = {m.id: ref for m in messages if "error_type" in m.attributes and (ref := _volume_of(m))}
        if not letters or not self.held:
            return set()
        refs = list(dict.fromkeys(letters.values()))
        with self.session.database.connection() as connection:
            ids = dict(zip(refs, volumes.upsert_refs(connection, refs), strict=True))
            awaited = set.intersection(
                *(ledger.awaited(connection, job_id, list(ids.values())) for job_id in self.held)
            )
        found: set[str] = set()
        seen: set[VolumeRef] = set()
        for message_id, ref in letters.items():
            if ids[ref] in awaited or ref in seen:
                found.add(message_id)
            seen.add(ref)
        return found

    def request(self, messages: Sequence[Message]) -> None:
        """Say that the messages' volumes wait."""
        refs = self._refs(messages)
        if not refs or not self.held:
            return
        with self.session.database.connection() as connection:
            ids = volumes.upsert_refs(connection, refs)
            for job_id, held in self.held.items():
                held.confirm(connection)
                ledger.request(connection, job_id, list(zip(ids, refs, strict=True)))
                requeue.free(connection, job_id, ids)

    def mark_sent(self, messages: Sequence[Message]) -> None:
        """Say that their messages are in the queue."""
        refs = self._refs(messages)
        if not refs or not self.held:
            return
        with self.session.database.connection() as connection:
            ids = volumes.upsert_refs(connection, refs)
            for job_id in self.held:
                ledger.mark_sent(connection, job_id, ids)

    def _refs(self, messages: Sequence[Message]) -> list[VolumeRef]:
        return list(dict.fromkeys(ref for ref in map(_volume_of, messages) if ref))


def _renewed(message: Message) -> OutgoingMessage:
    """The message as it was before it was set aside."""
    kept = {name: value for name, value in message.attributes.items() if not name.startswith(_REASON)}
    return OutgoingMessage(message.body, kept)


def _volume_of(message: Message) -> VolumeRef | None:
    try:
        return decode_message(message)
    except InvalidMessage:
        return None
