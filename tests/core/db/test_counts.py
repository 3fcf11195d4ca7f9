"""What is blocked and what is out of date is counted by short ways; the counts are what a look at every row gives."""

from __future__ import annotations

import random

import pytest
from psycopg.types.json import Jsonb

from bec_core.db import Database, blocking, jobs, stale
from bec_core.models import TaskStatus

READER, INPUT, SOURCE = 1, 2, 3
"""The first job reads the second, and that the third."""

VOLUMES = range(1, 161)


@pytest.fixture(params=[3, 17])
def chain(database: Database, request: pytest.FixtureRequest) -> Database:
    """Volumes of two versions in every state of a task's life, also done and then done anew, given up or handed on."""
    rng = random.Random(request.param)
    with database.connection() as connection:
        for name in ("reader", "input", "source"):
            jobs.create(connection, name=name, job_type="x", config={}, queue_url=name, dlq_url=name + "d")
        connection.execute(
            "INSERT INTO job_inputs (job_id, name, input_job_id) VALUES (1, 'a', 2), (1, 'b', 3), (2, 'c', 3)"
        )
        connection.execute(
            "INSERT INTO job_recipes (job_id, recipe, contents, declared_at) SELECT job, recipe, '{}',"
            " now() + later FROM (VALUES (1), (2), (3)) j (job), (VALUES ('old', interval '0'),"
            " ('new', interval '1 s')) r (recipe, later)"
        )
        for volume in VOLUMES:
            connection.execute(
                "INSERT INTO volumes (bdrc_w_id, bdrc_i_id, last_s3_etag) VALUES ('W', %s, %s)",
                (f"I{volume}", rng.choice([None, bytes(16), bytes([1]) * 16])),
            )
        for volume in VOLUMES:
            for job in (SOURCE, INPUT, READER):
                if rng.random() < 0.8:
                    connection.execute(
                        "INSERT INTO ledger (job_id, volume_id, source, state, request)"
                        " VALUES (%s, %s, 'bdrc', %s, %s)",
                        (job, volume, rng.choice(["waiting", "blocked", "blocked", "held", "done", "failed"]),
                         rng.choice([0, 1])),
                    )  # fmt: skip
                for version in rng.sample([0, 1], rng.choice([0, 1, 2])):
                    row = connection.execute(
                        "INSERT INTO task_executions (job_id, volume_id, s3_etag, status, done_at, recipe, request,"
                        " artifacts, lineage) VALUES (%s, %s, %s, 'done', now() - make_interval(secs => %s), %s, %s,"
                        " %s, %s) RETURNING id",
                        (
                            job, volume, bytes([version]) * 16, rng.choice([None, 1, 2, 3]),
                            rng.choice(["old", "new", "new", None]), rng.choice([0, 1]),
                            rng.choice([None, Jsonb({"x": rng.choice("pq")})]),
                            rng.choice([None, Jsonb([
                                {"input": name, "job": of, "artifact": "x", "sha256": rng.choice("ppq")}
                                for name, of in [("a", "input"), ("b", "source"), ("c", "source")]
                            ])]),
                        ),
                    ).fetchone()  # fmt: skip
                    if row is not None and rng.random() < 0.4:  # claimed again, and then
                        connection.execute(
                            "UPDATE task_executions SET status = %s, done_at = NULL WHERE id = %s",
                            (rng.choice([one.value for one in TaskStatus]), row[0]),
                        )
    return database


@pytest.mark.parametrize("job", [READER, INPUT, SOURCE])
def test_what_is_out_of_date(chain: Database, job: int) -> None:
    with chain.reading() as connection:
        plain = connection.execute(
            f"""
            SELECT v.bdrc_i_id, latest.recipe = 'old', changed FROM (
                SELECT DISTINCT ON (volume_id) *, {stale.CHANGED_INPUTS.format(job="t.job_id")} AS changed
                FROM task_executions t WHERE job_id = %s AND status = 'done'
                ORDER BY volume_id, done_at DESC NULLS LAST, id DESC) latest
            JOIN volumes v ON v.id = latest.volume_id LEFT JOIN ledger l USING (job_id, volume_id)
            WHERE (latest.recipe = 'old' OR changed IS NOT NULL)
              AND NOT coalesce(l.state IN ('waiting', 'blocked', 'held') AND l.request > latest.request, false)
            ORDER BY v.bdrc_w_id, v.bdrc_i_id
            """.encode(),
            (job,),
        ).fetchall()
        found = stale.stale(connection, job)
        assert plain
        assert [
            (one.ref.i_id, one.was is not None, list(one.inputs) or None, one.now is not None)
            for one in found
        ] == [(i_id, bool(old), changed, bool(old)) for i_id, old, changed in plain]
        assert stale.count_stale(connection, job) == len(plain)


def _missing(chain: Database, job: int) -> dict[int, dict[str, set[str | None]]]:
    """By blocked volume and own input, how it stands with each job up the chain that has not done it."""
    with chain.reading() as connection:
        states = {
            tuple(row[:2]): row[2]
            for row in connection.execute("SELECT job_id, volume_id, state FROM ledger")
        }
        latest = dict(connection.execute("SELECT id, last_s3_etag FROM volumes").fetchall())
        done = {
            (job_id, volume)
            for job_id, volume, etag in connection.execute(
                "SELECT job_id, volume_id, s3_etag FROM task_executions WHERE status = 'done'"
            )
            if latest[volume] in (None, etag)
        }
        inputs = connection.execute("SELECT job_id, name, input_job_id FROM job_inputs").fetchall()

    def up(of: int, volume: int) -> set[str | None]:
        found: set[str | None] = {states.get((of, volume))}
        if found == {"blocked"}:
            for reader, _, read in inputs:
                if reader == of and (read, volume) not in done:
                    found |= up(read, volume)
        return found

    return {
        volume: {
            name: up(read, volume)
            for reader, name, read in inputs
            if reader == job and (read, volume) not in done
        }
        for (of, volume), state in states.items()
        if of == job and state == "blocked"
    }


@pytest.mark.parametrize("job", [READER, INPUT])
def test_what_is_blocked_and_on_what(chain: Database, job: int) -> None:
    missing = _missing(chain, job)
    by_input: dict[str, list[int]] = {}
    for waits_for in missing.values():
        for name, states in waits_for.items():
            which = 1 if "failed" in states else 2 if states & {None, "done"} else 0
            by_input.setdefault(name, [0, 0, 0])[which] += 1
    coming = sum(
        not any(states & {None, "done", "failed"} for states in waits_for.values())
        for waits_for in missing.values()
    )
    ready = [volume for volume, waits_for in missing.items() if not waits_for]
    with chain.reading() as connection:
        found = blocking.blocked_on(connection, job)
        assert {one.input: [one.waiting, one.failed, one.not_asked] for one in found} == by_input
        assert blocking.blocked(connection, job) == (len(missing), coming, len(ready))
        assert [one.volume_id for one in blocking.blocked_but_ready(connection, job)] == sorted(ready)
    assert by_input
    assert ready
