"""Taking over results that only the store knows: an earlier system's, or those of a database that was lost.

The markers tell all that a row and a ledger entry say of what is done. What is known already is left alone, so the same
call goes on where one was interrupted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from bec_core.admin.actions import record
from bec_core.admin.folders import Folder, list_folders
from bec_core.admin.session import Session
from bec_core.artifacts import MARKER_NAME, Marker, owner_of, parse_marker, remember
from bec_core.db import adopting, volumes
from bec_core.db import audit as rows
from bec_core.db.blocking import Released
from bec_core.errors import InvalidMessage, ObjectNotFound, StorageError, TaskError
from bec_core.models import DEFAULT_SOURCE, Job, VolumeRef, check_id
from bec_core.queues.release import send_released

_READERS = 32
_CHUNK = 200


@frozen
class Adopted:
    """What was taken over (or, dry run, would be), what was known already, and what was not, by the reason."""

    volumes: int
    pages: int
    known: int
    left_out: Mapping[str, int]
    examples: Mapping[str, str] = field(factory=dict)


@frozen
class _Found:
    """A marker that can be taken over."""

    folder: Folder
    ref: VolumeRef
    marker: Marker
    etag: bytes
    done_at: datetime


def adopt(
    session: Session,
    job: Job,
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Adopted:
    """Make rows and ledger say what the markers below the job's folders say.

    A marker counts if every file that it lists lies there with its size; their contents are an audit's business.

    Args:
        session: the services.
        job: the job.
        dry_run: only say what would be done; the markers are read all the same.
        progress: told how many markers were read, and of how many.
    """
    with session.database.reading() as connection:
        roots = rows.roots(connection, job.id)
        known = adopting.known(connection, job.id)
    folders = [one for one in list_folders(session.artifacts, roots) if MARKER_NAME in one.files]
    left = [one for one in folders if (one.w_id, one.i_id, one.version) not in known]
    left.sort(key=lambda one: one.newest or datetime.min.replace(tzinfo=UTC), reverse=True)
    session.sources  # noqa: B018 - opened once, not by the first of many threads
    adopted = pages = 0
    left_out: Counter[str] = Counter()
    examples: dict[str, str] = {}
    with ThreadPoolExecutor(_READERS, "bec-adopt") as pool:
        for start in range(0, len(left), _CHUNK):
            chunk = left[start : start + _CHUNK]
            looks = pool.map(lambda one: _look(session, job, one), chunk)
            found = []
            for folder, look in zip(chunk, looks, strict=True):
                if isinstance(look, _Found):
                    found.append(look)
                else:
                    left_out[look] += 1
                    examples.setdefault(look, folder.prefix)
            if not dry_run:
                _take_over(session, job, found)
            adopted += len(found)
            pages += sum(_pages(one.marker.content) for one in found)
            progress(start + len(chunk), len(left))
    if adopted and not dry_run:
        with session.database.connection() as connection:
            record(session, connection, job, "adopt", adopted, left_out=dict(left_out))
    return Adopted(adopted, pages, len(folders) - len(left), dict(left_out), examples)


def _look(session: Session, job: Job, folder: Folder) -> _Found | str:
    """The marker of a folder, or why it can't be taken over."""
    try:
        stored = session.artifacts.get(f"{folder.prefix}{MARKER_NAME}")
    except ObjectNotFound:
        return "its marker is gone since"
    marker = parse_marker(stored.data, stored.etag)
    if not marker.content:
        return "its marker can't be read"
    if owner := owner_of(marker, job.name):
        return f"it is of job {owner}"
    if any(folder.files.get(one.name) != one.size for one in marker.artifacts):
        return "files that its marker lists are missing, or of another size"
    source = marker.content.get("source")
    try:
        ref = VolumeRef(
            check_id(folder.w_id, "w_id"),
            check_id(folder.i_id, "i_id"),
            source if isinstance(source, str) and source else DEFAULT_SOURCE,
        )
    except InvalidMessage:
        return "its folder names no volume"
    etag = _told(marker) or _looked_up(session, ref, folder.version)
    if etag is None:
        return "its marker does not tell the version, and the source has another one by now"
    if etag.hex()[:6] != folder.version:  # the version has a name of its own
        ref = VolumeRef(ref.w_id, ref.i_id, ref.source, folder.version)
    return _Found(folder, ref, marker, etag, _time(marker) or stored.last_modified)


def _told(marker: Marker) -> bytes | None:
    said = marker.content.get("input_etag")
    try:
        etag = bytes.fromhex(said) if isinstance(said, str) else b""
    except ValueError:
        return None
    return etag if len(etag) == 16 else None


def _looked_up(session: Session, ref: VolumeRef, version: str) -> bytes | None:
    try:
        volume = session.sources.resolve(ref)
    except (TaskError, StorageError):
        return None
    return volume.etag if volume.version == version else None


def _time(marker: Marker) -> datetime | None:
    try:
        said = datetime.fromisoformat(str(marker.content.get("timestamp")))
    except ValueError:
        return None
    return said if said.tzinfo else said.replace(tzinfo=UTC)


def _pages(content: Mapping[str, Any]) -> int:
    value = content.get("total_images")
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _take_over(session: Session, job: Job, found: Sequence[_Found]) -> None:
    released: list[Released] = []
    with session.database.connection() as connection:
        for one in found:
            volume_id = volumes.upsert_ref(connection, one.ref)
            remembered = remember(
                connection,
                one.marker,
                job_id=job.id,
                volume_id=volume_id,
                etag=one.etag,
                version=one.folder.version,
                root=one.folder.root,
            )
            adopting.complete(
                connection,
                job.id,
                volume_id,
                one.ref,
                etag=one.etag,
                pages=_pages(one.marker.content),
                request=one.marker.request,
                done_at=one.done_at,
            )
            released += remembered.released
    send_released(session.database, session.queue, released)
