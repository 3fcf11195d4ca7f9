"""Listings take short ways through a million tasks; what they list is what a plain look at every row would."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bec_core.db import Database, jobs
from bec_core.db.reads import failures, statistics, throughput, volume_list, volume_search
from bec_core.db.reads.volume_search import Condition
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


@pytest.fixture
def measured(filled: Database) -> Database:
    """The same; most results have figures, volumes have titles of a source, some were done anew since."""
    with filled.connection() as connection:
        connection.execute("UPDATE volumes SET bdrc_w_id = 'bench:' || bdrc_w_id WHERE id % 9 = 0")
        connection.execute(
            "UPDATE task_executions SET metrics = jsonb_build_object('lines', id % 5)"
            " || CASE WHEN id % 2 = 0 THEN '{\"blank\": 2.5}' ELSE '{}'::jsonb END"
            " WHERE status = 'done' AND id % 7 <> 0"
        )
        connection.execute(
            "UPDATE task_executions SET status = 'running' WHERE status = 'done' AND id % 11 = 0"
        )
        connection.execute("UPDATE task_executions SET status = 'done' WHERE id % 13 = 0")
    return filled


def _plainly(database: Database) -> list[dict[str, Any]]:
    """Every volume that the first job has a matter with, as the tables say it, row by row."""
    with database.reading() as connection:
        entries = dict(connection.execute("SELECT volume_id, state FROM ledger WHERE job_id = 1").fetchall())
        results = {
            row[0]: row[1:]
            for row in connection.execute(
                "SELECT volume_id, coalesce(metrics, '{}'), nb_errors FROM standing_results WHERE job_id = 1"
            )
        }
        running = {
            row[0]
            for row in connection.execute(
                "SELECT volume_id FROM task_executions WHERE job_id = 1 AND status = 'running'"
            )
        }
        named = {
            row[0]: row[1:] for row in connection.execute("SELECT id, bdrc_w_id, bdrc_i_id FROM volumes")
        }
    return [
        {
            "id": one, "w": named[one][0], "i": named[one][1],
            "state": "running" if one in running else entries.get(one, "done"),
            "errors": results[one][1] if one in results else None,
            **(results[one][0] if one in results else {}),
        }
        for one in sorted(entries.keys() | results.keys())
    ]  # fmt: skip


_ASKED: tuple[dict[str, Any], ...] = (
    {},
    {"states": ["failed"]},
    {"states": ["running"]},
    {"states": ["waiting", "running"]},
    {"states": ["done", "blocked"]},
    {"text": "W7"},
    {"text": "I1"},
    {"text": "W%"},
    {"text": "I_"},
    {"works": ["W3", "bench:W4"]},
    {"text": "I11", "works": ["W2"], "states": ["done", "running"]},
    {"conditions": [Condition("lines", 1, 3)]},
    {"conditions": [Condition("lines", 2), Condition("blank", None, 3)], "states": ["done", "waiting"]},
    {"conditions": [Condition("errors", 1)], "text": "W1"},
    {"conditions": [Condition("lines", 99)]},
)


@pytest.mark.parametrize("by", ["id", "lines", "blank", "errors"])
@pytest.mark.parametrize("descending", [False, True])
def test_volumes_found(measured: Database, by: str, descending: bool) -> None:
    known = _plainly(measured)
    for asked in _ASKED:
        _found_as_they_are(measured, known, asked, by=by, descending=descending)


def _found_as_they_are(
    measured: Database, known: list[dict[str, Any]], asked: dict[str, Any], *, by: str, descending: bool
) -> None:
    def fits(one: dict[str, Any]) -> bool:
        text, works = asked.get("text", ""), asked.get("works", ())
        named = one["i"].startswith(text) or one["w"].startswith(text) or f":{text}" in one["w"]
        return (
            (one["state"] in asked["states"] if "states" in asked else True)
            and ((bool(text) and named) or one["w"] in works or not (text or works))
            and all(
                one.get(bound.figure) is not None
                and (bound.at_least is None or one[bound.figure] >= bound.at_least)
                and (bound.at_most is None or one[bound.figure] <= bound.at_most)
                for bound in asked.get("conditions", ())
            )
        )

    def key(one: dict[str, Any]) -> tuple[bool, float, int]:
        value = one.get(by)
        return value is None, (-1 if descending else 1) * (value or 0), one["id"]

    expected = sorted((one for one in known if fits(one)), key=key)
    number = len(expected)
    with measured.reading() as connection:
        for limit, offset in [
            (1000, 0),
            (7, 0),
            (7, 3),
            (7, number // 2),
            (7, max(0, number - 5)),
            (7, number + 3),
        ]:
            found, total = volume_search.search(
                connection, 1, by=by, descending=descending, limit=limit, offset=offset, **asked
            )
            assert total == number, asked
            assert [one.volume_id for one in found] == [one["id"] for one in expected][
                offset : offset + limit
            ], asked
            states = {one["id"]: one["state"] for one in expected}
            assert [one.state for one in found] == [states[one.volume_id] for one in found]
    assert (
        expected or asked.get("conditions") == [Condition("lines", 99)] or asked.get("text") in ("W%", "I_")
    )
