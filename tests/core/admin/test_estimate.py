"""When a job will be done: an interval with its ground, or nothing."""

import pytest

from bec_core.admin.estimate import estimate
from bec_core.admin.session import Session
from bec_core.db import jobs
from bec_core.db.reads.windows import Window, windows
from bec_core.settings import load_settings

STEADY = [Window(600, 300), Window(610, 300), Window(590, 300), Window(600, 300)]


def of(stretches=STEADY, *, pages_left=72_000, volumes_left=100, live_workers=2):
    return estimate(
        pages_left=pages_left,
        volumes_left=volumes_left,
        live_workers=live_workers,
        stretches=stretches,
        window_s=300.0,
    )


def test_a_steady_job():
    found = of()
    assert found.pages_per_worker_s == pytest.approx(2.0)
    assert found.low_s < 18_000 < found.high_s, "72,000 pages by two workers at 2 pages/s"
    assert found.high_s - found.low_s < 2_000
    assert found.worker_low_s == pytest.approx(2 * found.low_s)
    assert (found.workers, found.workers_before, found.windows) == (2, 1.0, 4)


def test_what_changes_much_is_wide_or_has_no_end():
    assert of([Window(300, 300), Window(900, 300)] * 3).high_s > 2 * of().high_s / 1.5
    wild = of([Window(5, 300), Window(1, 300), Window(0, 300), Window(2000, 300)])
    assert wild.high_s is None
    assert wild.low_s > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"pages_left": None},
        {"pages_left": 0},
        {"live_workers": 0},
        {"volumes_left": 0},
        {"stretches": STEADY[:3]},
        {"stretches": [Window(0, 300)] * 12},
        {"stretches": [*STEADY[:3], Window(0, 0)]},
        {"stretches": []},
    ],
    ids=str,
)
def test_where_there_is_no_ground_there_is_none(changes):
    assert of(**changes) is None


def test_more_workers_than_volumes_are_no_faster():
    assert of(volumes_left=1).low_s == pytest.approx(2 * of().low_s)


# the figures ----------------------------------------------------------------------------------------------

_WORKER = (
    "INSERT INTO workers (worker_name, hostname, job_id, process, started_at, last_heartbeat_at, stopped_at, activity)"
    " VALUES ('w', 'h', %s, '1', now() - %s::interval, now() - %s::interval, now() - %s::interval, %s)"
)
_DONE = (
    "INSERT INTO task_executions (job_id, volume_id, s3_etag, status, started_at, done_at, total_images)"
    " VALUES (%s, %s, decode(repeat('ab', 16), 'hex'), 'done', now() - %s::interval, now() - %s::interval, %s)"
)


@pytest.fixture
def job(database):
    with database.connection() as connection:
        return jobs.create(
            connection,
            name="j",
            job_type="checksum",
            config={},
            queue_url="postgres:///a",
            dlq_url="postgres:///b",
        )


def volume(connection, name):
    return connection.execute(
        "INSERT INTO volumes (bdrc_w_id, bdrc_i_id, nb_images) VALUES ('W1', %s, 100) RETURNING id", (name,)
    ).fetchone()[0]


def test_pages_and_workers_by_stretches_of_time(database, job):
    at_hand = '[{"pages_done": 40, "seconds": 60, "pages_resumed": 10}, {"pages_done": null}]'
    with database.connection() as connection:
        connection.execute(_WORKER, (job.id, "14 min", "0 s", None, at_hand))
        connection.execute(_WORKER, (job.id, "1 h", "11 min", "11 min", "[]"))
        connection.execute(_WORKER, (job.id, "1 h", "50 min", None, "[]"))  # died before all of it
        connection.execute(_DONE, (job.id, volume(connection, "I1"), "12 min", "8 min", 80))
        connection.execute(_DONE, (job.id, volume(connection, "I2"), "1 h", "2 h", 9))
        connection.execute(_DONE, (job.id, volume(connection, "I3"), "3 min", "3 min", 7))
        found = windows(connection, job.id, window_s=300.0, number=3, alive_s=45.0)
    assert [one.pages for one in found] == pytest.approx([40.0, 40.0, 37.0], abs=0.5)
    assert [one.worker_s for one in found] == pytest.approx([240 + 240, 300, 300], abs=0.5)


def test_a_job_that_nobody_works_on_has_none(database, job):
    with database.connection() as connection:
        found = windows(connection, job.id, window_s=300.0, number=12, alive_s=45.0)
    assert found == [Window(0.0, 0.0)] * 12


def test_it_is_shown_by_the_statistics(bec):
    bec.ok("jobs", "create", "--name", "lines", "--type", "checksum")
    assert bec.ok("jobs", "stats", "lines", "--json").json["estimate"] is None
    assert "95 %" not in bec.ok("jobs", "stats", "lines").out
    with Session(load_settings()) as session, session.database.connection() as connection:
        (job_id,) = connection.execute("SELECT id FROM jobs").fetchone()
        connection.execute(_WORKER, (job_id, "50 min", "0 s", None, "[]"))
        for minutes in range(0, 50, 5):
            began, ended = f"{minutes + 5} min", f"{minutes} min"
            done = volume(connection, f"I{minutes}")
            connection.execute(_DONE, (job_id, done, began, ended, 600))
        connection.execute(
            "INSERT INTO ledger (job_id, volume_id, source) VALUES (%s, %s, 'bdrc')",
            (job_id, volume(connection, "left")),
        )
    shown = bec.ok("jobs", "stats", "lines", "--hourly-price", "36").out
    assert "Time Left, 95 %: 50 s to 50 s" in shown
    assert "Cost Left, 95 %: 0.50 to 0.50" in shown
    assert "from 2.00 pages/s of a worker in 10 stretches of 5 min, 1 worker now, 1.0 then" in shown
    found = bec.ok("jobs", "stats", "lines", "--json").json["estimate"]
    assert found["low_s"] == pytest.approx(50, rel=0.02)
