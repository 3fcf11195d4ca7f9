"""What was done before its figures were declared is read again, resumably; samples, estimates and sets come of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bec_core.admin import results as reading
from bec_core.admin.jobs import find_job
from bec_core.admin.marks import add_mark, list_marks, standing_result
from bec_core.admin.results import find_page, index_results
from bec_core.admin.sampling import allocate, combined, draw_sample, estimate, find_sample, wilson
from bec_core.admin.session import Session
from bec_core.admin.truth_set import correct_page, write_set
from bec_core.admin.volumes import Condition, volumes_found
from bec_core.errors import ConflictError, NotFoundError, SettingsError
from bec_core.models import Job, VolumeRef
from bec_core.settings import load_settings
from bec_ldv1.evaluation.readers import read_jsonl
from ldv1.evaluation.test_marked import PAGE_XML
from support.cli import Bec, write_archive_volume
from support.line_results import line_page, put_result

PAGES = 12


@pytest.fixture
def session(bec: Bec) -> Iterator[Session]:
    bec.ok("jobs", "create", "--name", "ldv1")
    with Session(load_settings()) as opened:
        yield opened


@pytest.fixture
def job(session: Session, tmp_path: Path) -> Job:
    """Three volumes of twelve pages of six lines; in the second and third one page has none, and is suspicious."""
    job = find_job(session, "ldv1")
    for number in (1, 2, 3):
        name = f"I{number}"
        write_archive_volume(tmp_path / "archive", "W1", name, [b"page %d" % n for n in range(PAGES)])
        volume = session.sources.resolve(VolumeRef("W1", name))
        records = [
            line_page(page.filename, 0 if page.index == 5 and number > 1 else 6) for page in volume.pages
        ]
        put_result(session, job, volume.ref, records, version=volume.version)
    return job


def test_the_index_is_filled_and_an_interrupted_call_is_gone_on_with(session: Session, job: Job) -> None:
    first = index_results(session, job, limit=2)
    assert (first.read, first.skipped, first.left) == (2, {}, 1)
    assert [
        one.i_id for one in volumes_found(session, job, conditions=[Condition("suspicious", 1)]).volumes
    ] == ["I2"]
    told: list[tuple[int, int]] = []
    second = index_results(session, job, progress=lambda *far: told.append(far))
    assert (second.read, second.left, told) == (1, 0, [(1, 1)])
    assert index_results(session, job).read == 0
    found = volumes_found(session, job, by="suspicious", descending=True).volumes
    assert [(one.i_id, one.metrics["suspicious"], one.metrics["verdict"]) for one in found] == [
        ("I2", 1, 1), ("I3", 1, 1), ("I1", 0, 0),
    ]  # fmt: skip
    with session.database.connection() as connection:
        rows = connection.execute(
            "SELECT metrics -> 'suspicious' FROM task_executions ORDER BY id"
        ).fetchall()
    assert rows == [(0,), (1,), (1,)], "the tasks' rows have them too"


def test_what_can_not_be_read_is_skipped_with_a_word_and_tried_again(
    session: Session, job: Job, tmp_path: Path
) -> None:
    place = next((tmp_path / "artifacts/ldv1/W1/I2").iterdir())
    parquet = next(place.glob("*.parquet"))
    data = parquet.read_bytes()
    parquet.write_bytes(data[:-1])
    (next((tmp_path / "artifacts/ldv1/W1/I3").iterdir()) / "success.json").unlink()
    done = index_results(session, job)
    assert done.read == 1
    assert done.skipped == {
        "its artifact .parquet is not the one that its marker lists": 1,
        "its marker is gone": 1,
    }
    assert done.examples["its marker is gone"] == "W1/I3"
    parquet.write_bytes(data)
    assert index_results(session, job).read == 1


def test_a_job_without_a_reader_is_told(session: Session, bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    with pytest.raises(NotFoundError, match="reads no figures"):
        index_results(session, find_job(session, "checksum"))


def test_a_page_is_found_by_name_or_number(session: Session, job: Job) -> None:
    result = standing_result(session, job, "W1", "I2")
    assert find_page(session, job, result, "3") == "I20003.jpg"
    assert find_page(session, job, result, "I20003.jpg") == "I20003.jpg"
    for text in ("0", "13", "I2003.jpg"):
        with pytest.raises(NotFoundError, match=r"has no page|number from 1 to 12"):
            find_page(session, job, result, text)


def test_a_sample_is_stratified_spread_and_the_same_from_the_same_seed(session: Session, job: Job) -> None:
    with pytest.raises(NotFoundError, match="bec volumes index"):
        draw_sample(session, job, 12)
    index_results(session, job)
    drawn = draw_sample(session, job, 12, seed=7, who="Pema")
    assert drawn.sample.strata == {"suspicious": 2, "blank": 0, "fine": 34}
    assert sum(page.stratum == "suspicious" for page in drawn.pages) == 2
    assert {page.i_id for page in drawn.pages if page.stratum == "fine"} == {"I1", "I2", "I3"}
    assert len({(page.i_id, page.page) for page in drawn.pages}) == 12
    assert all(page.page == f"{page.i_id}{page.number:04}.jpg" for page in drawn.pages)
    again = draw_sample(session, job, 12, seed=7)
    assert again.pages == drawn.pages
    assert draw_sample(session, job, 12, seed=8).pages != drawn.pages
    assert find_sample(session, job, drawn.sample.id)[1] == list(drawn.pages)
    assert len(draw_sample(session, job, 500).pages) == 36, "there are no more"


def test_the_estimate_weighs_the_strata_and_says_what_it_does_not_know(session: Session, job: Job) -> None:
    index_results(session, job)
    drawn = draw_sample(session, job, 12, seed=7)
    nothing = estimate(session, job)
    assert (nothing.wrong.value, nothing.wrong.low, nothing.wrong.high) == (None, 0, 1)
    assert (nothing.unmarked, nothing.reach) == (12, (0, 1))
    for page in drawn.pages:
        wrong = page.stratum == "suspicious"
        mark = "wrong" if wrong else "right"
        add_mark(session, standing_result(session, job, page.w_id, page.i_id), page.page, mark)
    told = estimate(session, job)
    assert told.unmarked == 0
    assert told.wrong.value == pytest.approx(2 / 36)
    assert told.wrong.low == pytest.approx(2 / 36), (
        "both suspicious pages are marked, none of the others is wrong"
    )
    assert told.wrong.high == pytest.approx(2 / 36 + 34 / 36 * wilson(0, 10)[1])
    assert told.reach == pytest.approx((2 / 36, 2 / 36))
    one = next(page for page in drawn.pages if page.stratum == "fine")
    put_result(
        session, job, VolumeRef(one.w_id, one.i_id),
        [line_page(f"{one.i_id}{n:04}.jpg", 3) for n in range(1, PAGES + 1)], version=one.version,
    )  # fmt: skip
    add_mark(session, standing_result(session, job, one.w_id, one.i_id), one.page, "wrong")
    assert estimate(session, job).wrong == told.wrong, "the sample is of the result that stood"


def test_intervals_are_wilsons_and_hold_the_truth_as_often_as_they_say() -> None:
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert combined([(100, 5, 20)]).value == pytest.approx(0.25)
    assert combined([(100, 5, 20)]).low == pytest.approx(wilson(5, 20)[0])
    import random

    chance, held, runs = random.Random(1), 0, 2000
    strata = ((200, 0.6, 60), (1800, 0.03, 100))
    populations = [[n < pages * share for n in range(pages)] for pages, share, _ in strata]
    truth = sum(map(sum, populations)) / 2000
    for _ in range(runs):
        marks = [
            (pages, sum(chance.sample(population, drawn)), drawn)
            for (pages, _, drawn), population in zip(strata, populations, strict=True)
        ]
        share = combined(marks)
        held += share.low <= truth <= share.high
    assert 0.93 <= held / runs <= 0.995


def test_pages_are_allocated_to_where_they_tell_most() -> None:
    assert allocate(200, {"suspicious": 1000, "blank": 100, "fine": 9000}) == {
        "suspicious": 41, "blank": 10, "fine": 149,
    }  # fmt: skip
    assert allocate(30, {"suspicious": 3, "blank": 0, "fine": 1000}) == {
        "suspicious": 3,
        "blank": 0,
        "fine": 27,
    }
    assert allocate(50, {"suspicious": 1, "blank": 2, "fine": 3}) == {"suspicious": 1, "blank": 2, "fine": 3}


def test_marked_pages_become_a_set_for_the_evaluation(session: Session, job: Job, tmp_path: Path) -> None:
    def result(name: str) -> reading.StandingResult:
        return standing_result(session, job, "W1", name)

    add_mark(session, result("I1"), "I10001.jpg", "right", who="Pema")
    add_mark(session, result("I1"), "I10002.jpg", "wrong", faults=["missing"])
    add_mark(session, result("I3"), "I30004.jpg", "right")
    corrected = correct_page(session, job, result("I2"), "6", PAGE_XML, note="two", who="Tashi")
    assert (corrected.judgement, corrected.corrected, corrected.page) == ("wrong", True, "I20006.jpg")
    add_mark(session, result("I2"), "I20006.jpg", "rescan")
    put_result(
        session, job, VolumeRef("W1", "I3"), [line_page("I30004.jpg", 2)], version=result("I3").version
    )
    written = write_set(session, job, tmp_path / "set")
    assert (written.right, written.corrected) == (1, 1)
    assert written.left_out == {"marked right in an earlier result": 1}
    pages = {page.image: page for page in read_jsonl(written.truth)}
    assert {len(page.regions) for page in pages.values()} == {6, 2}
    assert sorted(path.name for path in written.images.iterdir()) == sorted(pages)
    rows = [json.loads(line) for line in written.truth.read_text().splitlines()]
    assert {(row["page"], row["who"]) for row in rows} == {("I10001.jpg", "Pema"), ("I20006.jpg", "Tashi")}
    (first,) = [row for row in rows if row["page"] == "I10001.jpg"]
    assert (written.images / first["image"]).read_bytes() == b"page 0"
    with pytest.raises(ConflictError, match="not empty"):
        write_set(session, job, tmp_path / "set")


def test_a_correction_that_is_none_is_told_and_not_kept(session: Session, job: Job, tmp_path: Path) -> None:
    result = standing_result(session, job, "W1", "I2")
    with pytest.raises(SettingsError, match="corrects nothing"):
        correct_page(session, job, result, "6", b"<html/>")
    with pytest.raises(NotFoundError, match="no page"):
        correct_page(session, job, result, "60", PAGE_XML)
    assert list_marks(session, job) == []
    with pytest.raises(NotFoundError, match="marked right or corrected"):
        write_set(session, job, tmp_path / "set")
