"""Figures leave the database as plain numbers: no sum, average or age is a Decimal."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb
from psycopg.types.numeric import NumericLoader

from bec_core import db as room
from bec_core.db import Database, jobs
from bec_core.db.reads import pace as pace_room
from bec_core.db.reads import statistics, worker_list
from support.services import PostgresServer


class Refusing(NumericLoader):
    """Loads no ``numeric``: arithmetic with a float would fail, and JSON would show a text."""

    def load(self, data: object) -> object:  # type: ignore[override]
        raise AssertionError("a numeric left the database: cast it to bigint or float8")


@pytest.fixture
def strict(postgres: PostgresServer) -> Iterator[Database]:
    """A database whose connections refuse to hand out a ``numeric``."""
    psycopg.adapters.register_loader("numeric", Refusing)
    pool = Database(postgres.new_database(f"t_{uuid.uuid4().hex}"), max_size=2)
    pool.open()
    try:
        yield pool
    finally:
        pool.close()
        psycopg.adapters.register_loader("numeric", NumericLoader)


def test_the_figures_of_a_job_that_runs_are_plain_numbers(strict: Database) -> None:
    with strict.connection() as connection:
        job = jobs.create(
            connection,
            name="j",
            job_type="checksum",
            config={},
            queue_url="postgres:///a",
            dlq_url="postgres:///b",
        )
        at_hand = [
            {"task_id": 1, "volume": "W1/I1", "attempt": 1, "pages_done": 3, "pages_total": 9, "seconds": 1.5}
        ]
        connection.execute(
            "INSERT INTO workers (worker_name, hostname, job_id, activity) VALUES ('w', 'h', %s, %s)",
            (job.id, Jsonb(at_hand)),
        )
        connection.execute("INSERT INTO volumes (bdrc_w_id, bdrc_i_id, nb_images) VALUES ('W1', 'I1', 9)")
        connection.execute(
            "INSERT INTO task_executions (job_id, volume_id, s3_etag, status, worker_id, started_at, done_at,"
            " total_images, nb_errors, total_duration_ms, wall_clock_duration_ms, stage_ms, errors_by_stage)"
            " SELECT %s, v.id, decode(repeat('ab', 16), 'hex'), 'done', w.worker_id, now(), now(), 9, 1, 90, 30,"
            " '{\"decode\": 4.5}', '{\"decode\": 1}' FROM volumes v, workers w",
            (job.id,),
        )
        pace = pace_room.pace(connection, job.id)
        assert (pace.pages_at_hand, pace.pages) == (3, 9 + 3)
        assert pace.seconds / 2.0 >= 0
        assert statistics.worker_seconds(connection, job.id) + 0.5 > 0
        assert statistics.pages_waiting(connection, job.id) == (0, 0)
        assert [(f.stage, f.errors) for f in statistics.stages(connection, job.id, latest=5)] == [
            ("decode", 1)
        ]
        (total,) = statistics.totals(connection, job.id)
        assert (total.total_images, total.sum_wall_clock_ms + 0.5, total.sum_page_ms + 0.5) == (9, 30.5, 90.5)
        (row,) = worker_list.workers(connection, job.id, seen_within_s=60.0, limit=5)
        assert row.heartbeat_s + 0.5 > 0
        assert worker_list.totals(connection, row.id).work_ms == 30.0


def test_no_statement_lets_an_age_leave_uncast() -> None:
    """``extract`` gives a numeric: each says in the same statement what it is to be."""
    text = "".join(path.read_text() for path in Path(str(room.__file__)).parent.rglob("*.py"))
    ages = re.findall(r"extract\(.{0,260}", text, flags=re.DOTALL)
    assert ages
    assert [age for age in ages if "::float8" not in age and "::int" not in age] == []
