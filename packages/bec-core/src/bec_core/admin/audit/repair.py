"""Mending what an audit found.

A volume that somebody finished meanwhile is found done by the worker that gets its message, or is done once more.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bec_core.admin.asking import ask_again
from bec_core.admin.audit.findings import Finding, Kind
from bec_core.admin.entering import refuse_cancelled
from bec_core.admin.session import Session
from bec_core.artifacts import Marker, remember
from bec_core.db import ledger, volumes
from bec_core.errors import TaskError
from bec_core.models import Job, VolumeRef
from bec_core.queues.letters import remove_letters
from bec_core.queues.release import release, send_released
from bec_core.worker.parts import PartsFolder

_QUEUE_AGAIN = frozenset(
    {
        Kind.ROW_WITHOUT_MARKER,
        Kind.LEDGER_UNSENT,
        Kind.LEDGER_NOWHERE,
        Kind.LEDGER_AHEAD,
        Kind.LEASE_FORGOTTEN,
        Kind.ARTIFACT_MISSING,
        Kind.ARTIFACT_DIFFERS,
    }
)

_DAMAGED = frozenset({Kind.ARTIFACT_MISSING, Kind.ARTIFACT_DIFFERS})
"""What stands is not to be believed: only a new marker answers."""


@frozen
class Repaired:
    """What was mended, what was queued again, and the findings that stay."""

    mended: tuple[Finding, ...]
    queued: tuple[VolumeRef, ...]
    left: tuple[Finding, ...]


def repair(session: Session, job: Job, findings: Sequence[Finding]) -> Repaired:
    """Mend what can be mended, and queue the rest again.

    Raises:
        ConflictError: the job is cancelled.
    """
    refuse_cancelled(job)
    mended: list[Finding] = []
    left: list[Finding] = []
    blocked: list[Finding] = []
    again: dict[VolumeRef, list[Finding]] = {}
    for finding in findings:
        if not finding.mendable or finding.volume is None:
            left.append(finding)
        elif finding.kind in (Kind.MARKER_WITHOUT_ROW, Kind.LATE_MARKER):
            done = _row_from_marker(session, job, finding)
            (mended if done else left).append(finding)
            if done and finding.kind is Kind.LATE_MARKER:
                remove_letters(session.queue(job.dlq_url), [finding.volume])
        elif finding.kind is Kind.LEDGER_BEHIND:
            _correct_ledger(session, job, finding)
            mended.append(finding)
        elif finding.kind is Kind.PARTS_LEFT:
            _remove_parts(session, job, finding)
            mended.append(finding)
        elif finding.kind is Kind.BLOCKED_READY:
            blocked.append(finding)
        elif finding.kind in _QUEUE_AGAIN:
            again.setdefault(finding.volume, []).append(finding)
        else:
            left.append(finding)
    if blocked:
        release(session.database, session.queue, job, sources=session.sources, store=session.artifacts)
        mended += blocked
    refused = _queue_again(session, job, again)
    for ref, of_volume in again.items():
        (left if ref in refused else mended).extend(of_volume)
    return Repaired(tuple(mended), tuple(ref for ref in again if ref not in refused), tuple(left))


def _row_from_marker(session: Session, job: Job, finding: Finding) -> bool:
    """Make the row that a marker stands for; False if the marker does not tell of which version it is."""
    assert finding.volume is not None
    marker = finding.marker or {}
    etag = _etag(session, finding, str(marker.get("input_etag", "")))
    if etag is None:
        return False
    with session.database.connection() as connection:
        remembered = remember(
            connection,
            Marker(marker),
            job_id=job.id,
            volume_id=finding.volume_id or volumes.upsert_ref(connection, finding.volume),
            etag=etag,
            version=str(finding.version),
            root=(finding.key or "").partition("/")[0] or None,
        )
    send_released(session.database, session.queue, remembered.released)
    return True


def _remove_parts(session: Session, job: Job, finding: Finding) -> None:
    ref = finding.volume
    assert ref is not None
    PartsFolder(session.artifacts, job.name, ref.w_id, ref.i_id, str(finding.version)).remove()


def _etag(session: Session, finding: Finding, said: str) -> bytes | None:
    assert finding.volume is not None
    if len(said) == 32:
        try:
            return bytes.fromhex(said)
        except ValueError:
            pass  # a marker that lies about this is looked up like one that says nothing
    try:
        volume = session.sources.resolve(finding.volume)
    except TaskError:
        return None
    return volume.etag if volume.version == finding.version else None


def _correct_ledger(session: Session, job: Job, finding: Finding) -> None:
    assert finding.volume_id is not None
    with session.database.connection() as connection:
        ledger.follow_row(connection, job.id, finding.volume_id)


def _queue_again(session: Session, job: Job, again: dict[VolumeRef, list[Finding]]) -> set[VolumeRef]:
    """Ask for them again, for those whose artifacts are damaged with a new number; what the queue refused."""
    damaged = [ref for ref, found in again.items() if any(one.kind in _DAMAGED for one in found)]
    others = [ref for ref in again if ref not in set(damaged)]
    asked = [ask_again(session, job, damaged, raising=True), ask_again(session, job, others, raising=False)]
    return {ref for one in asked for ref, _ in one.refused}
