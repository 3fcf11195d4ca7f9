"""Making the database say what a marker says, and releasing what was blocked on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from bec_core.artifacts.marker import Marker, metrics_of
from bec_core.db import blocking, tasks
from bec_core.db.tasks import Outcome

if TYPE_CHECKING:
    from bec_core.db.pool import Connection


@frozen
class Remembered:
    """What came of it: whether the row did not say done before, and what the jobs that read this one can do now."""

    repaired: bool
    released: tuple[blocking.Released, ...] = ()


def remember(
    connection: Connection,
    marker: Marker,
    *,
    job_id: int,
    volume_id: int,
    etag: bytes,
    version: str,
    root: str | None,
) -> Remembered:
    """Let row and ledger of a job say that the volume is done by this marker, which lies below ``root``.

    The messages of what is released are to be sent once the transaction has ended.
    """
    is_read = blocking.before_finishing(connection, job_id)
    repaired = tasks.repair_done(
        connection,
        job_id=job_id,
        volume_id=volume_id,
        etag=etag,
        version=version,
        outcome=_outcome(marker.content),
        request=marker.request,
        recipe=marker.recipe,
        artifact_root=root,
        contents=tasks.Contents(marker.checksums, marker.lineage),
    )
    released = blocking.finished(connection, job_id, volume_id) if is_read else []
    return Remembered(repaired, tuple(released))


def _numbers(value: object, kind: Callable[[float], Any] = float) -> dict[str, Any] | None:
    """Figures by name; None: the marker has none."""
    if not isinstance(value, Mapping):
        return None
    return {
        str(name): kind(one)
        for name, one in value.items()
        if isinstance(one, (int, float)) and math.isfinite(one)
    }


def _outcome(content: Mapping[str, Any]) -> Outcome:
    """The figures of a marker, of whatever age: what it does not say is zero."""

    def number(key: str) -> float:
        value = content.get(key)
        return float(value) if isinstance(value, (int, float)) else 0.0

    return Outcome(
        total_images=int(number("total_images")),
        nb_errors=int(number("nb_errors")),
        total_duration_ms=number("total_duration_ms"),
        avg_duration_per_page_ms=number("avg_duration_per_page_ms"),
        wall_clock_duration_ms=number("wall_clock_duration_ms"),
        stage_ms=_numbers(content.get("stage_ms")),
        errors_by_stage=_numbers(content.get("errors_by_stage"), int),
        metrics=metrics_of(content),
    )
