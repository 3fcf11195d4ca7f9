"""Which of the volumes that somebody names are asked for, and why the others are not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Literal

from bec_core.admin.session import Session
from bec_core.admin.staleness import Reason, stale_volumes
from bec_core.db import ledger
from bec_core.errors import StorageError, TaskError
from bec_core.models import Job, VolumeRef

SkipReason = Literal[
    "named twice",
    "waiting already",
    "held back until the canary has passed",
    "done at this version",
    "not stale",
    "over the limit",
]

LOOKUPS = 32
"""So many volumes are looked at at once."""


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


def repeated(refs: Iterable[VolumeRef]) -> list[VolumeRef]:
    """Those that were named before."""
    seen: set[VolumeRef] = set()
    repeated = []
    for ref in refs:
        if ref in seen:
            repeated.append(ref)
        seen.add(ref)
    return repeated


Chosen = tuple[list[VolumeRef], list[tuple[VolumeRef, SkipReason]]]


def chooser(
    session: Session, job: Job, want: Want, reasons: Collection[Reason], *, fed: bool
) -> Callable[[Sequence[VolumeRef]], Chosen]:
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


def _missing(session: Session, job: Job, refs: Sequence[VolumeRef], *, done_too: bool, fed: bool) -> Chosen:
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
    with ThreadPoolExecutor(LOOKUPS, "bec-lookup") as pool:
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
