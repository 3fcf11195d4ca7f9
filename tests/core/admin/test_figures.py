"""Figures agree everywhere: one reckoning of pace and progress; means are over what ran; page time is no wall clock."""

from __future__ import annotations

import pytest
from psycopg.types.json import Jsonb

from bec_core.admin.dismissal import dismiss
from bec_core.admin.health import Thresholds, healths
from bec_core.admin.job_making import create_job
from bec_core.admin.overview import Choice, Monitor
from bec_core.admin.session import Session
from bec_core.admin.statistics import job_statistics, recent_tasks
from bec_core.db import workers
from bec_core.db.reads.pace import WINDOW_S, pace
from bec_core.models import Job
from bec_core.settings import load_settings
from support.cli import Bec

TASK = (
    "INSERT INTO task_executions (job_id, volume_id, s3_etag, status, started_at, done_at, total_images,"
    " total_duration_ms, wall_clock_duration_ms, lease_expires_at) VALUES (%s, %s, decode(repeat('ab', 16), 'hex'), %s,"
    " now() - %s * interval '1 s', now() - %s * interval '1 s', %s, %s, %s, now() + interval '1 h')"
)


@pytest.fixture
def session(bec: Bec):
    with Session(load_settings()) as opened:
        yield opened


@pytest.fixture
def job(session: Session) -> Job:
    made = create_job(session, name="j", job_type="checksum").job
    with session.database.connection() as connection:
        connection.execute(
            "INSERT INTO volumes (id, bdrc_w_id, bdrc_i_id, nb_images)"
            " SELECT n, 'W', 'I' || n, 100 FROM generate_series(1, 9) n"
        )
        connection.execute(
            "INSERT INTO ledger (job_id, volume_id, source, state)"
            " SELECT %s, id, 's', CASE WHEN id > 3 THEN 'waiting' ELSE 'done' END FROM volumes",
            (made.id,),
        )
    return made


def task(
    session: Session, job: Job, volume: int, status: str, began: float, ended: float | None, *figures: object
):
    with session.database.connection() as connection:
        connection.execute(TASK, (job.id, volume, status, began, ended, *figures))


def worker(session: Session, job: Job, heard_s: float, *activity: dict[str, object]) -> int:
    with session.database.connection() as connection:
        row = connection.execute(
            "INSERT INTO workers (worker_name, hostname, job_id, activity, last_heartbeat_at)"
            " VALUES ('w', 'h', %s, %s, now() - %s * interval '1 s') RETURNING worker_id",
            (job.id, Jsonb(list(activity)), heard_s),
        ).fetchone()
    assert row is not None
    return int(row[0])


def at_hand(pages: int, seconds: float, resumed: int = 0) -> dict[str, object]:
    return {"task_id": 1, "volume": "W/I4", "attempt": 1, "pages_done": pages, "pages_resumed": resumed,
            "pages_total": 100, "seconds": seconds}  # fmt: skip


def test_running_volumes_count_in_the_pace_and_a_long_one_by_the_part_in_the_window(
    session: Session, job: Job
) -> None:
    task(session, job, 1, "done", 900, 300, 60, 1.0, 1.0)
    task(session, job, 2, "done", 2 * WINDOW_S, 0, 100, 1.0, 1.0)  # half of it lies in the window
    worker(session, job, 5, at_hand(40, 600), at_hand(90, 60, resumed=80))
    worker(session, job, 300, at_hand(70, 60))  # dead: nobody goes on with it
    with session.database.reading() as connection:
        found = pace(connection, job.id)
    assert (found.pages, found.seconds) == (pytest.approx(60 + 50 + 40 + 10, abs=1), WINDOW_S)
    assert found.pages_at_hand == 40 + 90


def test_what_only_runs_has_a_pace_too(session: Session, job: Job) -> None:
    worker(session, job, 0, at_hand(40, 200))
    with session.database.reading() as connection:
        assert pace(connection, job.id).pages_per_s == pytest.approx(0.2, rel=0.05)


def test_the_screen_the_statistics_and_the_alarm_say_the_same(session: Session, job: Job) -> None:
    task(session, job, 1, "done", 900, 300, 60, 1.0, 1.0)
    task(session, job, 4, "running", 100, None, None, None, None)
    worker(session, job, 0, at_hand(40, 100))
    progress = job_statistics(session, job).progress
    (line,) = Monitor(session).look().jobs
    (well,) = healths(session, [job], Thresholds())
    assert (progress.waiting, progress.running, progress.live_workers) == (5, 1, 1)
    assert (well.figures.backlog.waiting, well.figures.backlog.running) == (5, 1)
    assert line.progress.waiting == progress.waiting
    assert line.progress.pages_per_s == pytest.approx(progress.pages_per_s, rel=0.05)
    assert line.progress.time_left_s == pytest.approx(progress.time_left_s, rel=0.05)
    assert progress.pages_left == 600 - 40


def test_a_tasks_duration_is_by_the_clock_as_in_the_list_and_a_pages_is_its_own(
    session: Session, job: Job
) -> None:
    task(session, job, 1, "done", 9, 1, 10, 4000.0, 1000.0)
    task(session, job, 2, "terminal_failed", 9, 1, 30, None, 3.0)  # gave up before it told any time
    task(session, job, 3, "terminal_failed", 9, 1, None, None, None)
    figures = job_statistics(session, job)
    assert (figures.avg_duration_per_task_ms, figures.avg_duration_per_page_ms) == (501.5, 400.0)
    assert {one.status.value: one.avg_duration_ms for one in figures.by_status} == {
        "done": 1000.0,
        "terminal_failed": 3.0,
    }
    assert {one.duration_s for one in recent_tasks(session, job, limit=9)} == {1.0, 0.003, None}


def test_the_dead_stay_on_the_screen_until_they_are_looked_after(session: Session, job: Job) -> None:
    living, dead, forgotten = (
        worker(session, job, 3, at_hand(1, 1)),
        worker(session, job, 100),
        worker(session, job, 9e5),
    )
    other = create_job(session, name="other", job_type="checksum").job

    def seen(choice: Choice | None = None) -> list[int]:
        return [view.row.id for view in Monitor(session, choice).look().workers]

    assert seen() == [forgotten, dead, living]
    assert seen(Choice(order="speed")) == [forgotten, dead, living]
    assert seen(Choice(states=frozenset({"working"}))) == [living]
    assert seen(Choice(job=other)) == []
    assert dismiss(session, None, other) == []
    assert dismiss(session, [living, dead]) == [dead]
    assert seen() == [forgotten, living]
    assert dismiss(session, None) == [forgotten]
    assert seen() == [living]
    with session.database.connection() as connection:
        workers.heartbeat(connection, dead, [])  # it was only silent
    assert seen() == [dead, living]
