"""Listings take short ways through a million tasks; what they list is what a plain look at every row would."""

from __future__ import annotations

import random

import pytest

from bec_core.db import Database, jobs
from bec_core.db.reads import failures, statistics, throughput, volume_list
from bec_core.models import TaskStatus

TASK_STATES = [one.value for one in TaskStatus]
ENTRY_STATES = ["waiting", "blocked", "held", "done", "failed"]


@pytest.fixture
def filled(database: Database) -> Database:
    """Two jobs; volumes with an entry, with tasks of several versions, with both or neither."""
    rng = random.Random(7)
    with database.connection() as connection:
        for name in ("one", "two"):
            jobs.create(connection, name=name, job_type="x", config={}, queue_url=name, dlq_url=name + "d")
        connection.execute(
            "INSERT INTO volumes (bdrc_w_id, bdrc_i_id) SELECT 'W' || n / 10, 'I' || n FROM generate_series(0, 119) n"
        )
        for volume in range(1, 121):
            for job in (1, 2):
                if rng.random() < 0.7:
                    connection.execute(
                        "INSERT INTO ledger (job_id, volume_id, source, state) VALUES (%s, %s, 'bdrc', %s)",
                        (job, volume, rng.choice(ENTRY_STATES)),
                    )
                for version in range(rng.choice([0, 1, 1, 2])):
                    moment = rng.choice([None, *range(1, 200)])
                    status = rng.choice(TASK_STATES)
                    failed = status.endswith("failed")
                    connection.execute(
                        "INSERT INTO task_executions (job_id, volume_id, s3_etag, status, started_at, done_at,"
                        " nb_errors, error_type, error_fingerprint, handed_back, page_errors) VALUES (%s, %s, %s, %s,"
                        " now() - make_interval(secs => %s), now() - make_interval(secs => %s), %s, %s, %s, %s, %s)",
                        (
                            job, volume, bytes([version]) * 16, status, moment, rng.choice([None, *range(1, 200)]),
                            rng.choice([0, 0, 3]), rng.choice(["A", "B", None]) if failed else None,
                            rng.choice(["f", "g"]) if failed else None, failed and rng.random() < 0.3,
                            rng.choice([None, "[]"]) if failed else None,
                        ),
                    )  # fmt: skip
    return database


@pytest.mark.parametrize("limit", [3, 1000])
@pytest.mark.parametrize("status", [*TASK_STATES, *ENTRY_STATES])
def test_volumes_by_how_they_stand(
    filled: Database, monkeypatch: pytest.MonkeyPatch, status: str, limit: int
) -> None:
    monkeypatch.setattr(volume_list, "_LEAST", 2)
    with filled.reading() as connection:
        every = volume_list.volumes(connection, job_id=1, limit=1000)
        expected = [one for one in every if ("one", status) in [tuple(pair) for pair in one.standing]]
        found = volume_list.volumes(connection, job_id=1, status=status, limit=limit)
        assert found == expected[:limit]
        if len(found) == limit:
            rest = volume_list.volumes(connection, job_id=1, status=status, limit=1000, after=found[-1].id)
            assert rest == expected[limit:]
        of_one = volume_list.volumes(connection, job_id=1, status=status, beginning="W7", limit=1000)
        assert of_one == [one for one in expected if one.w_id.startswith("W7")]
    assert expected or status == "unknown"


@pytest.mark.parametrize("status", [None, *TaskStatus])
@pytest.mark.parametrize("limit", [4, 1000])
def test_recent_tasks(filled: Database, status: TaskStatus | None, limit: int) -> None:
    with filled.reading() as connection:
        plain = connection.execute(
            "SELECT id FROM task_executions WHERE job_id = 1 AND (%(s)s::task_status IS NULL OR status = %(s)s)"
            " ORDER BY started_at DESC NULLS LAST, id DESC LIMIT %(limit)s",
            {"s": status.value if status else None, "limit": limit},
        ).fetchall()
        found = statistics.recent_tasks(connection, 1, limit=limit, status=status)
    assert [one.id for one in found] == [row[0] for row in plain]


@pytest.mark.parametrize("job", [None, 2])
@pytest.mark.parametrize("limit", [4, 1000])
def test_failures_and_page_errors(filled: Database, job: int | None, limit: int) -> None:
    latest = "ORDER BY done_at DESC NULLS LAST, id DESC LIMIT %(limit)s"
    mine = "(%(job)s::int IS NULL OR job_id = %(job)s)"
    with filled.reading() as connection:

        def plain(condition: str) -> list[int]:
            query = f"SELECT id FROM task_executions t WHERE {mine} AND {condition} {latest}"
            return [row[0] for row in connection.execute(query.encode(), {"job": job, "limit": limit})]

        failed = f"status IN ('retryable_failed', 'terminal_failed') AND NOT {failures.HANDED_BACK}"
        found = failures.failed_tasks(connection, job, limit=limit)
        assert [one.id for one in found] == plain(failed)
        found = failures.failed_tasks(connection, job, limit=limit, error_type="A", fingerprint="f")
        assert [one.id for one in found] == plain(
            failed + " AND error_type = 'A' AND error_fingerprint = 'f'"
        )
        found = failures.failed_tasks(connection, job, limit=limit, status=TaskStatus.TERMINAL_FAILED)
        assert [one.id for one in found] == plain(failed + " AND status = 'terminal_failed'")
        found = failures.tasks_with_page_errors(connection, job, limit=limit)
        assert [one.id for one in found] == plain(
            "nb_errors > 0 AND (status = 'done' OR page_errors IS NOT NULL)"
        )
        task = failures.task(connection, found[0].id)
        assert task is not None
        assert task.id == found[0].id


@pytest.mark.parametrize("stretch_s", [1800, 43200, 0.5])
def test_stretches_of_whole_and_of_broken_seconds(filled: Database, stretch_s: float) -> None:
    """Two small whole numbers were multiplied as such, and were too much for one."""
    with filled.reading() as connection:
        found = throughput.stretches(connection, 1, stretch_s=stretch_s, number=60)
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE status = 'done'), count(*) FILTER (WHERE status = 'terminal_failed')"
            " FROM task_executions WHERE job_id = 1 AND done_at > statement_timestamp() - make_interval(secs => %s)",
            (60.0 * stretch_s,),
        ).fetchone()
    assert len(found) == 60
    assert (sum(one.volumes for one in found), sum(one.failed for one in found)) == row
