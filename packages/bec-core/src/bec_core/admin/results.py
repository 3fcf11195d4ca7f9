"""Reading standing results again: the figures and pages of each, by its job type's own reader."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from attrs import evolve, field, frozen

from bec_core.admin.session import Session
from bec_core.artifacts import Marker, TaskFolder
from bec_core.db import standing
from bec_core.db.standing import StandingResult
from bec_core.errors import BecError, NotFoundError, ObjectNotFound
from bec_core.job import JobType
from bec_core.models import Job, Volume
from bec_core.plugins import load_object
from bec_core.results import FiguresReader, ResultFigures
from bec_core.worker.metrics import Metrics

_CHUNK = 200
_READERS = 8


class UnreadableResult(BecError):
    """A result's artifacts can't be read; the message says why."""


@frozen(slots=False)
class Stored:
    """A :class:`~bec_core.results.StoredResult`: what lies in the store, as its marker lists it."""

    folder: TaskFolder

    @property
    def basename(self) -> str:
        """What the artifacts' names begin with."""
        return self.folder.basename

    @cached_property
    def _marker(self) -> Marker:
        found = self.folder.marker()
        if found is None:
            raise UnreadableResult("its marker is gone")
        return found

    @property
    def marker(self) -> Mapping[str, Any]:
        """The content of ``success.json``."""
        return self._marker.content

    def artifact(self, suffix: str) -> bytes:
        """The artifact ``{basename}{suffix}``.

        Raises:
            UnreadableResult: it is gone, or not the one that the marker lists.
        """
        try:
            data = self.folder.read(suffix)
        except ObjectNotFound:
            raise UnreadableResult(f"its artifact {suffix} is gone") from None
        listed = (self._marker.checksums or {}).get(self.basename + suffix)
        if listed is not None and hashlib.sha256(data).hexdigest() != listed:
            raise UnreadableResult(f"its artifact {suffix} is not the one that its marker lists")
        return data


def stored(session: Session, result: StandingResult) -> Stored:
    """The artifacts of a result."""
    volume = Volume(result.ref, bytes(16), result.version, ())  # only its name is asked for
    return Stored(TaskFolder(session.artifacts, result.root, volume))


def figures_of(session: Session, job_type: JobType, result: StandingResult) -> ResultFigures:
    """The figures of a result, as its artifacts tell them.

    Raises:
        NotFoundError: the job type has no reader of them.
        UnreadableResult: they can't be read, or are none that the job type declares.
    """
    if job_type.figures is None:
        raise NotFoundError(f"the job type {job_type.name} reads no figures of results that are done")
    reader: FiguresReader = load_object(job_type.figures)
    try:
        found = reader(stored(session, result))
        checked = Metrics(job_type.metrics)
        checked.give(found.metrics)
        checked.check()
    except ValueError as error:
        raise UnreadableResult(str(error)) from error
    return evolve(found, metrics=checked.values)


def page_names(session: Session, job: Job, result: StandingResult) -> list[str]:
    """The file names of a result's pages, in order: its own, else those of the volume if it is unchanged.

    Raises:
        UnreadableResult: neither can be had.
    """
    job_type = session.plugins.job_type(job.type)
    if job_type.figures is not None and (pages := figures_of(session, job_type, result).pages):
        return [page.image for page in pages]
    volume = session.sources.resolve(result.ref)
    if volume.version != result.version:
        raise UnreadableResult(f"its pages are not known: the volume has version {volume.version} now")
    return [page.filename for page in volume.pages]


def find_page(session: Session, job: Job, result: StandingResult, text: str) -> str:
    """The page that somebody means by its file name or its number, from 1.

    Raises:
        NotFoundError: there is none.
        UnreadableResult: the result's pages can't be had.
    """
    names = page_names(session, job, result)
    if text in names:
        return text
    if text.isdecimal() and 1 <= int(text) <= len(names):
        return names[int(text) - 1]
    near = difflib.get_close_matches(text, names, 1)
    hint = f"; is {near[0]} meant?" if near else ""
    raise NotFoundError(
        f"{result.ref} has no page {text!r}: give a file name, or a number from 1 to {len(names)}{hint}"
    )


@frozen
class Indexed:
    """What was read: results whose figures are known now, and by the reason those that were skipped, with one each."""

    read: int
    skipped: Mapping[str, int] = field(factory=dict)
    examples: Mapping[str, str] = field(factory=dict)
    left: int = 0


def index_results(
    session: Session,
    job: Job,
    *,
    limit: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Indexed:
    """Let SQL know the figures of what was done before they were declared.

    What is known stays after each few hundred, so an interrupted call is gone on with by the next. What can't be read
    is tried again by the next.

    Args:
        session: the services.
        job: the job.
        limit: look at so many results at most.
        progress: told how many were looked at, and of how many.

    Raises:
        NotFoundError: the job type has no reader of figures.
    """
    job_type = session.plugins.job_type(job.type)
    if job_type.figures is None:
        raise NotFoundError(f"the job type {job_type.name} reads no figures of results that are done")
    names = [metric.name for metric in job_type.metrics if metric.weight is None]
    with session.database.reading() as connection:
        missing = standing.count_without(connection, job.id, names)
    total = missing if limit is None else min(limit, missing)
    done = read = after = 0
    skipped: Counter[str] = Counter()
    examples: dict[str, str] = {}
    session.artifacts  # noqa: B018 - opened once, not by the first of many threads
    with ThreadPoolExecutor(_READERS, "bec-index") as pool:
        while done < total:
            with session.database.reading() as connection:
                chunk = standing.without(
                    connection, job.id, names, after=after, limit=min(_CHUNK, total - done)
                )
            if not chunk:
                break
            looks = list(pool.map(lambda one: _look(session, job_type, one), chunk))
            with session.database.connection() as connection:
                for result, found in zip(chunk, looks, strict=True):
                    if isinstance(found, str):
                        skipped[found] += 1
                        examples.setdefault(found, f"{result.w_id}/{result.i_id}")
                    else:
                        read += standing.add_metrics(connection, result, found.metrics)
            done, after = done + len(chunk), chunk[-1].volume_id
            progress(done, total)
    return Indexed(read, dict(skipped), examples, missing - done)


def _look(session: Session, job_type: JobType, result: StandingResult) -> ResultFigures | str:
    try:
        return figures_of(session, job_type, result)
    except UnreadableResult as error:
        return str(error)
