"""The brake: one cause that fails volume after volume, or figures unlike before, pause the job; nothing else does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from psycopg.types.json import Jsonb

from bec_core import Metric
from bec_core.db import Database, jobs
from bec_core.db.reads import brake
from bec_core.db.reads.brake import Drift, Ended
from bec_core.db.reads.ended import Cause
from bec_core.errors import StorageRefused
from bec_core.models import JobStatus
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.testing.checksum_job import ChecksumWorker, Trouble
from bec_core.worker import End
from bec_core.worker.brake import Limits, drifted, one_cause
from support.worker_lab import QUICK, Lab

LIMITS = Limits(0.5, 8)
CONFIG = {"brake_volumes": 8, "max_attempts": 1}
BUG = Cause("f00d", "run", "KeyError", 4, "no such key\nat all")
SURE = Metric(
    "confidence", "Mean confidence.", weight="characters", better="higher", percent=True, drift=0.15
)
EMPTY = Metric("without_lines", "Pages without any line.", weight="pages", drift=0.3)


@pytest.fixture(autouse=True)
def attentive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bec_core.worker.brake._LOOK_EVERY_S", 0.0)


@pytest.fixture
def make_lab(database: Database, tmp_path: Path) -> Callable[..., Lab]:
    def make(**config: Any) -> Lab:
        queues = create_queues("checksum", "postgres", database=database)
        (tmp_path / "scans").mkdir()
        store = open_store((tmp_path / "out").as_uri())
        return Lab(
            database,
            queues.tasks,
            queues.dead_letters,
            store,
            tmp_path / "scans",
            config={**CONFIG, **config},
        )

    return make


def volumes(lab: Lab, first: bytes, count: int, name: str) -> None:
    lab.ask(*[lab.volume(f"{name}{n:02}", first + bytes([n])) for n in range(count)])


def job(lab: Lab) -> Any:
    with lab.database.connection() as connection:
        return jobs.get(connection, lab.job.id)


@contextmanager
def at_work(lab: Lab) -> Iterator[None]:
    """A worker in a thread, until the block ends."""
    with lab.worker(attrs.evolve(QUICK, shutdown_after_empty=None)) as worker:
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield
        finally:
            worker.stop_now()
            thread.join()


def wait_for(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_cause_pauses_the_job_says_why_and_resuming_starts_anew(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()
    volumes(lab, Trouble.UNEXPECTED.value, 12, "bad")
    with at_work(lab):
        wait_for(lambda: job(lab).status is JobStatus.PAUSED)
        assert lab.ledger_states() == {"failed": 4, "waiting": 8}, "half of eight must have ended"
        assert "4 of the last 4 volumes failed by one cause" in job(lab).brake_reason
        assert "KeyError: 'nobody thought of this'" in job(lab).brake_reason
        with lab.database.connection() as connection:
            jobs.set_status(connection, lab.job.id, JobStatus.ACTIVE)
        assert job(lab).brake_reason is None
        wait_for(lambda: job(lab).status is JobStatus.PAUSED)
        assert lab.ledger_states() == {"failed": 8, "waiting": 4}, "the first four are of no account any more"


def test_fewer_than_half_do_not(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()
    volumes(lab, b"fine", 8, "a-good")  # the next begins before one has ended: one of these may end last
    volumes(lab, Trouble.TERMINAL.value, 3, "bad")
    assert lab.work().end is End.NOTHING_LEFT
    assert (job(lab).status, job(lab).brake_reason) == (JobStatus.ACTIVE, None)


def test_trouble_of_a_service_is_no_cause(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab()
    volumes(lab, b"fine", 8, "vol")
    refused = iter(range(6))
    real = ChecksumWorker.run

    def run(self: ChecksumWorker, ctx: Any) -> Any:
        if next(refused, None) is not None:
            raise StorageRefused("no right to write there")
        return real(self, ctx)

    monkeypatch.setattr(ChecksumWorker, "run", run)
    monkeypatch.setattr("bec_core.worker.process._TROUBLE_PAUSE_S", (0.01, 0.01))
    assert lab.work(attrs.evolve(QUICK, shutdown_after_empty=40)).end is End.NOTHING_LEFT
    assert job(lab).status is JobStatus.ACTIVE
    assert lab.ledger_states() == {"done": 8}


@pytest.mark.parametrize(
    ("config", "options"), [({"brake_share": 0.0}, {}), ({}, {"until_drained": True})], ids=["off", "watched"]
)
def test_without_a_brake_all_volumes_end(
    make_lab: Callable[..., Lab], config: dict[str, Any], options: dict[str, Any]
) -> None:
    lab = make_lab(**config)
    volumes(lab, Trouble.TERMINAL.value, 10, "bad")
    assert lab.work(attrs.evolve(QUICK, **options)).end is End.NOTHING_LEFT
    assert lab.ledger_states() == {"failed": 10}


def test_who_let_the_job_go_on_meanwhile_is_not_overruled(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()
    with lab.database.connection() as connection:
        seen = brake.ended(connection, lab.job.id, latest=8, nobodys=[])
        jobs.set_status(connection, lab.job.id, JobStatus.ACTIVE)
        assert not jobs.pull_brake(connection, lab.job.id, "old news", judged_from=seen.judged_from)
        now = brake.ended(connection, lab.job.id, latest=8, nobodys=[])
        assert jobs.pull_brake(connection, lab.job.id, "news", judged_from=now.judged_from)
        assert not jobs.pull_brake(connection, lab.job.id, "twice", judged_from=now.judged_from)
    assert job(lab).brake_reason == "news"


def test_drift_is_read_by_weight_and_only_since_the_job_was_let_go_on(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()
    volumes(lab, b"fine", 9, "vol")
    lab.work()
    with lab.database.connection() as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM task_executions ORDER BY done_at")]
        for n, task in enumerate(ids):
            figures = {} if n == 0 else {"confidence": 0.9 if n < 5 else 0.5, "characters": 1 if n % 2 else 3}
            connection.execute(
                "UPDATE task_executions SET metrics = %s WHERE id = %s", (Jsonb(figures), task)
            )

        def read() -> Drift:
            return brake.drift(connection, lab.job.id, "confidence", "characters", latest=4, past=100)

        seen = read()
        assert (seen.latest_volumes, seen.past_volumes) == (4, 4)
        assert (seen.latest, seen.past) == (pytest.approx(0.5), pytest.approx(0.9))
        jobs.set_status(connection, lab.job.id, JobStatus.ACTIVE)
    with lab.database.connection() as connection:
        assert brake.drift(connection, lab.job.id, "confidence", "characters", latest=4, past=100) == Drift(
            None, 0, None, 0
        )


@pytest.mark.parametrize(
    ("ended", "braked"),
    [
        (Ended(None, 8, BUG), True),
        (Ended(None, 3, attrs.evolve(BUG, volumes=3)), False),
        (Ended(None, 8, attrs.evolve(BUG, volumes=3)), False),
        (Ended(None, 8, None), False),
    ],
)
def test_the_rule_of_one_cause(ended: Ended, braked: bool) -> None:
    reason = one_cause(ended, LIMITS)
    assert (reason is not None) is braked
    assert "\n" not in (reason or "")


@pytest.mark.parametrize(
    ("metric", "seen", "braked"),
    [
        (SURE, Drift(0.6, 8, 0.9, 100), True),
        (SURE, Drift(0.9, 8, 0.6, 100), False),
        (SURE, Drift(0.8, 8, 0.9, 100), False),
        (SURE, Drift(0.6, 3, 0.9, 100), False),
        (SURE, Drift(0.6, 8, 0.9, 3), False),
        (SURE, Drift(0.6, 8, None, 0), False),
        (EMPTY, Drift(0.5, 8, 0.1, 100), True),
        (EMPTY, Drift(0.1, 8, 0.5, 100), True),
        (attrs.evolve(SURE, drift=None), Drift(0.1, 8, 0.9, 100), False),
    ],
)
def test_the_rule_of_drift(metric: Metric, seen: Drift, braked: bool) -> None:
    assert (drifted(metric, seen, LIMITS) is not None) is braked
