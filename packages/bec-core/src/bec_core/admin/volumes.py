"""Which volumes there are, in which versions, and how they stand with which jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from bec_core.admin.session import Session
from bec_core.db.reads import volume_list, volume_search
from bec_core.db.reads.volume_list import VolumeRow, VolumeTask
from bec_core.db.reads.volume_search import Condition, FoundVolume
from bec_core.errors import NotFoundError, SettingsError
from bec_core.job import Metric
from bec_core.models import Job, Work

__all__ = [
    "STANDINGS",
    "STATES",
    "Condition",
    "FoundVolume",
    "FoundVolumes",
    "VolumeDetails",
    "VolumeRow",
    "VolumeTask",
    "list_volumes",
    "parse_condition",
    "show_volume",
    "volumes_found",
]

STATES = ("waiting", "blocked", "held", "running", "done", "failed")
"""What is asked for of a volume: what :func:`volumes_found` filters by."""

_CONDITION = re.compile(r"(?P<figure>\w+)\s*(?P<sign>>=|<=|=)\s*(?P<value>\S.*?)\s*")

STANDINGS = ("waiting", "blocked", "held", "running", "done", "failed", "retryable_failed", "terminal_failed")
"""How a volume can stand with a job: its latest task's status, or what the ledger says."""


@frozen
class VolumeDetails:
    """A volume with its tasks and, beside each task, where its artifacts lie (None: it has no version)."""

    volume: VolumeRow
    tasks: tuple[tuple[VolumeTask, str | None], ...]


def list_volumes(
    session: Session,
    *,
    job: Job | None = None,
    status: str | None = None,
    beginning: str = "",
    limit: int = 50,
    after: int = 0,
) -> list[VolumeRow]:
    """Volumes by their ids in the database; see :func:`bec_core.db.reads.volume_list.volumes`."""
    with session.database.reading() as connection:
        return volume_list.volumes(
            connection,
            job_id=job.id if job else None,
            status=status,
            beginning=beginning,
            limit=limit,
            after=after,
        )


def show_volume(session: Session, w_id: str, i_id: str) -> list[VolumeDetails]:
    """The volumes of these ids (one for each source that has them) with their tasks.

    Raises:
        NotFoundError: the database knows none.
    """
    with session.database.reading() as connection:
        found = volume_list.named(connection, w_id, i_id)
        tasks = [volume_list.tasks(connection, volume.id) for volume in found]
    if not found:
        raise NotFoundError(f"no job was ever asked for a volume {w_id}/{i_id}; see: bec volumes list")
    return [
        VolumeDetails(volume, tuple((task, _place(session, volume, task)) for task in of_volume))
        for volume, of_volume in zip(found, tasks, strict=True)
    ]


def _place(session: Session, volume: VolumeRow, task: VolumeTask) -> str | None:
    if task.version is None:
        return None
    w_id = volume.w_id.rpartition(":")[2]
    return f"{session.settings.dest_location.rstrip('/')}/{task.root}/{w_id}/{volume.i_id}/{task.version}/"


@frozen
class FoundVolumes:
    """A page of what was found: the volumes, how many there are on all pages, and by W_ID what a catalogue says."""

    volumes: tuple[FoundVolume, ...]
    total: int
    works: Mapping[str, Work]


def volumes_found(
    session: Session,
    job: Job,
    *,
    text: str = "",
    states: Sequence[str] = (),
    conditions: Sequence[Condition] = (),
    by: str = "id",
    descending: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> FoundVolumes:
    """A job's volumes by what was found on them.

    Args:
        session: the services.
        job: the job; its type's metrics are what can be asked for.
        text: what a W_ID or an I_ID begins with, or what stands in the catalogue's title.
        states: some of :data:`STATES`; empty: any.
        conditions: all must hold; of metrics, or of ``pages`` and ``errors``.
        by: ``id``, ``done``, ``pages``, ``errors`` or a metric's name; volumes without it come last.
        descending: the largest first.
        limit: of one page.
        offset: so many before it.
    """
    titled = session.catalogue.titled(text) if text and session.catalogue else []
    with session.database.reading() as connection:
        found, total = volume_search.search(
            connection,
            job.id,
            text=text,
            works=titled,
            states=states,
            conditions=conditions,
            by=by,
            descending=descending,
            limit=limit,
            offset=offset,
        )
    works = {one.w_id: session.catalogue.of(one.w_id) for one in found} if session.catalogue else {}
    return FoundVolumes(tuple(found), total, works)


def parse_condition(text: str, metrics: Sequence[Metric]) -> Condition:
    """A condition as people write it: ``suspicious>=3``, ``confidence<=90%``, ``verdict=bad``.

    Raises:
        SettingsError: it is none, of an unknown figure, or its value is no number and none of the figure's words.
    """
    known = {metric.name: metric for metric in metrics}
    figures = [*known, "pages", "errors"]
    parts = _CONDITION.fullmatch(text.strip())
    if parts is None or parts["figure"] not in figures:
        raise SettingsError(
            f"{text!r} is no condition: write FIGURE>=NUMBER, FIGURE<=NUMBER or FIGURE=VALUE with one of "
            f"{', '.join(figures)}"
        )
    metric, value = known.get(parts["figure"]), parts["value"]
    labels = metric.labels if metric else ()
    try:
        number = (
            float(labels.index(value))
            if labels
            else float(value[:-1]) / 100
            if value.endswith("%")
            else float(value)
        )
    except ValueError:
        wanted = f"one of {', '.join(labels)}" if labels else "a number"
        raise SettingsError(f"{text!r}: {value!r} is not {wanted}") from None
    least = None if parts["sign"] == "<=" else number
    most = None if parts["sign"] == ">=" else number
    return Condition(parts["figure"], least, most)
