"""Results of line detection that nobody detected: real records in a real store, rows that say they are done."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence

import attrs

from bec_core.admin.session import Session
from bec_core.models import Job, VolumeRef
from bec_ldv1.record.records import PageRecord
from bec_ldv1.record.volume_file import VolumeFile
from ldv1.record.test_volume_file import page
from support.done_rows import done


def line_page(name: str, lines: int) -> PageRecord:
    """A page of so many lines, 1000 × 400 pixels."""
    return attrs.evolve(page(0, lines), img_file_name=name)


def put_result(
    session: Session,
    job: Job,
    ref: VolumeRef,
    records: Sequence[PageRecord],
    *,
    version: str = "abc123",
    etag: str = "",
    metrics: bool = False,
) -> int:
    """Publish a volume's Parquet file and marker, and a row that says done; without its metrics, as before them."""
    waiting, sink = io.BytesIO(), io.BytesIO()
    volume = VolumeFile(waiting, len(records))
    for record in records:
        volume.add(record)
    volume.write(sink)
    data = sink.getvalue()
    folder = f"{job.artifact_root}/{ref.w_id}/{ref.i_id}/{version}"
    name = f"{ref.w_id}-{ref.i_id}-{version}.parquet"
    sha256 = hashlib.sha256(data).hexdigest()
    session.artifacts.put(f"{folder}/{name}", data)
    marker = {"job_name": job.name, "artifacts": [{"name": name, "size": len(data), "sha256": sha256}]}
    session.artifacts.put(f"{folder}/success.json", json.dumps(marker).encode())
    with session.database.connection() as connection:
        return done(
            connection,
            job,
            ref,
            content=sha256,
            version=version,
            etag=etag,
            pages=len(records),
            metrics=volume.figures.metrics if metrics else {"lines": 1},
        )
