"""SQL over ``standing_results``: each volume's latest result, which a trigger keeps, and what was read of it later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen
from psycopg.types.json import Jsonb

from bec_core.models import VolumeRef

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class StandingResult:
    """A job's latest result of a volume.

    Attributes:
        job_id, volume_id, task_id: in the database.
        w_id: as in the database, with the source where it is not the archive's.
        i_id: of the volume.
        source, i_version: what the ledger says of where the volume comes from; None where it has no entry.
        version: the last folder of its artifacts.
        root: the first.
        result: which one it is: another result of the volume has another.
        request, recipe: the ledger's number that it answers, and by what it was made (None: unknown).
        done_at: when it was done.
        pages: how many the volume has.
        metrics: its figures by name.
    """

    job_id: int
    volume_id: int
    task_id: int
    w_id: str
    i_id: str
    source: str | None
    i_version: str | None
    version: str
    root: str
    result: str
    request: int
    recipe: str | None
    done_at: datetime | None
    pages: int | None
    metrics: Mapping[str, float]

    @property
    def ref(self) -> VolumeRef:
        """The volume."""
        source, _, w_id = self.w_id.rpartition(":")
        if self.source is not None:
            return VolumeRef(w_id, self.i_id, self.source, self.i_version)
        return VolumeRef(w_id, self.i_id, source) if source else VolumeRef(w_id, self.i_id)


_SELECT = """
    SELECT s.job_id, s.volume_id, s.task_id, v.bdrc_w_id, v.bdrc_i_id, l.source, l.i_version, s.version,
           coalesce(s.artifact_root, CASE WHEN c.job_id IS NULL THEN j.config ELSE c.config END ->> 'artifact_prefix',
                    j.artifact_root, j.name),
           s.result, s.request, s.recipe, s.done_at, s.total_images, coalesce(s.metrics, '{}')
    FROM standing_results s JOIN jobs j ON j.id = s.job_id JOIN volumes v ON v.id = s.volume_id
    LEFT JOIN task_executions t ON t.id = s.task_id
    LEFT JOIN job_config_revisions c ON (c.job_id, c.revision) = (t.job_id, t.config_revision)
    LEFT JOIN ledger l ON (l.job_id, l.volume_id) = (s.job_id, s.volume_id)
"""


def of_volume(connection: Connection, job_id: int, w_id: str, i_id: str) -> list[StandingResult]:
    """The standing results of the volumes of these ids: one, or one for each source that has such a volume.

    ``w_id`` may have its source before it.
    """
    rows = connection.execute(
        f"{_SELECT} WHERE s.job_id = %(job)s AND v.bdrc_i_id = %(i)s AND (v.bdrc_w_id = %(w)s"
        " OR split_part(v.bdrc_w_id, ':', 2) = %(w)s) ORDER BY v.bdrc_w_id <> %(w)s, v.bdrc_w_id",
        {"job": job_id, "w": w_id, "i": i_id},
    )
    return [StandingResult(*row) for row in rows]


def of_ids(connection: Connection, job_id: int, volume_ids: Sequence[int]) -> list[StandingResult]:
    """The standing results of these volumes, by their ids."""
    rows = connection.execute(
        f"{_SELECT} WHERE s.job_id = %s AND s.volume_id = ANY(%s) ORDER BY s.volume_id",
        (job_id, list(volume_ids)),
    )
    return [StandingResult(*row) for row in rows]


def without(
    connection: Connection, job_id: int, names: Sequence[str], *, after: int, limit: int
) -> list[StandingResult]:
    """Results that lack one of these figures and were not read for them yet, by their volumes' ids."""
    rows = connection.execute(
        f"{_SELECT} WHERE s.job_id = %s AND s.indexed_at IS NULL"
        " AND NOT coalesce(s.metrics ?& %s::text[], false) AND s.volume_id > %s"
        " ORDER BY s.volume_id LIMIT %s",
        (job_id, list(names), after, limit),
    )
    return [StandingResult(*row) for row in rows]


def count_without(connection: Connection, job_id: int, names: Sequence[str]) -> int:
    """How many there are."""
    row = connection.execute(
        "SELECT count(*) FROM standing_results WHERE job_id = %s AND indexed_at IS NULL"
        " AND NOT coalesce(metrics ?& %s::text[], false)",
        (job_id, list(names)),
    ).fetchone()
    assert row is not None
    return int(row[0])


def add_metrics(connection: Connection, one: StandingResult, metrics: Mapping[str, float]) -> bool:
    """Add figures that were read of a result to its row and its task's; False: it stands no more."""
    values: dict[str, Any] = {
        "metrics": Jsonb(dict(metrics)),
        "task": one.task_id,
        "job": one.job_id,
        "volume": one.volume_id,
        "result": one.result,
    }
    connection.execute(
        """
        UPDATE task_executions t SET metrics = coalesce(t.metrics, '{}') || %(metrics)s
        FROM standing_results s WHERE t.id = %(task)s AND t.status = 'done'
          AND (s.job_id, s.volume_id, s.task_id, s.result) = (%(job)s, %(volume)s, t.id, %(result)s)
        """,
        values,
    )
    found = connection.execute(
        """
        UPDATE standing_results SET metrics = coalesce(metrics, '{}') || %(metrics)s, indexed_at = clock_timestamp()
        WHERE (job_id, volume_id, result) = (%(job)s, %(volume)s, %(result)s) RETURNING 1
        """,
        values,
    ).fetchone()
    return found is not None


@frozen
class PageCounts:
    """How many pages of a result are of each kind: ``counts`` has one number for each metric that was asked for."""

    volume_id: int
    counts: tuple[float | None, ...]


def page_counts(connection: Connection, job_id: int, names: Sequence[str]) -> Iterator[PageCounts]:
    """These metrics of each standing result of a job, by the volumes' ids."""
    columns = ", ".join(["(metrics ->> %s)::float8"] * len(names))
    rows = connection.execute(
        f"SELECT volume_id, {columns} FROM standing_results WHERE job_id = %s ORDER BY volume_id",
        (*names, job_id),
    )
    return (PageCounts(row[0], tuple(row[1:])) for row in rows)


def of_both(
    connection: Connection, before: int, after: int
) -> Iterator[tuple[str, str, Mapping[str, float], Mapping[str, float]]]:
    """The ids and the figures of every volume of which two jobs have a result: the one's, the other's."""
    rows = connection.execute(
        """
        SELECT v.bdrc_w_id, v.bdrc_i_id, coalesce(b.metrics, '{}'), coalesce(a.metrics, '{}')
        FROM standing_results b JOIN standing_results a USING (volume_id) JOIN volumes v ON v.id = volume_id
        WHERE b.job_id = %s AND a.job_id = %s ORDER BY volume_id
        """,
        (before, after),
        prepare=False,
    )
    yield from rows
