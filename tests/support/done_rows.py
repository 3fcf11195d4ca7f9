"""Finished tasks as rows alone, for what reads only the database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

from bec_core.admin.session import Session
from bec_core.db.pool import Connection
from bec_core.models import Job, VolumeRef
from bec_core.settings import load_settings
from support.cli import Bec


def etag_of(name: str) -> bytes:
    """Some version."""
    return hashlib.md5(name.encode()).digest()


def done(
    connection: Connection,
    job: Job,
    ref: VolumeRef,
    *,
    metrics: Mapping[str, float] | None = None,
    content: str = "first",
    version: str = "abc123",
    etag: str = "",
    pages: int = 10,
    ago_s: float = 0,
    state: str = "done",
) -> int:
    """Let a job have done a volume ``ago_s`` seconds ago, with artifacts of this content; the volume's id."""
    row = connection.execute(
        "INSERT INTO volumes (bdrc_w_id, bdrc_i_id) VALUES (%s, %s) ON CONFLICT (bdrc_w_id, bdrc_i_id)"
        " DO UPDATE SET bdrc_w_id = excluded.bdrc_w_id RETURNING id",
        (ref.db_w_id, ref.i_id),
    ).fetchone()
    assert row is not None
    volume = int(row[0])
    connection.execute(
        """
        INSERT INTO task_executions (job_id, volume_id, s3_etag, version, status, started_at, done_at, total_images,
                                     nb_errors, artifacts, metrics, recipe)
        VALUES (%s, %s, %s, %s, 'done', clock_timestamp(), clock_timestamp() - make_interval(secs => %s), %s, 0, %s, %s,
                'r1')
        ON CONFLICT (job_id, volume_id, s3_etag) DO UPDATE SET epoch = task_executions.epoch + 1,
            request = task_executions.request + 1, status = 'done', done_at = excluded.done_at,
            artifacts = excluded.artifacts, metrics = excluded.metrics
        """,
        (
            job.id, volume, etag_of(etag), version, ago_s, pages, Jsonb({"x.parquet": content}),
            None if metrics is None else Jsonb(dict(metrics)),
        ),
    )  # fmt: skip
    connection.execute(
        "INSERT INTO ledger (job_id, volume_id, source, state) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (job.id, volume, ref.source, state),
    )
    return volume


@contextmanager
def session_with_titles(
    bec: Bec, monkeypatch: pytest.MonkeyPatch, catalogue: Path, text: str
) -> Iterator[Session]:
    """A session over a database with the job ``checksum``, and this catalogue of works."""
    bec.ok("jobs", "create", "--name", "checksum")
    catalogue.write_text(text)
    monkeypatch.setenv("BEC_CATALOGUE", str(catalogue))
    with Session(load_settings()) as opened:
        yield opened
