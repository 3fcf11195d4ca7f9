"""A job's canary in its workers' hands: who ends the last of it judges, an idle one does it for who did not live to."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import attrs
import pytest
from psycopg.types.json import Jsonb

from bec_core import Metric
from bec_core.db import Database, blocking, canary, inputs, jobs, ledger, volumes
from bec_core.models import JobStatus, VolumeRef
from bec_core.queues import create_queues
from bec_core.queues.sending import hand_over
from bec_core.storage import open_store
from bec_core.testing.checksum_job import CHECKSUM, Trouble
from bec_core.worker import End
from bec_core.worker.canary import Judged, judge
from support.reading_job import READER
from support.worker_lab import QUICK, Lab

SURE = Metric(
    "confidence", "Mean confidence.", weight="characters", better="higher", percent=True, drift=0.15
)


@pytest.fixture
def lab(database: Database, tmp_path: Path) -> Lab:
    queues = create_queues("checksum", "postgres", database=database)
    (tmp_path / "scans").mkdir()
    store = open_store((tmp_path / "out").as_uri())
    return Lab(
        database, queues.tasks, queues.dead_letters, store, tmp_path / "scans", config={"max_attempts": 1}
    )


def made(lab: Lab, name: str, number: int, first: bytes = b"fine") -> list[VolumeRef]:
    return [lab.volume(f"{name}{n:02}", first + bytes([n])) for n in range(number)]


def put_out(lab: Lab, first: list[VolumeRef], rest: list[VolumeRef]) -> None:
    """What enqueueing with ``--canary`` does."""
    refs = [*first, *rest]
    with lab.database.connection() as connection:
        blocking.entering(connection, lab.job.id)
        ids = volumes.upsert_refs(connection, refs)
        ledger.request(connection, lab.job.id, list(zip(ids, refs, strict=True)))
        blocked = blocking.block(connection, lab.job.id, ids)
        canary.put_out(connection, lab.job.id, ids[: len(first)])
        canary.hold(connection, lab.job.id, ids)
    sent = [(one, ref) for one, ref in zip(ids, first, strict=False) if one not in blocked]

    class Ours:
        def confirm(self, _: object) -> None: ...

    hand_over(lab.database, lab.tasks, lab.job.id, sent, Ours())  # type: ignore[arg-type]


def job(lab: Lab) -> Any:
    with lab.database.connection() as connection:
        return jobs.get(connection, lab.job.id)


def test_who_ends_the_last_of_it_releases_the_rest(lab: Lab) -> None:
    put_out(lab, made(lab, "canary", 3), made(lab, "rest", 4))
    assert lab.ledger_states() == {"waiting": 3, "held": 4}
    assert lab.work(attrs.evolve(QUICK, shutdown_after_empty=40)).end is End.NOTHING_LEFT
    assert lab.ledger_states() == {"done": 7}


def test_one_that_fails_pauses_the_job_before_the_rest_is_sent(lab: Lab) -> None:
    put_out(
        lab, [*made(lab, "canary", 3), *made(lab, "bad", 1, Trouble.TERMINAL.value)], made(lab, "rest", 4)
    )
    with lab.worker(attrs.evolve(QUICK, shutdown_after_empty=None)) as worker:
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            for _ in range(1000):
                if job(lab).status is JobStatus.PAUSED:
                    break
                thread.join(0.02)
        finally:
            worker.stop_now()
            thread.join()
    assert job(lab).brake_reason == "1 of the 4 volumes of the canary failed for good"
    assert lab.ledger_states() == {"done": 3, "failed": 1, "held": 4}
    assert lab.messages() == (0, 1)


def test_a_crash_between_the_last_ones_end_and_the_release_is_repaired_by_idle_workers(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_out(lab, made(lab, "canary", 2), made(lab, "rest", 3))
    with monkeypatch.context() as broken:
        broken.setattr("bec_core.worker.process.judge", lambda *_: None)
        assert lab.work().end is End.WORK_LEFT, "something is held back: it says so"
    assert lab.ledger_states() == {"done": 2, "held": 3}
    assert lab.work().end is End.NOTHING_LEFT
    assert lab.ledger_states() == {"done": 5}


def test_what_is_blocked_is_held_back_when_it_is_ready_but_for_the_canary(lab: Lab) -> None:
    queues = create_queues("reader", "postgres", database=lab.database)
    reader = Lab(
        lab.database, queues.tasks, queues.dead_letters, lab.store, lab.scans,
        name="reader", job_type=READER, beside=[lab],
    )  # fmt: skip
    lab.beside.append(reader)
    with lab.database.connection() as connection:
        inputs.bind(connection, reader.job.id, "lines", lab.job.id, artifacts=(".json",), follow=False)
    first, rest = made(lab, "canary", 1), made(lab, "rest", 3)
    put_out(reader, first, rest)
    assert reader.ledger_states() == {"blocked": 4}
    lab.ask(*rest)
    lab.work()
    assert reader.ledger_states() == {"blocked": 1, "held": 3}
    assert reader.messages() == (0, 0)
    with lab.database.connection() as connection:
        assert canary.to_judge(connection, reader.job.id) is None, "blocked is not ended"
    lab.ask(*first)
    lab.work()
    assert reader.ledger_states() == {"waiting": 1, "held": 3}
    assert reader.work(attrs.evolve(QUICK, shutdown_after_empty=40)).end is End.NOTHING_LEFT
    assert reader.ledger_states() == {"done": 4}


@pytest.mark.parametrize(("now", "passes"), [(0.85, True), (0.5, False)])
def test_figures_unlike_the_jobs_own_past_are_no_pass(lab: Lab, now: float, passes: bool) -> None:
    before, first = made(lab, "before", 6), made(lab, "canary", 6)
    lab.ask(*before)
    lab.work()
    with lab.database.connection() as connection:
        connection.execute("UPDATE jobs SET brake_from = now()")  # a new config
    put_out(lab, first, made(lab, "rest", 1))
    tasks_before = {row[0] for row in lab.rows("SELECT id FROM task_executions")}
    with lab.database.connection() as connection:  # the canary ends, unseen by its workers
        connection.execute(
            "INSERT INTO task_executions (job_id, volume_id, s3_etag, version, status, done_at)"
            " SELECT job_id, volume_id, decode(repeat('ab', 16), 'hex'), 'ababab', 'done', clock_timestamp()"
            " FROM ledger WHERE state = 'waiting'"
        )
        connection.execute("UPDATE ledger SET state = 'done' WHERE state = 'waiting'")
        connection.execute(
            "UPDATE task_executions SET metrics = CASE WHEN id = ANY(%s) THEN %s ELSE %s END",
            (
                list(tasks_before),
                Jsonb({"confidence": 0.9, "characters": 10}),
                Jsonb({"confidence": now, "characters": 10}),
            ),
        )
    assert judge(lab.database, lab.job, [SURE, *CHECKSUM.metrics]) is (
        Judged.PASSED if passes else Judged.FAILED
    )
    if not passes:
        assert "the canary: confidence is 50.0% over the last 6 volumes" in job(lab).brake_reason
