"""What a job has left behind over the years, and removing it: superseded versions, leftovers, old dead letters.

Of a superseded version the marker goes first: should the rest stay, it is a leftover, which the next call finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from attrs import frozen

from bec_core.admin.actions import record
from bec_core.admin.folders import Folder, list_folders
from bec_core.admin.session import Session
from bec_core.artifacts import MARKER_NAME, owner_of, parse_marker
from bec_core.db import audit as rows
from bec_core.db import collecting
from bec_core.errors import InvalidMessage, ObjectNotFound
from bec_core.models import Job, VolumeRef, decode_message
from bec_core.queues.letters import each_once, remove_letters, show_again
from bec_core.storage import Store

_LEFTOVER_AFTER = timedelta(days=1)  # a worker that died may still be taken up by another
_REMOVERS = 16


class Kind(StrEnum):
    """Kinds of what can go."""

    SUPERSEDED = "superseded"
    """The artifacts of an earlier version of a volume, which was done since at its present one."""
    LEFTOVER = "leftover"
    """Files that no marker lists, older than a day, of a volume that nobody has at hand."""
    DEAD_LETTER = "dead-letter"
    """The dead letter of a volume that was done since, or asked for again."""


@frozen
class Garbage:
    """What can go: of a folder its key, files and bytes; ``task_id`` of a superseded version."""

    kind: Kind
    ref: VolumeRef
    version: str | None = None
    prefix: str | None = None
    files: tuple[str, ...] = ()
    size: int = 0
    task_id: int | None = None


@frozen
class Collected:
    """What was removed."""

    folders: int
    files: int
    size: int
    dead_letters: int


def find_garbage(session: Session, job: Job) -> list[Garbage]:
    """What of a job can go; changes nothing (dead letters are looked at, and shown again)."""
    with session.database.reading() as connection:
        roots = rows.roots(connection, job.id)
        shared = collecting.roots_of_others(connection, job.id)
        results = collecting.results(connection, job.id)
        at_hand = collecting.at_hand(connection)
    folders = {folder.prefix: folder for folder in list_folders(session.artifacts, roots)}
    superseded, standing = [], set()
    for result in results:
        prefix = f"{result.root}/{result.ref.w_id}/{result.ref.i_id}/{result.version}/"
        folder = folders.get(prefix)
        if not result.superseded:
            standing.add(prefix)
        elif folder is not None:
            superseded.append(_of_folder(Kind.SUPERSEDED, result.ref, folder, result.task_id))
    busy = {(w_id.rpartition(":")[2], i_id) for w_id, i_id in at_hand}
    before = datetime.now(UTC) - _LEFTOVER_AFTER
    taken = standing | {one.prefix for one in superseded}
    leftovers = [
        _of_folder(Kind.LEFTOVER, VolumeRef(folder.w_id, folder.i_id), folder)
        for folder in folders.values()
        if MARKER_NAME not in folder.files
        and folder.prefix not in taken
        and folder.root not in shared
        and (folder.w_id, folder.i_id) not in busy
        and folder.newest is not None
        and folder.newest < before
    ]
    ours = [one for one in superseded if one.prefix not in standing and _is_ours(session.artifacts, job, one)]
    return [*ours, *leftovers, *_dead_letters(session, job)]


def _of_folder(kind: Kind, ref: VolumeRef, folder: Folder, task_id: int | None = None) -> Garbage:
    return Garbage(kind, ref, folder.version, folder.prefix, tuple(folder.files), folder.size, task_id)


def _is_ours(store: Store, job: Job, one: Garbage) -> bool:
    """Whether the marker that stands there is of this job: another's may share the place."""
    try:
        found = store.get(f"{one.prefix}{MARKER_NAME}")
    except ObjectNotFound:
        return True
    return owner_of(parse_marker(found.data), job.name) is None


def _dead_letters(session: Session, job: Job) -> list[Garbage]:
    queue = session.queue(job.dlq_url)
    seen = []
    try:
        for batch in each_once(queue):
            seen += batch
    finally:
        show_again(queue, seen)
    refs: dict[VolumeRef, None] = {}
    for message in seen:
        try:
            refs[decode_message(message)] = None
        except InvalidMessage:
            continue  # it names no volume; who looks at it decides
    if not refs:
        return []
    with session.database.connection() as connection:
        answered = collecting.answered(connection, job.id, list(refs))
    return [Garbage(Kind.DEAD_LETTER, ref) for ref in refs if ref in answered]


def collect(session: Session, job: Job, found: Sequence[Garbage]) -> Collected:
    """Remove what :func:`find_garbage` found."""
    folders = [one for one in found if one.prefix is not None]
    with ThreadPoolExecutor(_REMOVERS, "bec-gc") as pool:
        list(pool.map(lambda one: _remove(session.artifacts, one), folders))
    letters = remove_letters(
        session.queue(job.dlq_url), [one.ref for one in found if one.kind is Kind.DEAD_LETTER]
    )
    done = Collected(
        len(folders), sum(len(one.files) for one in folders), sum(one.size for one in folders), letters
    )
    with session.database.connection() as connection:
        collecting.note_collected(connection, [one.task_id for one in folders if one.task_id is not None])
        record(
            session, connection, job, "gc", done.folders,
            files=done.files, bytes=done.size, dead_letters=done.dead_letters,
        )  # fmt: skip
    return done


def _remove(store: Store, one: Garbage) -> None:
    if MARKER_NAME in one.files:
        store.delete(f"{one.prefix}{MARKER_NAME}")
    for name in one.files:
        store.delete(f"{one.prefix}{name}")
