"""``bec marks``, ``bec volumes find`` and ``index``, and the catalogue's titles, as people call them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bec_core.admin.jobs import find_job
from bec_core.admin.session import Session
from bec_core.models import VolumeRef
from bec_core.settings import load_settings
from ldv1.evaluation.test_marked import PAGE_XML
from support.cli import Bec, write_archive_volume
from support.line_results import line_page, put_result


@pytest.fixture
def library(bec: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bec:
    """Two volumes of line detection, done before its figures were declared."""
    (tmp_path / "works.csv").write_text("work,title\nW1,The Jewel\x1b[31m Tree\n")
    monkeypatch.setenv("BEC_CATALOGUE", str(tmp_path / "works.csv"))
    bec.ok("jobs", "create", "--name", "ldv1")
    with Session(load_settings()) as session:
        job = find_job(session, "ldv1")
        for name in ("I1", "I2"):
            write_archive_volume(tmp_path / "archive", "W1", name, [b"page %d" % n for n in range(6)])
            volume = session.sources.resolve(VolumeRef("W1", name))
            lines = [0 if page.index == 3 and name == "I2" else 5 for page in volume.pages]
            records = [line_page(page.filename, n) for page, n in zip(volume.pages, lines, strict=True)]
            put_result(session, job, volume.ref, records, version=volume.version)
    return bec


def test_a_librarian_finds_marks_estimates_and_hands_on(library: Bec, tmp_path: Path) -> None:
    assert "Read the figures of 2 volumes" in library.ok("volumes", "index", "ldv1").out
    found = library.ok("volumes", "find", "ldv1", "--where", "suspicious>=1", "--sort", "suspicious")
    assert "W1/I2" in found.out
    assert "W1/I1" not in found.out
    assert "look" in found.out
    assert "The Jewel\\x1b[31m Tree" in found.out, "a title's controls are shown"
    assert "1 to 1 of 1 volume" in found.err
    assert library.ok("volumes", "find", "ldv1", "--text", "jewel", "--json").json["total"] == 2
    sampled = library.ok("marks", "sample", "ldv1", "--sample", "8", "--seed", "3", "--json").json
    assert sampled["strata"] == {"suspicious": 1, "blank": 0, "fine": 11}
    for page in sampled["pages"]:
        how = ["wrong", "--fault", "missing"] if page["stratum"] == "suspicious" else ["right"]
        library.ok("marks", "add", "ldv1", f"W1,{page['i_id']}", page["page"], *how, "--who", "Pema")
    told = library.ok("marks", "estimate", "ldv1").out
    assert "Wrong: 8.3% of the pages (95 % interval: 8.3% to" in told
    assert "not marked:" not in told
    corrected = tmp_path / "0004.xml"
    corrected.write_bytes(PAGE_XML)
    said = library.ok("marks", "correct", "ldv1", "W1/I2", "4", str(corrected), "--note", "=1+1").out
    assert "I20004.jpg: wrong, with corrected lines, by" in said
    listed = library.ok("marks", "list", "ldv1", "--judgement", "wrong").out
    assert "wrong, corrected" in listed
    assert "Pema" not in listed, "only the latest of a page"
    rows = list(csv.DictReader(library.ok("marks", "export", "ldv1").out.splitlines()))
    assert len(rows) == 8
    assert rows[0]["note"] == "'=1+1"
    assert len(library.ok("marks", "export", "ldv1", "--format", "jsonl", "--all").out.splitlines()) == 9
    assert "7 pages as found, 1 corrected" in library.ok("marks", "set", "ldv1", str(tmp_path / "set")).out
    with Session(load_settings()) as session:
        job = find_job(session, "ldv1")
        version = session.sources.resolve(VolumeRef("W1", "I2")).version
        put_result(session, job, VolumeRef("W1", "I2"), [line_page("I20004.jpg", 2)], version=version)
    assert "wrong, corrected (of the earlier result)" in library.ok("marks", "list", "ldv1").out


def test_what_is_not_there_is_told(library: Bec) -> None:
    for arguments, said in (
        (("volumes", "find", "ldv1", "--where", "beauty>=3"), "'beauty>=3' is no condition"),
        (("volumes", "find", "ldv1", "--sort", "beauty"), "--sort beauty"),
        (("marks", "add", "ldv1", "W1,I7", "1", "right"), "no result of W1/I7"),
        (("marks", "add", "ldv1", "W1,I1", "70", "right"), "has no page '70'"),
        (("marks", "add", "ldv1", "W1,I1", "1", "right", "--fault", "missing"), "right has no faults"),
        (("marks", "sample", "ldv1", "--sample", "20"), "bec volumes index ldv1"),
        (("marks", "estimate", "ldv1"), "bec marks sample ldv1"),
    ):
        ended = library(*arguments)
        assert ended.code != 0
        assert said in ended.err, arguments


def test_deleting_a_job_says_how_many_marks_go_with_it(library: Bec) -> None:
    assert "mark" not in library.ok("jobs", "delete", "ldv1", "--dry-run").out
    library.ok("marks", "add", "ldv1", "W1,I1", "1", "right")
    said = library.ok("jobs", "delete", "ldv1", "--dry-run")
    assert "1 mark that people made (bec marks export ldv1 keeps them)" in said.out + said.err


def test_titles_stand_in_listings(library: Bec) -> None:
    assert "The Jewel" in library.ok("volumes", "list").out
    assert library.ok("volumes", "list", "--json").json[0]["title"] == "The Jewel\\x1b[31m Tree"
    assert "Title: The Jewel" in library.ok("volumes", "show", "W1,I1").out
    assert "The Jewel" in library.ok("jobs", "tasks", "ldv1").out


def test_words_of_a_metric_are_counted(library: Bec) -> None:
    library.ok("volumes", "index", "ldv1")
    assert "good 1, look 1, bad 0" in library.ok("jobs", "stats", "ldv1").out
    (verdict,) = [
        one
        for one in library.ok("jobs", "stats", "ldv1", "--json").json["metrics"]
        if one["name"] == "verdict"
    ]
    assert (verdict["value"], verdict["by_word"]) == (None, {"good": 1, "look": 1, "bad": 0})
