"""The one way to ask a job for volumes: enqueueing, repairing, ``bec run``, ``bec run-volume``.

Which are wanted is told by ``wanted``, what the ledger keeps by ``entering``; ``redriving`` asks again for what failed.

The ledger says what was asked; its entry comes first, then the message. An entry whose message did not reach the
queue (``sent_at`` is empty) is sent by the next asking that names it, or by an idle worker's
:func:`~bec_core.queues.sweep.sweep`, so a crash in between loses nothing. Whoever asks a job for volumes holds one
lock, so two at once don't send the same volume twice, and each goes through what was there when it began.

A request has a number in the ledger, which a marker must answer. Asking for what is missing keeps the number;
asking for what is done (by force, or because it is stale) raises it. Nothing is deleted: the old result stays,
readable and done, until a worker puts the new one in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from attrs import define, field, frozen

from bec_core.admin.actions import record
from bec_core.admin.canary import notice, refuse_second
from bec_core.admin.canary_choice import choose as choose_canary
from bec_core.admin.entering import CHUNK, enter, enter_in, has_feeder, only_one_asks, refuse_cancelled
from bec_core.admin.session import Session
from bec_core.admin.staleness import Reason
from bec_core.admin.wanted import SkipReason, Want, chooser, repeated
from bec_core.db import blocking, canary, inputs, jobs, ledger, volumes
from bec_core.db.locks import Held
from bec_core.errors import SettingsError
from bec_core.models import Job, VolumeRef
from bec_core.queues.release import release
from bec_core.queues.sending import hand_over
from bec_core.queues.sweep import sweep as sweep_queue

_LOOKED_AT_NOW = (
    1000  # blocked volumes whose inputs' markers are looked for at once; workers look for the rest
)
_NO_CANARY = (
    "a canary of what job {job} has done already would put its results in the place of those that stand: let a second"
    " job do some of the volumes, and compare (bec jobs create, then bec compare {job} OTHER): see the operators'"
    ' guide, "A new model, the safe way"'
)


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
    tally.skipped += [(ref, "named twice") for ref in repeated(refs)]

    def go_through(held: Held | None) -> None:
        split = chooser(session, job, want, reasons, fed=tally.fed)
        for start in range(0, len(unique), CHUNK):
            chunk = unique[start : start + CHUNK]
            left = None if limit is None else limit - tally.taken - len(all_wanted)
            if left == 0:
                tally.skipped += [(ref, "over the limit") for ref in chunk]
                continue
            wanted, skipped = split(chunk)
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
        with only_one_asks(session, job) as held:
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
        with only_one_asks(session, job) as held:
            for start in range(0, len(unique), CHUNK):
                _ask_for(session, job, unique[start : start + CHUNK], tally, held, raising=raising)
    return tally.asked


def raise_request(session: Session, job: Job, ref: VolumeRef) -> None:
    """Let only a new result answer the request for a volume that is about to be done here, without the job's queue.

    Its entry waits, unsent: should this process end before it is done, the next who asks (or an idle worker) sends it.
    """
    refuse_cancelled(job)
    with only_one_asks(session, job) as held:
        enter(session, job, [ref], held, raising=True)


def _prioritise(session: Session, job: Job, refs: Sequence[VolumeRef], priority: int, held: Held) -> int:
    with session.database.connection() as connection:
        held.confirm(connection)
        return ledger.prioritise(connection, job.id, volumes.upsert_refs(connection, refs), priority)


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
    entered = enter(session, job, wanted, held, raising=raising, priority=priority)
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
        for start in range(0, len(ordered), CHUNK):
            entries = enter_in(connection, job, ordered[start : start + CHUNK], priority=priority)
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


def sweep(session: Session, job: Job, *, queue_was_empty: bool = False) -> int:
    """Send again what waits without a message: :func:`bec_core.queues.sweep.sweep`."""
    return sweep_queue(session.database, session.queue(job.queue_url), job, queue_was_empty=queue_was_empty)
