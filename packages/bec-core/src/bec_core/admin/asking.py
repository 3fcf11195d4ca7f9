"""The one way to ask a job for volumes: enqueueing, redriving, repairing, ``bec run``, ``bec run-volume``.

The ledger says what was asked; its entry comes first, then the message. An entry whose message did not reach the
queue (``sent_at`` is empty) is sent by the next asking that names it, or by an idle worker's
:func:`~bec_core.queues.sweep.sweep`, so a crash in between loses nothing. Whoever asks a job for volumes holds one
lock, so two at once don't send the same volume twice, and each goes through what was there when it began.

A request has a number in the ledger, which a marker must answer. Asking for what is missing keeps the number;
asking for what is done (by force, or because it is stale) raises it. Nothing is deleted: the old result stays,
readable and done, until a worker puts the new one in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from enum import StrEnum
from typing import Literal

from attrs import define, field, frozen

from bec_core.admin.actions import record
from bec_core.admin.canary import notice, refuse_second
from bec_core.admin.canary_choice import choose as choose_canary
from bec_core.admin.session import Session
from bec_core.admin.staleness import Reason, stale_volumes
from bec_core.artifacts import TaskFolder
from bec_core.db import blocking, canary, feeding, inputs, jobs, ledger, requeue, volumes
from bec_core.db.connection import Connection
from bec_core.db.locks import ENQUEUEING, Held, only_one
from bec_core.db.requeue import FailedVolume as FailedVolume
from bec_core.errors import ConflictError, SettingsError, StorageError, TaskError
from bec_core.models import Job, JobStatus, TaskStatus, VolumeRef
from bec_core.queues.letters import remove_letters
from bec_core.queues.release import release
from bec_core.queues.sending import hand_over
from bec_core.queues.sweep import sweep as sweep_queue

SkipReason = Literal[
    "named twice",
    "waiting already",
    "held back until the canary has passed",
    "done at this version",
    "not stale",
    "over the limit",
]

_CHUNK = 5000
_LOOKUPS = 32
_LOOKED_AT_NOW = (
    1000  # blocked volumes whose inputs' markers are looked for at once; workers look for the rest
)
_UNKNOWN_FOLDER = (
    "it lies in a folder that nothing names any more; bec queue enqueue --source file:///… --volume …"
)
_NO_CANARY = (
    "a canary of what job {job} has done already would put its results in the place of those that stand: let a second"
    " job do some of the volumes, and compare (bec jobs create, then bec compare {job} OTHER): see the operators'"
    ' guide, "A new model, the safe way"'
)


class Want(StrEnum):
    """What is asked for."""

    MISSING = "missing"
    """What is not done at its present version."""
    FORCE = "force"
    """Everything, also what is done: the request's number is raised."""
    STALE = "stale"
    """What is out of date (see :mod:`bec_core.admin.staleness`): the request's number is raised."""
    CHECK = "check"
    """Everything, but the number stays: the worker compares, and does again what it would do otherwise."""


@frozen
class Asked:
    """What asking did, or (dry run) would do.

    Attributes:
        sent: asked for, and their messages sent.
        skipped: left out, with the reason.
        refused: asked for, but the queue refused their messages.
        blocked: asked for, but an input is not done; no message yet.
        for_feeder: asked for; the job's feeder sends their messages as workers come to them.
        reprioritised: how many that waited already got another priority.
        held: asked for, and held back until the canary (what was sent) has passed.
    """

    sent: tuple[VolumeRef, ...]
    skipped: tuple[tuple[VolumeRef, SkipReason], ...] = ()
    refused: tuple[tuple[VolumeRef, str], ...] = ()
    blocked: tuple[VolumeRef, ...] = ()
    for_feeder: tuple[VolumeRef, ...] = ()
    reprioritised: int = 0
    held: tuple[VolumeRef, ...] = ()


@define
class _Tally:
    """What was decided so far; ``fed``: the job has a feeder, so no message is sent here."""

    fed: bool
    sent: list[VolumeRef] = field(factory=list)
    skipped: list[tuple[VolumeRef, SkipReason]] = field(factory=list)
    refused: list[tuple[VolumeRef, str]] = field(factory=list)
    blocked: list[VolumeRef] = field(factory=list)
    for_feeder: list[VolumeRef] = field(factory=list)
    reprioritised: int = 0
    held: list[VolumeRef] = field(factory=list)

    @property
    def taken(self) -> int:
        """How many were taken so far, with or without a message."""
        return len(self.sent) + len(self.blocked) + len(self.for_feeder) + len(self.held)

    @property
    def asked(self) -> Asked:
        return Asked(
            tuple(self.sent),
            tuple(self.skipped),
            tuple(self.refused),
            tuple(self.blocked),
            tuple(self.for_feeder),
            self.reprioritised,
            tuple(self.held),
        )


def ask(
    session: Session,
    job: Job,
    refs: Sequence[VolumeRef],
    *,
    want: Want = Want.MISSING,
    reasons: Collection[Reason] = (),
    dry_run: bool = False,
    limit: int | None = None,
    priority: int | None = None,
    canary_of: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Asked:
    """Ask ``job`` for volumes; skips what waits already (but for :attr:`Want.FORCE`), and what is not wanted.

    Args:
        session: the services.
        job: the job.
        refs: the volumes.
        want: which of them.
        reasons: with :attr:`Want.STALE`: only what is out of date for one of these.
        dry_run: only say what would happen; nothing is written anywhere.
        limit: send at most this many.
        priority: of these volumes, also of those that wait already; the job's feeder sends the highest first.
        canary_of: let so many of them go first, and hold the rest back until these have passed.
        progress: called with the number of volumes handled so far.

    Raises:
        ConflictError: the job is cancelled: its messages would only be set aside; or a canary of it is out.
        SettingsError: a canary of what is done already: its results would take the place of those that stand.
    """
    refuse_cancelled(job)
    if canary_of is not None and want is not Want.MISSING:
        raise SettingsError(_NO_CANARY.format(job=job.name))
    if not dry_run:
        notice(session, job)
    if canary_of is not None:
        refuse_second(session, job)
    tally = _Tally(has_feeder(session, job))
    unique = list(dict.fromkeys(refs))
    all_wanted: list[VolumeRef] = []  # with a canary: chosen among all of them
    tally.skipped += [(ref, "named twice") for ref in _repeated(refs)]

    def go_through(held: Held | None) -> None:
        chooser = _chooser(session, job, want, reasons, fed=tally.fed)
        for start in range(0, len(unique), _CHUNK):
            chunk = unique[start : start + _CHUNK]
            left = None if limit is None else limit - tally.taken - len(all_wanted)
            if left == 0:
                tally.skipped += [(ref, "over the limit") for ref in chunk]
                continue
            wanted, skipped = chooser(chunk)
            tally.skipped += skipped
            if left is not None:
                tally.skipped += [(ref, "over the limit") for ref in wanted[left:]]
                wanted = wanted[:left]
            if canary_of is not None:
                all_wanted.extend(wanted)
            elif held is None:
                (tally.for_feeder if tally.fed else tally.sent).extend(wanted)
            elif wanted:
                _ask_for(
                    session, job, wanted, tally, held,
                    raising=want in (Want.FORCE, Want.STALE), priority=priority or 0,
                )  # fmt: skip
            waiting = [ref for ref, reason in skipped if reason == "waiting already"]
            if priority is not None and waiting and held is not None:
                tally.reprioritised += _prioritise(session, job, waiting, priority, held)
            progress(start + len(chunk))
        if canary_of is not None and all_wanted:
            ordered = choose_canary(session, all_wanted, canary_of)
            if held is None:
                (tally.for_feeder if tally.fed else tally.sent).extend(ordered[:canary_of])
                tally.held += ordered[canary_of:]
            else:
                _ask_by_canary(session, job, ordered, canary_of, tally, held, priority=priority or 0)

    if dry_run:
        go_through(None)
    else:
        with only_one(session.database, _key(job), _what(job)) as held:
            go_through(held)
            if want is Want.FORCE:
                with session.database.connection() as connection:
                    record(session, connection, job, "force", tally.taken)
        _release(session, job, tally)
    return tally.asked


def read_by(session: Session, job: Job) -> list[Job]:
    """The jobs that a job reads, directly or through others, each after those that it reads itself."""
    with session.database.connection() as connection:
        return [jobs.get(connection, job_id) for job_id in inputs.upstream(connection, job.id)]


def _release(session: Session, job: Job, tally: _Tally) -> None:
    """What is blocked, also since earlier, may be done by whatever nobody told the database; workers look for more."""
    with session.database.connection() as connection:
        if not inputs.bound(connection, job.id):
            return
    found = release(
        session.database,
        session.queue,
        job,
        sources=session.sources,
        store=session.artifacts,
        most_looked_at=_LOOKED_AT_NOW,
    )
    released = {(one.ref.db_w_id, one.ref.i_id) for one in found}
    taken = tally.for_feeder if tally.fed else tally.sent
    taken += [ref for ref in tally.blocked if (ref.db_w_id, ref.i_id) in released]
    tally.blocked = [ref for ref in tally.blocked if (ref.db_w_id, ref.i_id) not in released]


def ask_again(session: Session, job: Job, refs: Sequence[VolumeRef], *, raising: bool) -> Asked:
    """Ask for volumes that something is wrong with, whatever the ledger says of them; each once.

    Args:
        session: the services.
        job: the job.
        refs: the volumes.
        raising: what stands is not to be believed: the request's number is raised.
    """
    refuse_cancelled(job)
    tally = _Tally(has_feeder(session, job))
    unique = list(dict.fromkeys(refs))
    if unique:
        with only_one(session.database, _key(job), _what(job)) as held:
            for start in range(0, len(unique), _CHUNK):
                _ask_for(session, job, unique[start : start + _CHUNK], tally, held, raising=raising)
    return tally.asked


def raise_request(session: Session, job: Job, ref: VolumeRef) -> None:
    """Let only a new result answer the request for a volume that is about to be done here, without the job's queue.

    Its entry waits, unsent: should this process end before it is done, the next who asks (or an idle worker) sends it.
    """
    refuse_cancelled(job)
    with only_one(session.database, _key(job), _what(job)) as held:
        _enter(session, job, [ref], held, raising=True)


def refuse_cancelled(job: Job) -> None:
    """Refuse to ask a cancelled job.

    Raises:
        ConflictError: it is cancelled.
    """
    if job.status is JobStatus.CANCELLED:
        raise ConflictError(f"job {job.name} is cancelled; to go on with it: bec jobs resume {job.name}")


def has_feeder(session: Session, job: Job) -> bool:
    """Whether the job's messages are sent by a feeder, not when it is asked."""
    with session.database.connection() as connection:
        return feeding.feeder_of(connection, job.id) is not None


def _prioritise(session: Session, job: Job, refs: Sequence[VolumeRef], priority: int, held: Held) -> int:
    with session.database.connection() as connection:
        held.confirm(connection)
        return ledger.prioritise(connection, job.id, volumes.upsert_refs(connection, refs), priority)


def _key(job: Job) -> tuple[int, int]:
    return ENQUEUEING, job.id


def _what(job: Job) -> str:
    return f"asking job {job.name} for volumes"


def _ask_for(
    session: Session,
    job: Job,
    wanted: Sequence[VolumeRef],
    tally: _Tally,
    held: Held,
    *,
    raising: bool,
    priority: int | None = None,
) -> None:
    """Enter volumes into the ledger, then send their messages, unless the job has a feeder, which does."""
    entered = _enter(session, job, wanted, held, raising=raising, priority=priority)
    tally.blocked += entered.blocked
    _send(session, job, entered.waiting, tally, held)


def _send(
    session: Session, job: Job, asked: Sequence[tuple[int, VolumeRef]], tally: _Tally, held: Held
) -> None:
    """Send the messages of entries that wait, unless the job has a feeder, which does."""
    if tally.fed:
        tally.for_feeder += [ref for _, ref in asked]
        return
    failed = hand_over(session.database, session.queue(job.queue_url), job.id, asked, held)
    tally.sent += [ref for n, (_, ref) in enumerate(asked) if n not in failed]
    tally.refused += [(asked[n][1], reason) for n, reason in failed.items()]


def _ask_by_canary(
    session: Session,
    job: Job,
    ordered: Sequence[VolumeRef],
    number: int,
    tally: _Tally,
    held: Held,
    *,
    priority: int,
) -> None:
    """Enter volumes in one transaction, hold back all but the canary, and send that, unless the job has a feeder.

    The first in order that are ready become the canary; where too few are, the first that are blocked.
    """
    with session.database.connection() as connection:
        held.confirm(connection)
        has_inputs = blocking.entering(connection, job.id)
        ids: list[int] = []
        blocked: set[int] = set()
        for start in range(0, len(ordered), _CHUNK):
            entries = _entries(connection, job, ordered[start : start + _CHUNK], priority=priority)
            ids += [volume_id for volume_id, _ in entries]
            if has_inputs:
                blocked |= blocking.block(connection, job.id, [volume_id for volume_id, _ in entries])
        first = frozenset(sorted(ids, key=lambda one: one in blocked)[:number])
        canary.put_out(connection, job.id, sorted(first))
        back = canary.hold(connection, job.id, ids)
    by_id = list(zip(ids, ordered, strict=True))
    tally.held += [ref for one, ref in by_id if one in back]
    tally.blocked += [ref for one, ref in by_id if one in blocked]
    _send(session, job, [entry for entry in by_id if entry[0] in first - blocked], tally, held)


def _entries(
    connection: Connection,
    job: Job,
    refs: Sequence[VolumeRef],
    *,
    raised: ledger.Raise | None = None,
    priority: int | None = None,
) -> list[tuple[int, VolumeRef]]:
    """Enter volumes: they wait, and may be claimed again, whatever the clocks say."""
    ids = volumes.upsert_refs(connection, refs)
    entries = list(zip(ids, refs, strict=True))
    ledger.request(connection, job.id, entries, raised=raised)
    if priority is not None:
        ledger.prioritise(connection, job.id, ids, priority)
    requeue.free(connection, job.id, ids)
    return entries


@frozen
class _Entered:
    """Ledger entries by whether their messages are to be sent now."""

    waiting: tuple[tuple[int, VolumeRef], ...]
    blocked: tuple[VolumeRef, ...]


def _enter(
    session: Session,
    job: Job,
    refs: Sequence[VolumeRef],
    held: Held,
    *,
    raising: bool,
    priority: int | None = None,
) -> _Entered:
    raised = ledger.Raise(job.config_revision, _answered_by_markers(session, job, refs)) if raising else None
    with session.database.connection() as connection:
        held.confirm(connection)
        has_inputs = blocking.entering(connection, job.id)
        entries = _entries(connection, job, refs, raised=raised, priority=priority)
        blocked = blocking.block(connection, job.id, [one for one, _ in entries]) if has_inputs else set()
    return _Entered(
        tuple(entry for entry in entries if entry[0] not in blocked),
        tuple(ref for volume_id, ref in entries if volume_id in blocked),
    )


def _answered_by_markers(session: Session, job: Job, refs: Sequence[VolumeRef]) -> list[int]:
    """The numbers that markers of volumes answer of which this database knows nothing (the job was made anew, say)."""
    with session.database.connection() as connection:
        known = ledger.lookup(connection, job.id, refs)
    session.sources, session.artifacts  # noqa: B018 - opened once, not by the first of many threads

    def answered(ref: VolumeRef) -> int:
        if ref in known:
            return 0
        try:
            volume = session.sources.resolve(ref)
        except TaskError:
            return 0  # the worker will say what is wrong with it
        marker = TaskFolder(session.artifacts, job.artifact_root, volume).marker()
        return marker.request if marker else 0

    with ThreadPoolExecutor(_LOOKUPS, "bec-marker") as pool:
        return list(pool.map(answered, refs))


def _repeated(refs: Iterable[VolumeRef]) -> list[VolumeRef]:
    seen: set[VolumeRef] = set()
    repeated = []
    for ref in refs:
        if ref in seen:
            repeated.append(ref)
        seen.add(ref)
    return repeated


_Chosen = tuple[list[VolumeRef], list[tuple[VolumeRef, SkipReason]]]


def _chooser(
    session: Session, job: Job, want: Want, reasons: Collection[Reason], *, fed: bool
) -> Callable[[Sequence[VolumeRef]], _Chosen]:
    """What splits volumes into those to send and those to leave out, with the reason."""
    if want is Want.FORCE:
        return lambda refs: (list(refs), [])
    if want is Want.STALE:
        stale = frozenset((one.ref.db_w_id, one.ref.i_id) for one in stale_volumes(session, job, by=reasons))
        return lambda refs: (
            [ref for ref in refs if (ref.db_w_id, ref.i_id) in stale],
            [(ref, "not stale") for ref in refs if (ref.db_w_id, ref.i_id) not in stale],
        )
    return lambda refs: _missing(session, job, refs, done_too=want is Want.CHECK, fed=fed)


def _missing(session: Session, job: Job, refs: Sequence[VolumeRef], *, done_too: bool, fed: bool) -> _Chosen:
    with session.database.connection() as connection:
        entries = ledger.lookup(connection, job.id, refs)
    skipped: dict[VolumeRef, SkipReason] = {}
    perhaps_done: list[tuple[VolumeRef, bytes]] = []
    for ref, entry in entries.items():
        if entry.state == "waiting":
            if entry.sent_at is not None or fed:
                skipped[ref] = "waiting already"
        elif entry.state == "held":
            skipped[ref] = "held back until the canary has passed"
        elif entry.done_etag is not None and not done_too:
            perhaps_done.append((ref, entry.done_etag))
    with ThreadPoolExecutor(_LOOKUPS, "bec-lookup") as pool:
        current = pool.map(lambda one: _current_etag(session, one[0]), perhaps_done)
        for (ref, done_etag), etag in zip(perhaps_done, current, strict=True):
            if etag == done_etag:
                skipped[ref] = "done at this version"
    return [ref for ref in refs if ref not in skipped], [
        (ref, skipped[ref]) for ref in refs if ref in skipped
    ]


def _current_etag(session: Session, ref: VolumeRef) -> bytes | None:
    """The volume's version now; None where it can't be told (then the worker will)."""
    try:
        return session.sources.resolve(ref).etag
    except (TaskError, StorageError):
        return None


# Redriving ----------------------------------------------------------------------------------------------


@frozen
class Choice:
    """Which failed tasks: all that fit every condition given; ``runtime_faults``: set aside for faults of ours."""

    statuses: tuple[TaskStatus, ...] = (TaskStatus.TERMINAL_FAILED,)
    error_type: str | None = None
    stage: str | None = None
    fingerprint: str | None = None
    since: datetime | None = None
    sample: int | None = None
    runtime_faults: bool = False


@frozen
class Redriven:
    """What was queued again, what was refused, waits already or is blocked; how many dead letters were taken away."""

    sent: tuple[VolumeRef, ...]
    refused: tuple[tuple[VolumeRef, str], ...]
    dead_letters_removed: int
    waiting: tuple[VolumeRef, ...] = ()
    blocked: tuple[VolumeRef, ...] = ()
    for_feeder: tuple[VolumeRef, ...] = ()


def choose(session: Session, job: Job, choice: Choice) -> list[FailedVolume]:
    """The volumes whose latest task failed and fits."""
    with session.database.connection() as connection:
        return requeue.failed_volumes(
            connection,
            job.id,
            statuses=choice.statuses,
            error_type="RuntimeFault" if choice.runtime_faults else choice.error_type,
            stage=choice.stage,
            fingerprint=choice.fingerprint,
            since=choice.since,
            sample=choice.sample,
        )


def redrive(session: Session, job: Job, chosen: Sequence[FailedVolume]) -> Redriven:
    """Queue these volumes again, with nothing counted against them, and take their dead letters away.

    The ledger says first that they wait, then the dead letters go, then the messages come: a crash in between is
    mended by the ledger, and a volume that fails again at once keeps its new letter. What waits already is set free
    and sent no second message.

    Raises:
        ConflictError: the job is cancelled.
    """
    refuse_cancelled(job)
    tally = _Tally(has_feeder(session, job))
    tally.refused += [(one.ref, _UNKNOWN_FOLDER) for one in chosen if not one.source_known]
    wanted = [one for one in chosen if one.source_known]
    with only_one(session.database, _key(job), _what(job)) as held:
        with session.database.connection() as connection:
            held.confirm(connection)
            has_inputs = blocking.entering(connection, job.id)
            awaited = ledger.awaited(connection, job.id, [one.volume_id for one in wanted])
            again = [(one.volume_id, one.ref) for one in wanted if one.volume_id not in awaited]
            ledger.request(connection, job.id, again)
            requeue.free(connection, job.id, [one.volume_id for one in wanted])
            blocked = (
                blocking.block(connection, job.id, [one for one, _ in again]) if has_inputs else set[int]()
            )
            blocked_refs = tuple(ref for one, ref in again if one in blocked)
            again = [entry for entry in again if entry[0] not in blocked]
        removed = remove_letters(session.queue(job.dlq_url), [ref for _, ref in again])
        if tally.fed:
            tally.for_feeder += [ref for _, ref in again]
            again = []
        for start in range(0, len(again), _CHUNK):
            part = again[start : start + _CHUNK]
            failed = hand_over(session.database, session.queue(job.queue_url), job.id, part, held)
            tally.sent += [ref for n, (_, ref) in enumerate(part) if n not in failed]
            tally.refused += [(part[n][1], reason) for n, reason in failed.items()]
        with session.database.connection() as connection:
            record(session, connection, job, "redrive", tally.taken, dead_letters_removed=removed)
    waiting = tuple(one.ref for one in wanted if one.volume_id in awaited)
    return Redriven(
        tuple(tally.sent), tuple(tally.refused), removed, waiting, blocked_refs, tuple(tally.for_feeder)
    )


def sweep(session: Session, job: Job, *, queue_was_empty: bool = False) -> int:
    """Send again what waits without a message: :func:`bec_core.queues.sweep.sweep`."""
    return sweep_queue(session.database, session.queue(job.queue_url), job, queue_was_empty=queue_was_empty)
