"""A canary on both queues: who goes first, what is held back until when, and what releases it."""

from __future__ import annotations

import uuid
from collections import Counter
from pathlib import Path

import pytest

from bec_core.admin import asking
from bec_core.admin.asking import ask, sweep
from bec_core.admin.canary import canary_of, notice, release_all_the_same
from bec_core.admin.canary_choice import Candidate, sample, spread
from bec_core.admin.feeding import Budget, Feeder, FeederOptions, give_feeder
from bec_core.admin.health import Kind, Thresholds, healths
from bec_core.admin.job_ending import set_status
from bec_core.admin.job_making import create_job
from bec_core.admin.jobs import find_job
from bec_core.admin.queues import purge, queue_stats
from bec_core.admin.session import Session
from bec_core.admin.statistics import job_statistics, what_is_left
from bec_core.admin.waiting import outlook
from bec_core.admin.wanted import Want
from bec_core.db import canary as rows
from bec_core.db import ledger, workers
from bec_core.db.backlog import backlog
from bec_core.errors import ConflictError, SettingsError
from bec_core.models import Job, JobStatus, VolumeRef
from bec_core.worker.canary import Judged
from support.cli import write_archive_volume

ON_ONE_QUEUE = pytest.mark.parametrize("session", ["postgres"], indirect=True)
OPTIONS = FeederOptions(every_s=0.05, publish_every_s=0.0, empty_twice_s=0.1)


@pytest.fixture
def job(session: Session) -> Job:
    return create_job(session, name=f"j{uuid.uuid4().hex[:8]}", job_type="checksum").job


def refs_of(count: int, first: int = 0) -> list[VolumeRef]:
    return [VolumeRef(f"W{n % 5}", f"I{n:04}") for n in range(first, first + count)]


def states(session: Session, job: Job) -> dict[str, int]:
    with session.database.connection() as connection:
        return dict(ledger.counts(connection, job.id))


def end_canary(session: Session, job: Job, *, failed: int = 0) -> None:
    """What waits with its message (the canary) ends, so many of them badly."""
    with session.database.connection() as connection:
        connection.execute(
            "UPDATE ledger l SET state = CASE WHEN n <= %s THEN 'failed' ELSE 'done' END FROM ("
            " SELECT volume_id, row_number() OVER () AS n FROM ledger WHERE job_id = %s AND state = 'waiting') one"
            " WHERE l.volume_id = one.volume_id AND l.job_id = %s",
            (failed, job.id, job.id),
        )


def messages(session: Session, job: Job) -> int:
    return queue_stats(session, job)[0].available


def stands(session: Session, job: Job) -> rows.Canary:
    found = canary_of(session, job)
    assert found is not None
    return found


def test_the_rest_is_held_back_is_no_backlog_and_nobody_sends_it(session: Session, job: Job) -> None:
    asked = ask(session, job, refs_of(30), canary_of=5)
    assert (len(asked.sent), len(asked.held), asked.refused) == (5, 25, ())
    assert len({ref.w_id for ref in asked.sent}) == 5
    assert states(session, job) == {"waiting": 5, "held": 25}
    assert messages(session, job) == 5
    assert sweep(session, job) == 0
    again = ask(session, job, refs_of(30))
    assert Counter(reason for _, reason in again.skipped) == {
        "waiting already": 5, "held back until the canary has passed": 25,
    }  # fmt: skip
    with session.database.connection() as connection:
        assert backlog(connection, job.id).total == 5
    left = what_is_left(session, job)
    assert (left.due, left.held, left.over) == (5, 25, False)
    progress = job_statistics(session, job).progress
    assert (progress.asked, progress.waiting, progress.held) == (30, 5, 25)
    assert (stands(session, job).ended, stands(session, job).volumes, stands(session, job).holds) == (
        0, 5, True,
    )  # fmt: skip
    other = ask(session, job, refs_of(3, 100))
    assert len(other.sent) == 3, "what is asked for without a canary is sent"
    with pytest.raises(ConflictError, match=r"is out \(0 of 5 ended\), and holds 25 volumes back"):
        ask(session, job, refs_of(3, 200), canary_of=1)


def test_what_has_passed_is_released_by_the_next_who_looks_and_once(session: Session, job: Job) -> None:
    ask(session, job, refs_of(30), canary_of=10)
    end_canary(session, job, failed=1)
    assert notice(session, job) is Judged.PASSED
    assert states(session, job) == {"waiting": 20, "done": 9, "failed": 1}
    assert messages(session, job) == 30, "the canary's own messages are still there: nobody took them"
    assert notice(session, job) is None
    assert stands(session, job).verdict == "passed"
    assert find_job(session, job.name).status is JobStatus.ACTIVE
    assert len(ask(session, job, refs_of(4, 100), canary_of=2).held) == 2, "another one may go now"


def test_the_feeder_sends_the_canary_then_judges_and_sends_the_rest(session: Session, job: Job) -> None:
    give_feeder(session, job, 50)
    asked = ask(session, job, refs_of(12), canary_of=4)
    assert (len(asked.for_feeder), len(asked.held), messages(session, job)) == (4, 8, 0)
    Feeder(session, job, OPTIONS).once()
    assert messages(session, job) == 4
    end_canary(session, job)
    Feeder(session, job, OPTIONS).once()
    assert messages(session, job) == 12
    assert states(session, job) == {"done": 4, "waiting": 8}


def test_one_that_fails_pauses_the_job_and_resuming_lets_the_rest_go(session: Session, job: Job) -> None:
    ask(session, job, refs_of(30), canary_of=10)
    end_canary(session, job, failed=2)
    assert notice(session, job) is Judged.FAILED
    paused = find_job(session, job.name)
    assert paused.status is JobStatus.PAUSED
    assert paused.brake_reason == "2 of the 10 volumes of the canary failed for good"
    assert states(session, job) == {"held": 20, "done": 8, "failed": 2}
    assert (messages(session, job), notice(session, job)) == (10, None)
    assert [one.kind for one in healths(session, [paused], Thresholds())[0].troubles] == [Kind.BRAKE]
    set_status(session, paused, JobStatus.ACTIVE)
    assert states(session, job) == {"waiting": 20, "done": 8, "failed": 2}
    assert messages(session, job) == 30
    assert stands(session, job).verdict == "released"


@ON_ONE_QUEUE
def test_an_ordinary_pause_and_resume_leaves_the_canary_out(session: Session, job: Job) -> None:
    ask(session, job, refs_of(6), canary_of=2)
    set_status(session, job, JobStatus.PAUSED)
    end_canary(session, job)
    assert notice(session, job) is None, "who paused it decides first"
    set_status(session, find_job(session, job.name), JobStatus.ACTIVE)
    assert states(session, job) == {"held": 4, "done": 2}
    assert outlook(session, job).pause_s is not None
    assert states(session, job) == {"waiting": 4, "done": 2}, "a worker that waits for work judges too"


@ON_ONE_QUEUE
def test_a_canary_can_be_given_up_and_purging_forgets_it(session: Session, job: Job) -> None:
    ask(session, job, refs_of(6), canary_of=2)
    assert release_all_the_same(session, job) == 4
    assert messages(session, job) == 6
    assert release_all_the_same(session, job) is None
    ask(session, job, refs_of(6, 50), canary_of=2)
    assert purge(session, job) == 12
    assert canary_of(session, job) is None


def test_a_crash_before_the_canarys_messages_is_repaired_by_the_sweep(
    session: Session, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("crash")

    with monkeypatch.context() as broken:
        broken.setattr(asking, "hand_over", crash)
        with pytest.raises(RuntimeError):
            ask(session, job, refs_of(9), canary_of=3)
    assert states(session, job) == {"waiting": 3, "held": 6}
    assert notice(session, job) is None
    assert sweep(session, job) == 3


@ON_ONE_QUEUE
def test_a_dry_run_writes_nothing_and_what_is_done_already_is_refused(session: Session, job: Job) -> None:
    would = ask(session, job, refs_of(9), canary_of=3, dry_run=True)
    assert (len(would.sent), len(would.held), states(session, job)) == (3, 6, {})
    for want in (Want.FORCE, Want.STALE):
        with pytest.raises(SettingsError, match=r"second job .* bec compare"):
            ask(session, job, refs_of(9), canary_of=3, want=want)
    assert len(ask(session, job, refs_of(9), canary_of=3, limit=5).held) == 2


@ON_ONE_QUEUE
def test_the_feeder_pauses_a_job_that_has_cost_what_it_may(session: Session, job: Job) -> None:
    with session.database.connection() as connection:
        workers.register(connection, name="w", hostname="h", job_id=job.id, process="p", tags={})
        connection.execute("UPDATE workers SET started_at = last_heartbeat_at - interval '10 hours'")
    give_feeder(session, job, 3)
    ask(session, job, refs_of(9))
    Feeder(session, job, FeederOptions(budget=Budget(6, 0.5))).once()
    assert (find_job(session, job.name).status, messages(session, job)) == (JobStatus.ACTIVE, 3)
    cost = job_statistics(session, job, hourly_price=0.5).cost
    assert cost is not None
    tight = FeederOptions(budget=Budget(cost.so_far, 0.5))
    Feeder(session, job, tight).once()
    paused = find_job(session, job.name)
    assert paused.status is JobStatus.PAUSED
    assert paused.brake_reason == (
        "it has cost 5.00 (10.0 worker hours at 0.5), and its feeder was told --max-spend 5"
    )
    set_status(session, paused, JobStatus.ACTIVE)
    Feeder(session, job, FeederOptions(budget=Budget(6, 0.5))).once()
    assert find_job(session, job.name).status is JobStatus.ACTIVE


# -- the choice -----------------------------------------------------------------------------------------


def candidate(n: int, pages: int | None, kind: str | None, w_id: str) -> Candidate:
    return Candidate(VolumeRef(w_id, f"I{n}"), pages, kind)


def test_a_canary_is_spread_over_sizes_types_and_collections() -> None:
    many = [candidate(n, 100 + n % 3, ".jpg", "W1") for n in range(90)]
    few = [
        candidate(100, 101, ".tif", "W1"), candidate(101, 4000, ".jpg", "W1"), candidate(102, 2, ".jpg", "W1"),
        candidate(103, 101, ".jpg", "W2"),
    ]  # fmt: skip
    chosen = spread([*many, candidate(99, None, None, "W9"), *few], 8)
    assert len(chosen) == 8
    assert {".tif", ".jpg"} == {one.kind for one in chosen}
    assert {"W1", "W2"} == {one.ref.w_id for one in chosen}
    assert len({one.pages for one in chosen}) > 2
    assert all(one.pages is not None for one in chosen), (
        "what can't be read tells nothing while there is more"
    )
    assert spread([candidate(1, None, None, "W1")], 3) == [candidate(1, None, None, "W1")]
    assert spread([], 3) == []


def test_sizes_are_told_apart_by_rank() -> None:
    chosen = spread([candidate(n, pages, ".jpg", "W1") for n, pages in enumerate((1, 2, 3, 500))], 4)
    assert [one.pages for one in chosen] == [1, 2, 3, 500]
    doubled = spread([candidate(n, pages, ".jpg", "W1") for n, pages in enumerate((1, 1, 1, 1, 1, 9))], 2)
    assert {one.pages for one in doubled} == {1, 9}


def test_only_so_many_manifests_are_read_and_of_every_collection() -> None:
    refs = [VolumeRef("W1", f"I{n}") for n in range(500)] + [VolumeRef("W2", "I1"), VolumeRef("W3", "I1")]
    looked_at = sample(refs, 50)
    assert len(looked_at) == len(set(looked_at)) == 50
    assert {"W1", "W2", "W3"} == {ref.w_id for ref in looked_at}
    assert len({ref.w_id for ref in sample([VolumeRef(f"W{n}", "I") for n in range(900)], 50)}) == 50
    assert sample(refs[:3], 50) == refs[:3]


@ON_ONE_QUEUE
def test_manifests_tell_sizes_and_types(session: Session, job: Job, tmp_path: Path) -> None:
    for n in range(6):
        write_archive_volume(tmp_path / "archive", "W1", f"I000{n}", [b"a"] * (9 if n == 4 else 1))
    asked = ask(session, job, [VolumeRef("W1", f"I000{n}") for n in range(6)], canary_of=2)
    assert [ref.i_id for ref in asked.sent] == ["I0000", "I0004"]
