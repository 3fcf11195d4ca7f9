"""Finding what does not fit together."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from attrs import frozen

from bec_core.admin.audit.findings import Finding, Kind
from bec_core.admin.folders import Folder, list_folders
from bec_core.admin.session import Session
from bec_core.artifacts import MARKER_NAME, Marker, damage_of, owner_of, parse_marker
from bec_core.db import audit as rows
from bec_core.db import blocking, feeding, recipes
from bec_core.db.audit import LedgerState, TaskState
from bec_core.errors import InvalidMessage, ObjectNotFound
from bec_core.models import Job, OutgoingMessage, TaskStatus, VolumeRef, decode_message
from bec_core.storage import Store
from bec_core.worker.parts import kept_of_job

_READERS = 32
_SETTLED_S = 300.0  # a queue's figures lag by up to a minute, and an enqueueing may be under way

Place = tuple[str, str, str]
"""W_ID, I_ID, version: what artifacts are keyed by."""


@frozen
class Audit:
    """The findings, and how much was looked at."""

    findings: tuple[Finding, ...]
    tasks: int
    ledger_entries: int
    markers: int
    contents_checked: int


def audit(session: Session, job: Job, *, sample: int | None = 100) -> Audit:
    """Compare what the database, the store and the queue say of a job.

    Args:
        sample: of how many finished tasks, chosen at random, the artifacts are read and compared with
            their markers; None: of all.
    """
    with session.database.reading() as connection:
        roots = rows.roots(connection, job.id)
        newest = recipes.newest(connection, job.id)
        # the database first: what is finished meanwhile has more in the store than we know of, never less
        entries = rows.ledger(connection, job.id, settled_after_s=_SETTLED_S)
        tasks = list(rows.tasks(connection, job.id))
        ready = blocking.blocked_but_ready(connection, job.id)
        fed = feeding.feeder_of(connection, job.id) is not None
    asked_for = _queued(session, job)
    folders = _folders(session.artifacts, roots)
    by_place = {_place(task): task for task in tasks if task.version is not None}
    marked = [(place, folder) for place, folder in folders.items() if MARKER_NAME in folder.files]
    chosen = marked if sample is None or sample >= len(marked) else random.sample(marked, sample)
    findings = [
        *_rows_without_markers(tasks, folders, entries),
        *_markers_without_rows(session.artifacts, job, marked, by_place, entries),
        *_ledger(entries, tasks, asked_for, fed=fed),
        *_forgotten(tasks, entries),
        *_contents(session.artifacts, chosen, by_place),
        *_orphans(folders, by_place),
        *_parts_left(session.artifacts, job, by_place),
        *(Finding(Kind.BLOCKED_READY, one.ref, volume_id=one.volume_id) for one in ready),
        *_older_recipes(tasks, newest),
    ]
    if isinstance(asked_for, int):
        waiting = sum(
            entry.state == "waiting" and entry.settled and not (fed and entry.sent_at is None)
            for entry in entries
        )
        if 0 < asked_for < waiting:
            detail = f"{asked_for} messages, {waiting} volumes wait; SQS does not tell which are missing"
            findings.append(Finding(Kind.QUEUE_SHORT, None, detail=detail, mendable=False))
    return Audit(tuple(findings), len(tasks), len(entries), len(marked), len(chosen))


def _place(task: TaskState) -> Place:
    return task.ref.w_id, task.ref.i_id, str(task.version)


def _queued(session: Session, job: Job) -> set[VolumeRef] | int:
    """The volumes that messages ask for; of SQS, which does not tell, how many messages there are."""
    if not job.queue_url.startswith("postgres:"):
        stats = session.queue(job.queue_url).stats()
        return stats.available + stats.in_flight + stats.delayed
    found: set[VolumeRef] = set()
    with session.database.reading() as connection:
        for body, attributes in rows.queued_bodies(connection, job.queue_url.rpartition("/")[2]):
            try:
                found.add(decode_message(OutgoingMessage(body, attributes)))
            except InvalidMessage:
                continue  # a worker will set it aside with the reason
    return found


def _folders(store: Store, roots: Sequence[str]) -> dict[Place, Folder]:
    return {(one.w_id, one.i_id, one.version): one for one in reversed(list_folders(store, roots))}


def _rows_without_markers(
    tasks: Iterable[TaskState], folders: Mapping[Place, Folder], entries: Sequence[LedgerState]
) -> Iterator[Finding]:
    waiting = {entry.volume_id for entry in entries if entry.state in ("waiting", "held")}
    for task in tasks:
        if task.status is not TaskStatus.DONE or task.volume_id in waiting:
            continue  # what waits is about to be done again: its marker was taken away on purpose
        folder = folders.get(_place(task))
        if folder is None or MARKER_NAME not in folder.files:
            detail = "" if task.latest else "of an earlier version of the volume: it can't be done again"
            yield Finding(
                Kind.ROW_WITHOUT_MARKER,
                task.ref,
                task.version,
                detail,
                mendable=task.latest,
                volume_id=task.volume_id,
            )


def _markers_without_rows(
    store: Store,
    job: Job,
    marked: Iterable[tuple[Place, Folder]],
    by_place: Mapping[Place, TaskState],
    entries: Sequence[LedgerState],
) -> Iterator[Finding]:
    """Markers for which no row says done. Those of tasks that were given up, or asked for again, are late ones."""
    asked = {entry.volume_id: entry.request for entry in entries}
    unknown = []
    for place, folder in marked:
        task = by_place.get(place)
        if task is None or (task.status is not TaskStatus.DONE and not task.leased):
            unknown.append((place, folder, task))
    with ThreadPoolExecutor(_READERS, "bec-audit") as pool:
        looks = pool.map(lambda one: _look(store, one[1]), unknown)
        for (place, folder, task), look in zip(unknown, looks, strict=True):
            if look is None or (task is None and owner_of(look[0], job.name)):
                continue  # gone meanwhile, or another job's in the same folder
            marker, damaged = look
            ref = (
                task.ref
                if task
                else VolumeRef(place[0], place[1], str(marker.content.get("source") or "bdrc"))
            )
            request = asked.get(task.volume_id, 0) if task else 0
            kind, detail = Kind.MARKER_WITHOUT_ROW, ""
            if damaged:
                kind, detail = Kind.LATE_MARKER, f"not believed: {damaged}"
            elif not marker.answers(request):
                kind = Kind.LATE_MARKER
                detail = f"not believed: it answers request {marker.request}, the latest is {request}"
            elif task is not None and task.status is TaskStatus.TERMINAL_FAILED:
                kind = Kind.LATE_MARKER
            yield Finding(
                kind, ref, place[2], detail, mendable=not detail, marker=marker.content,
                key=folder.prefix + MARKER_NAME, volume_id=task.volume_id if task else None,
            )  # fmt: skip


def _look(store: Store, folder: Folder) -> tuple[Marker, str] | None:
    """A folder's marker, and what is wrong with the files that it lists (empty: nothing)."""
    marker = _marker(store, folder.prefix)
    if marker is None:
        return None
    found = next(damage_of(store, folder.prefix, marker), None)
    return marker, f"{found.name}: {found.detail}" if found else ""


def _marker(store: Store, prefix: str) -> Marker | None:
    try:
        found = store.get(prefix + MARKER_NAME)
    except ObjectNotFound:
        return None
    return parse_marker(found.data, found.etag)


def _older_recipes(tasks: Iterable[TaskState], newest: str | None) -> Iterator[Finding]:
    """One finding that counts them; what says nothing of its recipe is unknown, never older."""
    if newest is None:
        return
    older = sum(
        task.status is TaskStatus.DONE and task.recipe not in (None, newest) for task in tasks if task.latest
    )
    if older:
        detail = f"{older} volumes; to do them again: bec queue enqueue --stale"
        yield Finding(Kind.OLDER_RECIPE, None, detail=detail, mendable=False)


def _ledger(
    entries: Iterable[LedgerState],
    tasks: Iterable[TaskState],
    asked_for: set[VolumeRef] | int,
    *,
    fed: bool,
) -> Iterator[Finding]:
    """What the ledger says and nothing else does; ``fed``: what waits without a message waits for the feeder."""
    leased = {task.volume_id for task in tasks if task.leased and task.status is TaskStatus.RUNNING}
    done = {(task.volume_id, task.request) for task in tasks if task.status is TaskStatus.DONE}
    answered: dict[int, int] = {}
    for volume_id, request in done:
        answered[volume_id] = max(request, answered.get(volume_id, 0))
    latest_done = {task.volume_id for task in tasks if task.status is TaskStatus.DONE and task.latest}
    for entry in entries:
        kind: Kind | None = None
        if entry.state == "waiting" and entry.settled and entry.volume_id not in leased:
            if entry.sent_at is None:
                kind = None if fed else Kind.LEDGER_UNSENT
            elif asked_for == 0 or (isinstance(asked_for, set) and entry.ref not in asked_for):
                kind = Kind.LEDGER_NOWHERE
        elif entry.state == "failed" and entry.volume_id in latest_done:
            kind = Kind.LEDGER_BEHIND
        elif entry.state == "done" and answered.get(entry.volume_id, -1) < entry.request:
            kind = Kind.LEDGER_AHEAD
        if kind is not None:
            yield Finding(kind, entry.ref, volume_id=entry.volume_id)


def _forgotten(tasks: Iterable[TaskState], entries: Sequence[LedgerState]) -> Iterator[Finding]:
    waiting = {entry.volume_id for entry in entries if entry.state in ("waiting", "held")}
    for task in tasks:
        if (
            task.status is TaskStatus.RUNNING
            and not task.leased
            and task.latest
            and task.volume_id not in waiting
        ):
            yield Finding(Kind.LEASE_FORGOTTEN, task.ref, task.version, volume_id=task.volume_id)


def _contents(
    store: Store, chosen: Sequence[tuple[Place, Folder]], by_place: Mapping[Place, TaskState]
) -> Iterator[Finding]:
    with ThreadPoolExecutor(_READERS, "bec-audit") as pool:
        for (place, folder), problems in zip(
            chosen, pool.map(lambda one: list(_damage(store, one[1])), chosen), strict=True
        ):
            task = by_place.get(place)
            ref = task.ref if task else VolumeRef(place[0], place[1])
            mendable = task is None or task.latest
            for kind, detail in problems:
                yield Finding(
                    kind,
                    ref,
                    place[2],
                    detail,
                    mendable,
                    task.volume_id if task else None,
                    folder.prefix + MARKER_NAME,
                )


def _damage(store: Store, folder: Folder) -> Iterator[tuple[Kind, str]]:
    """What is wrong with the files that a marker lists; markers of older programs list none."""
    marker = _marker(store, folder.prefix)
    for damage in damage_of(store, folder.prefix, marker) if marker else ():
        if damage.missing:
            yield Kind.ARTIFACT_MISSING, damage.name
        else:
            yield Kind.ARTIFACT_DIFFERS, f"{damage.name}: {damage.detail}"


def _orphans(folders: Mapping[Place, Folder], by_place: Mapping[Place, TaskState]) -> Iterator[Finding]:
    for place, folder in folders.items():
        task = by_place.get(place)
        if MARKER_NAME in folder.files or (
            task is not None and (task.leased or task.status is TaskStatus.DONE)
        ):
            continue
        size = sum(folder.files.values())
        detail = f"{len(folder.files)} files, {size} bytes in {folder.prefix}"
        yield Finding(Kind.ORPHAN, VolumeRef(place[0], place[1]), place[2], detail, mendable=False)


def _parts_left(store: Store, job: Job, by_place: Mapping[Place, TaskState]) -> Iterator[Finding]:
    """Kept pages of tasks that are done or given up, or that no row stands for; young ones may be being removed."""
    for kept in kept_of_job(store, job.name):
        folder = kept.folder
        task = by_place.get((folder.w_id, folder.i_id, folder.version))
        unfinished = task is not None and task.status in (TaskStatus.RUNNING, TaskStatus.RETRYABLE_FAILED)
        if (unfinished and task is not None and task.latest) or _age_s(kept.newest) < _SETTLED_S:
            continue
        detail = f"{kept.parts} parts, {kept.size} bytes in {folder.prefix}"
        yield Finding(Kind.PARTS_LEFT, VolumeRef(folder.w_id, folder.i_id), folder.version, detail)


def _age_s(at: datetime) -> float:
    return (datetime.now(UTC) - at).total_seconds()
