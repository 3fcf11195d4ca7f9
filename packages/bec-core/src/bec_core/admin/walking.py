"""Asking a job for what is new or has changed in a source: by listing it, part after part.

Nothing but the listing is read: a version that it tells is compared with the one that was done. An interrupted walk
goes on where it stopped, for a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from attrs import define, frozen

from bec_core.admin.asking import Asked, ask
from bec_core.admin.entering import refuse_cancelled
from bec_core.admin.session import Session
from bec_core.db import walks
from bec_core.db.walks import Known
from bec_core.models import DEFAULT_SOURCE, Job, VolumeRef
from bec_core.source import Listable, ListedVolume

_AHEAD = 8  # parts that are listed at once
_GOES_ON_FOR_S = 24 * 3600.0


@frozen
class Look:
    """What a walk looks for."""

    new: bool
    changed: bool

    @property
    def name(self) -> str:
        """In words."""
        return ",".join(word for word, given in (("new", self.new), ("changed", self.changed)) if given)

    def wants(self, listed: ListedVolume, known: Known | None) -> bool:
        """Whether a listed volume is to be asked for; what waits already is not."""
        if known is None:
            return self.new
        return self.changed and known.state in ("done", "failed") and listed.etag != known.etag


@define
class Walked:
    """What a walk saw and did: parts seen in all and now, volumes listed, what was asked for."""

    parts: int
    seen_before: int
    seen: int
    volumes: int
    asked: Asked


def walk(
    session: Session,
    job: Job,
    look: Look,
    *,
    source: str = DEFAULT_SOURCE,
    dry_run: bool = False,
    limit: int | None = None,
    priority: int | None = None,
    progress: Callable[[int, int], None] = lambda _seen, _all: None,
) -> Walked:
    """Ask the job for what is new or has changed in a source.

    Args:
        session: the services.
        job: the job.
        look: what is asked for.
        source: the source's name.
        dry_run: only say what would be asked for; nothing is remembered.
        limit: ask for so many at most; the next walk goes on from the part that it broke off in.
        priority: of what is asked for.
        progress: told how many parts were seen, and of how many.

    Raises:
        SettingsError: the source can't be listed.
        ConflictError: the job is cancelled.
    """
    refuse_cancelled(job)
    opened = session.sources.listable(source)
    parts = list(opened.parts())
    with session.database.connection() as connection:
        seen = walks.walked(connection, job.id, source, look.name, within_s=_GOES_ON_FOR_S)
    left = [part for part in parts if part not in seen]
    done = Walked(len(parts), len(parts) - len(left), 0, 0, Asked(()))
    for part, listed in _listings(opened, left):
        room = None if limit is None else limit - _taken(done.asked)
        if room == 0:
            break
        asked = ask(
            session, job, _chosen(session, job, look, listed), dry_run=dry_run, limit=room, priority=priority
        )
        done.seen += 1
        done.volumes += len(listed)
        done.asked = _together(done.asked, asked)
        broken_off = any(reason == "over the limit" for _, reason in asked.skipped)
        if not dry_run and not broken_off:
            with session.database.connection() as connection:
                walks.note_walked(connection, job.id, source, look.name, part)
        if broken_off:
            break
        progress(done.seen_before + done.seen, len(parts))
    else:
        if not dry_run:
            with session.database.connection() as connection:
                walks.finish(connection, job.id, source, look.name)
    return done


def _listings(source: Listable, parts: Sequence[str]) -> Iterator[tuple[str, Sequence[ListedVolume]]]:
    """Part after part with its volumes, some listed ahead."""
    with ThreadPoolExecutor(_AHEAD, "bec-walk") as pool:
        for start in range(0, len(parts), _AHEAD):
            some = parts[start : start + _AHEAD]
            yield from zip(some, pool.map(source.list_part, some), strict=True)


def _chosen(session: Session, job: Job, look: Look, listed: Sequence[ListedVolume]) -> list[VolumeRef]:
    if not listed:
        return []
    with session.database.connection() as connection:
        known = walks.known(connection, job.id, [one.ref for one in listed])
    return [one.ref for one in listed if look.wants(one, known.get(one.ref))]


def _taken(asked: Asked) -> int:
    return len(asked.sent) + len(asked.for_feeder) + len(asked.blocked)


def _together(one: Asked, other: Asked) -> Asked:
    return Asked(
        one.sent + other.sent,
        one.skipped + other.skipped,
        one.refused + other.refused,
        one.blocked + other.blocked,
        one.for_feeder + other.for_feeder,
        one.reprioritised + other.reprioritised,
    )
