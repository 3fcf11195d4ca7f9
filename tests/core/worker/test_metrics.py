"""Metrics: refused when they are not declared, kept in row and marker, repaired from it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bec_core import Metric
from bec_core.db import Database, jobs
from bec_core.queues.memory import MemoryQueue
from bec_core.storage import open_store
from bec_core.testing.local import LocalTask, local_worker, write_pages
from bec_core.worker.metrics import Metrics
from support.author_job import AUTHOR
from support.worker_lab import QUICK, Lab

DECLARED = (
    Metric("cer", "Errors.", weight="chars"),
    Metric("chars", "Characters."),
    Metric("lines", "Lines."),
)


def test_the_latest_of_a_name_counts_and_whole_numbers_stay_whole() -> None:
    metrics = Metrics(DECLARED)
    metrics.give({"cer": 0.5, "chars": 10})
    metrics.give({"cer": np.float32(0.25), "chars": np.int64(12), "lines": 3.0})
    metrics.check()
    assert json.dumps(metrics.values) == '{"cer": 0.25, "chars": 12, "lines": 3}'


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"wer": 1}, r"wer is not declared in the job type's metrics \(declared: cer, chars, lines\)"),
        ({"lines": math.nan}, "lines=nan is no finite number"),
        ({"lines": math.inf}, "lines=inf is no finite number"),
        ({"lines": "3"}, "lines='3' is no finite number"),
        ({"lines": True}, "lines=True is no finite number"),
        ({"lines": None}, "lines=None is no finite number"),
        ({"wer": 1, "lines": math.nan}, "wer is not declared.*; lines=nan"),
    ],
)
def test_what_is_not_declared_or_no_number_is_refused_and_changes_nothing(
    values: dict[str, Any], said: str
) -> None:
    metrics = Metrics(DECLARED)
    metrics.give({"lines": 1})
    with pytest.raises(ValueError, match=said):
        metrics.give(values)
    assert metrics.values == {"lines": 1}


@pytest.mark.parametrize(
    ("values", "said"), [({"cer": 0.1}, "which was not given"), ({"cer": 0.1, "chars": -1}, "which is -1")]
)
def test_a_metric_needs_its_weight(values: dict[str, float], said: str) -> None:
    metrics = Metrics(DECLARED)
    metrics.give(values)
    with pytest.raises(ValueError, match=f"cer is weighed by chars, {said}"):
        metrics.check()


def test_a_job_without_metrics_may_give_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="declared: none"):
        Metrics(()).give({"x": 1})
    folder = write_pages(tmp_path, {"1.jpg": b"5/1"})
    task = LocalTask(AUTHOR, folder, config={"give": False})
    with local_worker(AUTHOR, {"give": False}) as worker:
        assert task.run(worker).marker["metrics"] == {}


@pytest.fixture
def lab(database: Database, tmp_path: Path) -> Lab:
    return Lab(
        database,
        MemoryQueue("memory:tasks"),
        MemoryQueue("memory:dead"),
        open_store((tmp_path / "out").as_uri()),
        tmp_path / "scans",
    )


def work(lab: Lab) -> None:
    with lab.worker(QUICK, job_type=AUTHOR) as worker:
        worker.run()


KEPT = "SELECT metrics FROM task_executions WHERE status = 'done'"


def test_they_stand_in_the_row_and_in_the_marker(lab: Lab) -> None:
    lab.ask(lab.volume("one", b"10/1", b"30/1"))
    work(lab)
    expected = {"pages": 2, "chars": 40, "error": 0.05}
    assert lab.rows(KEPT) == [(expected,)]
    (marker,) = lab.markers()
    assert marker["metrics"] == expected
    assert marker["stage_ms"].keys() == {"fetch", "read"} | (marker["stage_ms"].keys() & {"run"})


def test_a_row_that_is_made_from_its_marker_has_them_too(lab: Lab) -> None:
    ref = lab.volume("one", b"10/1")
    lab.ask(ref)
    work(lab)
    lab.rows("DELETE FROM task_executions RETURNING 1")
    lab.ask(ref)
    work(lab)
    assert lab.rows(KEPT) == [({"pages": 1, "chars": 10, "error": 0.1},)]


def test_what_is_done_again_without_them_has_none(lab: Lab) -> None:
    ref = lab.volume("one", b"10/1")
    lab.ask(ref)
    work(lab)
    lab.rows("UPDATE task_executions SET status = 'retryable_failed', done_at = NULL RETURNING 1")
    lab.rows("UPDATE ledger SET request = request + 1, state = 'waiting' RETURNING 1")
    lab.rows("UPDATE jobs SET config = '{\"give\": false}' RETURNING 1")
    with lab.database.connection() as connection:
        lab.job = jobs.get(connection, "checksum")
    lab.ask(ref)
    work(lab)
    assert lab.rows(KEPT) == [(None,)]


def test_a_weight_that_is_missing_is_the_jobs_failure(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from bec_core.worker.context import RunningTask

    give = RunningTask.metrics
    monkeypatch.setattr(RunningTask, "metrics", lambda self, **given: give(self, error=given["error"]))
    lab.rows("UPDATE jobs SET config = '{\"max_attempts\": 1}' RETURNING 1")
    with lab.database.connection() as connection:
        lab.job = jobs.get(connection, "checksum")
    lab.ask(lab.volume("one", b"10/1"))
    work(lab)
    rows = lab.rows("SELECT status, error_type, error_message FROM task_executions")
    assert [row[:2] for row in rows] == [("terminal_failed", "ValueError")]
    assert "error is weighed by chars, which was not given" in rows[0][2]
    assert lab.markers() == []
