"""A job's volumes are found by id, title, state and figures; each by the result that stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bec_core.admin.jobs import find_job
from bec_core.admin.session import Session
from bec_core.admin.volumes import Condition, parse_condition, volumes_found
from bec_core.db import adopting, tasks
from bec_core.errors import SettingsError
from bec_core.job import Metric
from bec_core.models import Job, VolumeRef
from support.cli import Bec
from support.done_rows import done, etag_of, session_with_titles

METRICS = (
    Metric("verdict", "In a word.", labels=("good", "look", "bad"), better="lower"),
    Metric("confidence", "Sure.", percent=True),
)


@pytest.fixture
def session(bec: Bec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Session]:
    titles = 'work,title\nW2,"The Jewel, a tree"\n'
    with session_with_titles(bec, monkeypatch, tmp_path / "works.csv", titles) as opened:
        yield opened


@pytest.fixture
def job(session: Session) -> Job:
    job = find_job(session, "checksum")
    with session.database.connection() as connection:
        done(connection, job, VolumeRef("W1", "I1"), metrics={"verdict": 0, "confidence": 0.9})
        done(connection, job, VolumeRef("W1", "I2"), metrics={"verdict": 2, "confidence": 0.4}, pages=30)
        done(connection, job, VolumeRef("W2", "I3"), metrics={"verdict": 1}, state="waiting")
        done(connection, job, VolumeRef("W2", "I4", "iiif:https://x/y"), pages=5)
    return job


def names(session: Session, job: Job, **how: object) -> list[str]:
    return [one.i_id for one in volumes_found(session, job, **how).volumes]  # type: ignore[arg-type]


def test_by_figures_and_sorted_by_them(session: Session, job: Job) -> None:
    assert names(session, job) == ["I1", "I2", "I3", "I4"]
    assert names(session, job, by="confidence") == ["I2", "I1", "I3", "I4"]
    assert names(session, job, by="confidence", descending=True) == ["I1", "I2", "I3", "I4"]
    assert names(session, job, by="pages", descending=True) == ["I2", "I1", "I3", "I4"]
    assert names(session, job, conditions=[Condition("verdict", 1)]) == ["I2", "I3"]
    assert names(session, job, conditions=[Condition("verdict", 1), Condition("confidence", None, 0.5)]) == [
        "I2"
    ]
    assert names(session, job, conditions=[Condition("pages", None, 5)]) == ["I4"]


def test_by_id_title_and_state(session: Session, job: Job) -> None:
    assert names(session, job, text="W1") == ["I1", "I2"]
    assert names(session, job, text="I3") == ["I3"]
    assert names(session, job, text="W2") == ["I3", "I4"], "also of another source"
    assert names(session, job, text="jewel") == ["I3"]
    assert names(session, job, text="nothing such") == []
    assert names(session, job, text="%") == []
    assert names(session, job, states=["waiting"]) == ["I3"]
    with session.database.connection() as connection:
        connection.execute(
            "UPDATE task_executions SET status = 'running', epoch = epoch + 1 WHERE volume_id ="
            " (SELECT id FROM volumes WHERE bdrc_i_id = 'I1')"
        )
    found = volumes_found(session, job, states=["running"])
    assert [(one.i_id, one.metrics) for one in found.volumes] == [
        ("I1", {"verdict": 0, "confidence": 0.9})
    ], "what is done anew is found by the result that stands"


def test_pages_know_how_many_there_are_and_what_the_works_are_called(session: Session, job: Job) -> None:
    first = volumes_found(session, job, limit=3)
    assert (len(first.volumes), first.total) == (3, 4)
    last = volumes_found(session, job, limit=3, offset=3)
    assert ([one.i_id for one in last.volumes], last.total) == (["I4"], 4)
    assert volumes_found(session, job, limit=3, offset=30).total == 4
    assert first.works["W2"].title == "The Jewel, a tree"


def test_the_result_done_last_stands_whichever_version_and_in_which_order_they_are_written(
    session: Session, job: Job
) -> None:
    ref = VolumeRef("W1", "I1")
    with session.database.connection() as connection:
        done(connection, job, ref, etag="new", metrics={"verdict": 1}, version="new")
        done(connection, job, ref, etag="old", metrics={"verdict": 2}, version="old", ago_s=3600)
    assert [one.version for one in volumes_found(session, job, text="I1").volumes] == ["new"]
    with session.database.connection() as connection:  # as `bec jobs adopt` writes: done now, then dated back
        volume = done(connection, job, VolumeRef("W9", "I9"), version="newer", etag="newer", ago_s=60)
        assert tasks.repair_done(
            connection,
            job_id=job.id,
            volume_id=volume,
            etag=etag_of("older"),
            version="older",
            outcome=tasks.Outcome(3, 0, 0, 0, 0, None, None, None),
        )
        (at,) = connection.execute("SELECT now() - interval '1 day'").fetchone() or ()
        adopting.complete(
            connection,
            job.id,
            volume,
            VolumeRef("W9", "I9"),
            etag=etag_of("older"),
            pages=3,
            request=0,
            done_at=at,
        )
    assert [one.version for one in volumes_found(session, job, text="I9").volumes] == ["newer"]


def test_a_condition_is_read_as_people_write_it() -> None:
    assert parse_condition("verdict=bad", METRICS) == Condition("verdict", 2, 2)
    assert parse_condition("verdict >= look", METRICS) == Condition("verdict", 1, None)
    assert parse_condition("confidence<=90%", METRICS) == Condition("confidence", None, 0.9)
    assert parse_condition("pages>=3", ()) == Condition("pages", 3, None)
    for text in ("verdict", "verdict=worse", "confidence>0.5", "cer>=1", "confidence=high"):
        with pytest.raises(SettingsError):
            parse_condition(text, METRICS)
