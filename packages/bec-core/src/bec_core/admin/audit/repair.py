"""Mending what an audit found.

A volume that somebody finished meanwhile is found done by the worker that gets its message, or is done once more.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bec_core.admin.audit.findings import Finding, Kind
from bec_core.admin.queues import send_again
from bec_core.admin.session import Session
from bec_core.db import ledger, requeue, tasks, volumes
from bec_core.errors import ConflictError, TaskError
from bec_core.models import Job, JobStatus, VolumeRef
from bec_core.worker.marker import outcome_of_marker

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
    if job.status is JobStatus.CANCELLED:
        raise ConflictError(f"job {job.name} is cancelled; to go on with it: bec jobs resume {job.name}")
    mended: list[Finding] = []
    left: list[Finding] = []
    again: dict[VolumeRef, list[Finding]] = {}
    for finding in findings:
        if not finding.mendable or finding.volume is None:
            left.append(finding)
        elif finding.kind is Kind.MARKER_WITHOUT_ROW:
            (mended if _row_from_marker(session, job, finding) else left).append(finding)
        elif finding.kind is Kind.LEDGER_BEHIND:
            _correct_ledger(session, job, finding)
            mended.append(finding)
        elif finding.kind in _QUEUE_AGAIN:
            again.setdefault(finding.volume, []).append(finding)
        else:
            left.append(finding)
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
        tasks.repair_done(
            connection,
            job_id=job.id,
            volume_id=finding.volume_id or volumes.upsert_ref(connection, finding.volume),
            etag=etag,
            version=str(finding.version),
            outcome=outcome_of_marker(marker),
        )
    return True


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
        tasks.set_ledger(connection, job.id, finding.volume_id, "done")


def _queue_again(session: Session, job: Job, again: dict[VolumeRef, list[Finding]]) -> set[VolumeRef]:
    """The ledger first, then the markers away, then the messages: as enqueueing by force does. What was refused."""
    refs = list(again)
    if not refs:
        return set()
    with session.database.connection() as lock, ledger.enqueueing(lock, job.id):
        with session.database.connection() as connection:
            ids = volumes.upsert_refs(connection, refs)
            ledger.request(connection, job.id, list(zip(ids, refs, strict=True)))
            requeue.free(connection, job.id, ids)
        for of_volume in again.values():
            for key in {finding.key for finding in of_volume if finding.key}:
                session.artifacts.delete(key)
        failed = send_again(session.queue(job.queue_url), refs)
        with session.database.connection() as connection:
            ledger.mark_sent(connection, job.id, [one for n, one in enumerate(ids) if n not in failed])
    return {refs[n] for n in failed}
