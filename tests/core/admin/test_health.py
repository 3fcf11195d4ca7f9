"""The rules of ``bec health``, as functions of figures; and the figures, as the database gives them."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest

from bec_core.admin.health import Cause, Figures, Kind, PageErrorRate, Thresholds, troubles
from bec_core.db import Database, feeding, jobs
from bec_core.db.backlog import Backlog
from bec_core.db.feeding import FeederRow
from bec_core.db.reads import health
from bec_core.models import Job, JobStatus

NOW = datetime.now(UTC)
JOB = Job(1, "ldv1", "ldv1", {}, 1, JobStatus.ACTIVE, "postgres:///a", "postgres:///b", NOW, NOW)
WELL = Figures(
    backlog=Backlog(waiting=90, running=3, blocked=5, live_workers=3),
    feeder=FeederRow(4, "desk 17", 8.0),
    dead_workers=0,
    changed_s=1e6,
    asked_s=90_000,
    heard_s=3.0,
    worked_s=80_000,
    ended_s=20.0,
    given_up=0,
    ended=40,
    cause=None,
    recent=PageErrorRate(40, 4000, 8),
    past=PageErrorRate(1000, 100_000, 200),
)
NOBODY = Backlog(waiting=90, running=0, blocked=0, live_workers=0)
THROTTLED = Cause("f00d", "fetch", "StorageError", 12, "slow\ndown")


def kinds(job: Job = JOB, **changed: object) -> list[str]:
    found = troubles(job, attrs.evolve(WELL, **changed), Thresholds())  # type: ignore[arg-type]
    assert all("\n" not in one.text and one.remedy for one in found)
    return [one.kind.value for one in found]


def test_a_job_that_is_well_has_no_trouble() -> None:
    assert kinds() == []


def test_a_brake_that_was_pulled_is_told_with_its_reason() -> None:
    paused = attrs.evolve(JOB, status=JobStatus.PAUSED, brake_reason="20 of 40 failed by one cause")
    (found,) = troubles(paused, WELL, Thresholds())
    assert (found.kind, found.remedy) == (Kind.BRAKE, "bec jobs resume ldv1")
    assert "20 of 40 failed by one cause" in found.text


@pytest.mark.parametrize(
    ("trouble", "changed"),
    [
        (Kind.WORKERS_GONE, {"backlog": NOBODY, "heard_s": 700.0}),
        (Kind.WORKERS_GONE, {"backlog": NOBODY, "heard_s": None, "worked_s": None, "ended_s": None}),
        (Kind.FEEDER_GONE, {"feeder": FeederRow(4, "desk 17", 700.0)}),
        (Kind.FEEDER_GONE, {"feeder": FeederRow(4, None, None)}),
        (Kind.STANDSTILL, {"ended_s": 4000.0}),
        (Kind.STANDSTILL, {"ended_s": None}),
        (Kind.ONE_CAUSE, {"cause": THROTTLED}),
        (Kind.DEAD_LETTERS, {"given_up": 5}),
        (Kind.PAGE_ERRORS, {"recent": PageErrorRate(40, 4000, 80)}),
        (Kind.PAGE_ERRORS, {"recent": PageErrorRate(40, 4000, 80), "past": PageErrorRate(1000, 100_000, 0)}),
    ],
)
def test_each_trouble_is_told(trouble: Kind, changed: dict[str, object]) -> None:
    assert kinds(**changed) == [trouble.value]


@pytest.mark.parametrize(
    "changed",
    [
        {"backlog": NOBODY, "heard_s": 500.0},
        {"backlog": NOBODY, "heard_s": 1e6, "asked_s": 30.0},
        {"backlog": NOBODY, "heard_s": 1e6, "changed_s": 30.0},
        {"backlog": Backlog(0, 0, 5, 0), "heard_s": 1e6},
        {"feeder": None},
        {"feeder": FeederRow(4, "desk 17", 500.0)},
        {"feeder": FeederRow(4, "desk 17", 1e6), "asked_s": 30.0},
        {"feeder": FeederRow(4, None, None), "changed_s": 30.0},
        {"feeder": FeederRow(4, "desk 17", 1e6), "backlog": Backlog(0, 3, 5, 3)},
        {"ended_s": 1e6, "worked_s": 60.0},
        {"ended_s": 1e6, "asked_s": 60.0},
        {"ended_s": 1e6, "changed_s": 60.0},
        {"ended_s": 1e6, "backlog": Backlog(0, 0, 5, 3)},
        {"cause": attrs.evolve(THROTTLED, volumes=7)},
        {"cause": THROTTLED, "ended": 19},
        {"given_up": 4},
        {"recent": PageErrorRate(40, 4000, 30), "past": PageErrorRate(1000, 100_000, 0)},
        {"recent": PageErrorRate(40, 4000, 80), "past": PageErrorRate(1000, 100_000, 1000)},
        {"recent": PageErrorRate(19, 4000, 800)},
        {"recent": PageErrorRate(40, 4000, 800), "past": PageErrorRate(19, 100_000, 0)},
    ],
)
def test_what_is_below_a_threshold_or_has_another_reason_is_none(changed: dict[str, object]) -> None:
    assert kinds(**changed) == []


def test_a_paused_job_may_stand_still_and_one_that_is_over_has_no_trouble() -> None:
    paused, over = (attrs.evolve(JOB, status=status) for status in (JobStatus.PAUSED, JobStatus.COMPLETED))
    assert kinds(paused, backlog=NOBODY, heard_s=1e6, given_up=9) == ["dead-letters"]
    assert kinds(paused, ended_s=1e6, feeder=FeederRow(4, "desk 17", 1e6)) == []
    assert kinds(over, given_up=9, cause=THROTTLED) == []


def test_the_figures_are_the_databases(database: Database) -> None:
    with database.connection() as connection:
        job = jobs.create(
            connection, name="j", job_type="checksum", config={}, queue_url="postgres:///a", dlq_url="postgres:///b"
        )  # fmt: skip
        connection.execute(
            "INSERT INTO volumes (bdrc_w_id, bdrc_i_id) SELECT 'W', 'I' || n FROM generate_series(1, 60) n"
        )
        # the last ten: 3 throttled, 1 broken, 1 handed back by a worker that stopped, 5 done; before them 50 done
        connection.execute(
            """
            INSERT INTO task_executions (job_id, volume_id, s3_etag, status, done_at, total_images, nb_errors,
                error_stage, error_type, error_fingerprint, error_message)
            SELECT %s, id, decode(repeat('ab', 16), 'hex'),
                   (CASE WHEN n <= 5 THEN 'retryable_failed' ELSE 'done' END)::task_status,
                   now() - n * interval '10 s', CASE WHEN n <= 5 THEN NULL ELSE 100 END,
                   CASE WHEN n <= 5 THEN NULL WHEN n <= 10 THEN 7 ELSE 1 END,
                   'fetch', CASE WHEN n <= 3 THEN 'StorageError' WHEN n = 4 THEN 'Damaged'
                                 WHEN n = 5 THEN 'ShutdownRequested' END,
                   CASE WHEN n <= 3 THEN 'slow' WHEN n <= 5 THEN 'x' END, 'message ' || n
            FROM (SELECT id, substr(bdrc_i_id, 2)::int AS n FROM volumes) v
            """,
            (job.id,),
        )
        connection.execute(
            "INSERT INTO ledger (job_id, volume_id, source, state, changed_at, requested_at)"
            " SELECT %s, id, 's', CASE WHEN id %% 2 = 0 THEN 'failed' ELSE 'waiting' END, now() - id * interval '1 m',"
            " now() - id * interval '1 m' FROM volumes",
            (job.id,),
        )
        connection.execute(
            "INSERT INTO workers (worker_name, hostname, job_id, started_at, last_heartbeat_at, stopped_at)"
            " SELECT 'w', 'h', %s, now() - started, now() - heard, CASE WHEN stopped THEN now() END FROM (VALUES"
            " (interval '9 d', interval '8 d', true), (interval '9 h', interval '8 h', false),"
            " (interval '50 m', interval '5 s', false), (interval '40 m', interval '90 s', false)"
            " ) w (started, heard, stopped)",
            (job.id,),
        )
        feeding.give(connection, job.id, 7)
        feeding.beat(connection, job.id, "desk 17")
    with database.reading() as connection:
        found = health.figures(
            connection, job.id, at_work_within_s=3600, given_up_within_s=600, ended_within_s=3600, latest=9, before=20
        )  # fmt: skip
        nothing = health.figures(
            connection, 0, at_work_within_s=1, given_up_within_s=1, ended_within_s=1, latest=9, before=20
        )
    assert (found.backlog.live_workers, found.dead_workers, found.given_up, found.ended) == (1, 2, 4, 9)
    assert found.feeder is not None
    assert (found.feeder.per_worker, found.feeder.by, found.feeder.alive) == (7, "desk 17", True)
    assert found.cause is not None
    assert (found.cause.fingerprint, found.cause.volumes, found.cause.message) == ("slow", 3, "message 1")
    assert found.recent == PageErrorRate(5, 500, 35)
    assert found.past == PageErrorRate(20, 2000, 20)
    for age, expected in (
        (found.asked_s, 59 * 60), (found.heard_s, 5), (found.worked_s, 50 * 60), (found.ended_s, 10),
    ):  # fmt: skip
        assert age == pytest.approx(expected, abs=60 if expected > 100 else 8)
    assert (nothing.ended_s, nothing.heard_s, nothing.cause, nothing.recent.rate) == (None, None, None, 0.0)
