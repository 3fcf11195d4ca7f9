"""Marks on pages: of which result, by whom; nothing in them is taken for a formula or a control."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bec_core.admin.jobs import find_job
from bec_core.admin.marks import (
    add_mark,
    all_marks,
    csv_rows,
    json_rows,
    list_marks,
    standing_result,
)
from bec_core.admin.session import Session
from bec_core.admin.volumes import volumes_found
from bec_core.errors import ConflictError, NotFoundError, SettingsError
from bec_core.models import Job, VolumeRef
from support.cli import Bec
from support.done_rows import done, session_with_titles

REF = VolumeRef("W1", "I1")


@pytest.fixture
def session(bec: Bec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Session]:
    titles = "work,title,link\nW1,=cmd\u202e|' /C calc'!A0,https://example.org/W1\n"
    with session_with_titles(bec, monkeypatch, tmp_path / "works.csv", titles) as opened:
        yield opened


@pytest.fixture
def job(session: Session) -> Job:
    job = find_job(session, "checksum")
    do(session, job)
    return job


def do(session: Session, job: Job, content: str = "first", ref: VolumeRef = REF) -> None:
    with session.database.connection() as connection:
        done(connection, job, ref, content=content)


def mark(session: Session, job: Job, page: str = "0001.jpg", judgement: str = "right", **more: object) -> int:
    return add_mark(session, standing_result(session, job, "W1", "I1"), page, judgement, **more).id  # type: ignore[arg-type]


def test_a_mark_says_what_of_which_result_and_whose_it_is(session: Session, job: Job) -> None:
    mark(
        session,
        job,
        "0007.jpg",
        "wrong",
        faults=["turned", "missing", "turned"],
        note="third line",
        who="Pema",
    )
    (found,) = list_marks(session, job)
    assert (found.w_id, found.i_id, found.version, found.page) == ("W1", "I1", "abc123", "0007.jpg")
    assert (found.judgement, found.faults, found.note, found.who) == (
        "wrong", ("missing", "turned"), "third line", "Pema",
    )  # fmt: skip
    assert (found.recipe, found.request, found.stands, found.corrected) == ("r1", 0, True, False)
    mark(session, job)
    assert "@" in list_marks(session, job)[0].who, "else it is user and host"


def test_the_latest_mark_of_a_page_counts_and_none_is_lost(session: Session, job: Job) -> None:
    first = mark(session, job, judgement="right")
    second = mark(session, job, judgement="rescan")
    mark(session, job, "0002.jpg", "right")
    assert [one.id for one in list_marks(session, job, judgements=["rescan", "right"])][1:] == [second]
    assert [one.id for one in list_marks(session, job, latest_only=False)][2] == first
    assert volumes_found(session, job).volumes[0].marks == {"rescan": 1, "right": 1}


def test_after_a_redo_a_mark_is_of_the_earlier_result_unless_it_gave_the_same(
    session: Session, job: Job
) -> None:
    mark(session, job)
    do(session, job, "first")
    assert list_marks(session, job)[0].stands, "the same artifacts, written again"
    with session.database.connection() as connection:
        connection.execute("UPDATE task_executions SET status = 'running', epoch = epoch + 1")
    assert list_marks(session, job)[0].stands, "the old result stands until the new one is there"
    do(session, job, "second")
    assert not list_marks(session, job)[0].stands


def test_who_looked_at_an_earlier_result_is_told_so(session: Session, job: Job) -> None:
    seen = standing_result(session, job, "W1", "I1").result
    do(session, job, "second")
    with pytest.raises(ConflictError, match="done anew"):
        mark(session, job, seen=seen)
    assert list_marks(session, job) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"judgement": "bad"}, "'bad' is none of right, wrong, rescan"),
        ({"judgement": "wrong", "faults": ["ugly"]}, "'ugly' is none of missing"),
        ({"faults": ["missing"]}, "right has no faults"),
        ({"note": "x" * 2001}, "the note has more than 2000"),
        ({"note": "a\0b"}, "characters that no text has"),
        ({"who": " "}, "needs a page and a name"),
        ({"page": "\udcff.jpg"}, "the page has characters"),
    ],
)
def test_a_mark_that_is_none_is_refused(
    session: Session, job: Job, more: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        mark(session, job, **more)  # type: ignore[arg-type]


def test_a_volume_without_a_result_or_of_several_sources_is_told(session: Session, job: Job) -> None:
    with pytest.raises(NotFoundError, match="no result of W1/I7"):
        standing_result(session, job, "W1", "I7")
    for source in ("iiif:https://a", "iiif:https://b"):
        do(session, job, ref=VolumeRef("W5", "I5", source))
    with pytest.raises(ConflictError, match="several sources"):
        standing_result(session, job, "W5", "I5")
    own = VolumeRef("W5", "I5", "iiif:https://a")
    assert standing_result(session, job, own.db_w_id, "I5").ref == own


def test_exports_hold_all_of_it_and_nothing_runs(session: Session, job: Job) -> None:
    mark(
        session,
        job,
        "@SUM(1).jpg",
        "wrong",
        faults=["false"],
        note='=HYPERLINK("http://x")\n-1\x1b[31m',
        who="+me",
    )
    mark(session, job, "0002.jpg")
    lines = list(csv_rows(session, all_marks(session, job)))
    assert all("\n" not in line and "\x1b" not in line for line in lines)
    rows = list(csv.DictReader(lines))
    assert len(rows) == 2
    for row in rows:
        assert not [cell for cell in row.values() if cell[:1] in "=+-@" and cell]
    assert rows[1]["note"] == '\'=HYPERLINK("http://x")\\n-1\\x1b[31m'
    assert (rows[1]["page"], rows[1]["who"], rows[1]["faults"]) == ("'@SUM(1).jpg", "'+me", "false")
    assert rows[1]["title"].startswith("'=cmd\\u202e")
    assert rows[1]["link"] == "https://example.org/W1"
    plain = [json.loads(line) for line in json_rows(session, all_marks(session, job))]
    assert plain[1]["note"] == '=HYPERLINK("http://x")\n-1\x1b[31m', "programs get it as it is"
    assert plain[1]["page"] == "@SUM(1).jpg"
