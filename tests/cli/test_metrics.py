"""Metrics on the command line: added up while a job runs and after, and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from bec_core.admin.metrics import of_markers
from bec_core.db import Database, jobs
from bec_core.db.reads import statistics
from support.author_job import AUTHOR
from support.cli import Bec, install_plugin, write_archive_volume

VOLUMES: dict[str, list[bytes]] = {
    "I0001": [b"100/10", b"100/10"],
    "I0002": [b"800/0"],
    "I0003": [b"none", *[b"0/0"] * 30],
}


@pytest.fixture
def author(bec: Bec, tmp_path: Path) -> Bec:
    install_plugin(tmp_path / "plugins", "author", "support.author_job:AUTHOR")
    for name, pages in VOLUMES.items():
        write_archive_volume(tmp_path / "archive", "W1", name, pages)
    return bec


def run(bec: Bec, job: str, *volumes: str) -> None:
    for volume in volumes:
        bec.ok("queue", "enqueue", "--job-name", job, "--volume", f"W1,{volume}")
    bec.ok("worker", "--job-name", job, "--poll-wait", "0", "--shutdown-after-empty", "1")


def figures(bec: Bec, job: str) -> dict[str, tuple[Any, int]]:
    listed = bec.ok("jobs", "stats", job, "--json").json["metrics"]
    return {one["name"]: (one["value"], one["volumes"]) for one in listed}


def test_metrics_are_added_up_by_weight_as_volumes_get_done(author: Bec) -> None:
    author.ok("jobs", "create", "--name", "a", "--type", "author")
    author.ok("queue", "enqueue", "--job-name", "a", "--volume", "W1,I0002")
    assert figures(author, "a") == {"error": (None, 0), "chars": (None, 0), "pages": (None, 0)}
    run(author, "a", "I0001")
    assert figures(author, "a") == {"error": (0.02, 2), "chars": (1000, 2), "pages": (3, 2)}
    run(author, "a", "I0003")
    assert figures(author, "a") == {"error": (0.02, 3), "chars": (1000, 3), "pages": (34, 3)}
    shown = author.ok("jobs", "stats", "a").out
    assert "Metrics" in shown
    assert "2.00 %" in shown
    assert "1,000" in shown
    assert "weighed by chars" in shown


def test_two_runs_are_compared_by_their_metrics_over_what_both_have_done(author: Bec, tmp_path: Path) -> None:
    for name in ("a", "b"):
        author.ok("jobs", "create", "--name", name, "--type", "author")
    run(author, "a", "I0001", "I0002")
    write_archive_volume(tmp_path / "archive", "W1", "I0001", VOLUMES["I0001"])
    run(author, "b", "I0001")
    found = author.ok("compare", "a", "b", "--json").json
    assert (found["volumes"], found["report"]) == (1, None)
    assert {one["name"]: (one["before"], one["after"], one["verdict"]) for one in found["metrics"]} == {
        "error": (0.1, 0.1, None), "chars": (200, 200, None), "pages": (2, 2, None),
    }  # fmt: skip
    text = author.ok("compare", "a", "b").out
    assert "Metrics over 1 volume that both have done" in text
    assert "10.00 %" in text


def test_better_and_worse_are_said() -> None:
    from bec_core.admin.metrics import changes

    before = [{"metrics": {"error": 0.1, "chars": 100, "pages": 2}}]
    after = [{"metrics": {"error": 0.05, "chars": 100, "pages": 1}}]
    found = changes(AUTHOR.metrics, before, after)
    assert [one.verdict for one in found] == ["better", "", "worse"]
    assert AUTHOR.metrics[0].shown(found[0].change, signed=True) == "-5.00 points"
    assert AUTHOR.metrics[1].shown(1234567.0) == "1,234,567"
    assert AUTHOR.metrics[1].shown(0.123456) == "0.1235"
    assert AUTHOR.metrics[1].shown(None) is None


def test_a_job_whose_plugin_is_not_here_shows_no_metrics(author: Bec, tmp_path: Path) -> None:
    author.ok("jobs", "create", "--name", "a", "--type", "author")
    run(author, "a", "I0001")
    (tmp_path / "plugins/bec_author-0.1.dist-info/entry_points.txt").write_text("")
    ended = author.ok("jobs", "stats", "a")
    assert "Metrics" not in ended.out


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{}],
        [{"error": 0.5, "chars": 0}],
        [{"error": 0.5, "chars": 3}, {"chars": 5}, {"error": 0.25, "chars": 1, "pages": 4}, {"error": 1.0}],
        [{"pages": 1}, {"pages": 2.5}],
    ],
)
def test_the_database_and_the_markers_come_to_the_same(
    database: Database, rows: list[dict[str, float]]
) -> None:
    from psycopg.types.json import Jsonb

    with database.connection() as connection:
        job = jobs.create(
            connection, name="a", job_type="author", config={}, queue_url="postgres:///a", dlq_url="postgres:///b"
        )  # fmt: skip
        for number, row in enumerate(rows):
            connection.execute(
                "WITH v AS (INSERT INTO volumes (bdrc_w_id, bdrc_i_id) VALUES ('W', %s) RETURNING id)"
                " INSERT INTO task_executions (job_id, volume_id, s3_etag, status, metrics)"
                " SELECT %s, v.id, decode(repeat('ab', 16), 'hex'), 'done', %s FROM v",
                (f"I{number}", job.id, Jsonb(row)),
            )
        in_database = statistics.metrics(connection, job.id, [(m.name, m.weight) for m in AUTHOR.metrics])
    in_markers = of_markers(AUTHOR.metrics, [{"metrics": row} for row in rows])
    assert [attrs.astuple(one) for one in in_database] == [
        (one.metric.name, one.value, one.volumes) for one in in_markers
    ]
