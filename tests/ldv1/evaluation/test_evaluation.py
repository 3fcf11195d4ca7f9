"""The evaluator on hand-made pages whose right answer is known by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from bec_ldv1.evaluation.geometry import centre_inside, intersection_over_union, region_of
from bec_ldv1.evaluation.matching import match_one_to_one
from bec_ldv1.evaluation.metrics import PageScore, score_page
from bec_ldv1.evaluation.pages import PageLines, Polygon, box_polygon, document_of, polygon_of
from bec_ldv1.evaluation.report import evaluate, split_by_document
from bec_ldv1.page.orientation import to_stored

SIZE = (1000, 500)


def line(row: int, x0: float = 100, x1: float = 900) -> Polygon:
    """The row-th of lines 50 px high that touch each other, the first from y = 100."""
    return box_polygon(x0, 100 + 50 * row, x1, 149 + 50 * row)


def page(*regions: Polygon, ignore: tuple[Polygon, ...] = (), image: str = "a_0001.jpg") -> PageLines:
    return PageLines(image, SIZE, regions, ignore, script="uchen")


def counts(score: PageScore) -> dict[str, int]:
    names = ("matched", "missed", "spurious", "merged", "split", "ignored")
    return {name: getattr(score, name) for name in names if getattr(score, name)}


FOUR = (line(0), line(1), line(2), line(3))


def test_perfect_page() -> None:
    score = score_page(page(*FOUR), page(*FOUR))
    assert counts(score) == {"matched": 4}
    assert score.matched_iou == 4
    assert score.count_error == 0
    assert score.pixel_iou == 1.0


def test_a_body_band_inside_its_line_matches_by_centre_but_a_narrow_one_not_by_iou() -> None:
    bands = [box_polygon(110, 115 + 50 * i, 890, 136 + 50 * i) for i in range(4)]
    score = score_page(page(*FOUR), page(*bands))
    assert counts(score) == {"matched": 4}
    assert score.matched_iou == 0  # 22 of 50 rows


def test_shifted_by_one_line() -> None:
    score = score_page(page(*FOUR), page(*FOUR[1:], line(4)))
    # three fall on another true line; the one below the last line lies outside the lines' bounding box
    assert counts(score) == {"matched": 3, "missed": 1, "ignored": 1}
    assert score.count_error == -1


def test_shifted_by_half_a_line_within_the_page_fails() -> None:
    halfway = [box_polygon(100, 110 + 30 + 50 * i, 900, 110 + 20 + 30 + 50 * i) for i in range(3)]
    score = score_page(page(*FOUR), page(*halfway))
    assert score.matched == 0
    assert score.missed == 4


def test_two_lines_merged_into_one() -> None:
    both = box_polygon(100, 100, 900, 199)
    score = score_page(page(*FOUR), page(both, line(2), line(3)))
    # the tall region holds both centre lines; its own runs along their border and falls into one of them
    assert score.merged == 1
    assert score.missed == 0
    assert score.spurious == 0
    assert score.count_error == -1
    assert score.matched in (2, 3)


def test_merge_of_three_whose_centre_is_the_middle_line() -> None:
    score = score_page(page(*FOUR), page(box_polygon(100, 100, 900, 249), line(3)))
    assert counts(score) == {"matched": 2, "merged": 1}
    assert score.truth_fates == ("merged", "matched", "merged", "matched")
    assert score.count_error == -2


@pytest.mark.parametrize(("end", "fate"), [(492, "missed"), (508, "merged")])
def test_half_of_a_centre_line_inside_a_detection_is_covered(end: int, fate: str) -> None:
    corners = [[100, 100], [900, 100], [900, 149], [end, 149], [end, 199], [100, 199]]
    score = score_page(page(line(0), line(1)), page(polygon_of(corners)))
    assert score.truth_fates == ("matched", fate)


def test_line_split_in_halves() -> None:
    score = score_page(page(*FOUR), page(line(0, 100, 480), line(0, 520, 900), *FOUR[1:]))
    assert counts(score) == {"matched": 3, "split": 1}
    assert score.truth_fates[0] == "split"
    assert score.detection_fates[:2] == ("split", "split")
    assert score.count_error == 1


def test_line_with_a_small_piece_cut_off_still_matches_and_is_a_split() -> None:
    score = score_page(page(*FOUR), page(line(0, 100, 750), line(0, 800, 900), *FOUR[1:]))
    assert counts(score) == {"matched": 4, "split": 1}
    assert score.count_error == 1


def test_half_found_line_is_missed_and_its_half_is_spurious() -> None:
    score = score_page(page(*FOUR), page(line(0, 100, 500), *FOUR[1:]))
    assert counts(score) == {"matched": 3, "missed": 1, "spurious": 1}


@pytest.mark.parametrize(("end", "matched"), [(670, 4), (640, 3)])
def test_seventy_percent_of_the_length_decides(end: int, matched: int) -> None:
    assert score_page(page(*FOUR), page(line(0, 100, end), *FOUR[1:])).matched == matched


def test_missing_line() -> None:
    score = score_page(page(*FOUR), page(*FOUR[:3]))
    assert counts(score) == {"matched": 3, "missed": 1}
    assert score.count_error == -1


def test_spurious_line_between_lines_counts() -> None:
    stray = box_polygon(100, 145, 900, 152)
    truth = page(line(0), box_polygon(100, 160, 900, 200))
    score = score_page(truth, page(line(0), box_polygon(100, 160, 900, 200), box_polygon(300, 151, 600, 158)))
    assert counts(score) == {"matched": 2, "spurious": 1}
    assert counts(score_page(page(*FOUR), page(*FOUR, stray)))["matched"] == 4


def test_detections_in_the_margin_and_outside_the_lines_are_ignored() -> None:
    folio = box_polygon(150, 200, 180, 240)
    outside = box_polygon(20, 120, 60, 300)
    truth = page(line(0), line(3), ignore=(box_polygon(140, 190, 200, 245),))
    score = score_page(truth, page(line(0), line(3), folio, outside))
    assert counts(score) == {"matched": 2, "ignored": 2}
    assert score.count_error == 0


def test_a_true_line_found_in_the_margin_still_matches() -> None:
    truth = page(line(0), ignore=(line(0),))
    assert counts(score_page(truth, page(line(0)))) == {"matched": 1}


def test_empty_page() -> None:
    assert counts(score_page(page(), page())) == {}
    score = score_page(page(ignore=(line(3),)), page(line(0), line(3)))
    assert counts(score) == {"spurious": 1, "ignored": 1}
    assert score.count_error == 1
    assert score.pixel_iou == 0.0
    assert score_page(page(), page()).pixel_iou is None


def test_nothing_found() -> None:
    score = score_page(page(*FOUR), page())
    assert counts(score) == {"missed": 4}
    assert score.pixel_iou == 0.0


def skewed(row: int, slope: float, height: float = 40) -> Polygon:
    """A line rising by ``slope`` over 800 px."""
    y = 100 + 50 * row
    return polygon_of([[100, y], [900, y - slope], [900, y - slope + height], [100, y + height]])


def test_skewed_polygons_match_where_boxes_would_not() -> None:
    truth = [skewed(i, 80) for i in range(1, 5)]
    found = [skewed(i, 76, 36) for i in range(1, 5)]
    assert counts(score_page(page(*truth), page(*found))) == {"matched": 4}
    boxes = [box_polygon(*p.min(axis=0), *p.max(axis=0)) for p in truth]
    tilted = score_page(page(*truth), page(*boxes))
    assert tilted.matched < 4  # a level centre line leaves a line that rises by two line heights


def test_curved_line_matches_itself_shifted_a_little() -> None:
    x = np.linspace(100, 900, 40)
    y = 250 + 60 * np.sin((x - 100) / 800 * np.pi)
    curve = polygon_of(np.r_[np.c_[x, y - 20], np.c_[x, y + 20][::-1]])
    assert counts(score_page(page(curve), page(curve + np.float32(8)))) == {"matched": 1}
    assert counts(score_page(page(curve), page(curve + np.array([0, 50], np.float32)))).get("matched", 0) == 0


def test_one_detection_matches_one_line_only() -> None:
    score = score_page(page(line(0), line(0)), page(line(0)))
    assert score.matched == 1


def test_matching_is_the_largest_one() -> None:
    # the greedy choice (row 0 takes column 0) would leave row 1 alone
    allowed = np.array([[True, True], [True, False]])
    assert match_one_to_one(allowed, np.array([[0.9, 0.1], [0.5, 0.0]])) == [(0, 1), (1, 0)]
    assert match_one_to_one(np.zeros((0, 3), bool), np.zeros((0, 3))) == []


def test_intersection_over_union_by_hand() -> None:
    a = region_of(box_polygon(0, 0, 9, 9), 1.0, SIZE)
    b = region_of(box_polygon(5, 0, 14, 9), 1.0, SIZE)
    assert a is not None
    assert b is not None
    assert intersection_over_union(a, b) == pytest.approx(50 / 150)
    assert centre_inside(a, b) == pytest.approx(0.5)
    assert region_of(box_polygon(2000, 0, 2100, 9), 1.0, SIZE) is None


def test_large_pages_give_the_same_answer() -> None:
    big = [p * np.float32(10) for p in FOUR]
    truth = PageLines("big_0001.tif", (10000, 5000), tuple(big))
    assert counts(score_page(truth, PageLines("big_0001.tif", None, tuple(big[:3])))) == {
        "matched": 3,
        "missed": 1,
    }


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_page_that_lies_on_a_side_is_scored_as_the_upright_one(orientation: int) -> None:
    found = [*FOUR[:2], line(2, x1=580), box_polygon(700, 10, 990, 45)]  # the third is found over 60 %

    def there(polygons: Sequence[Polygon]) -> PageLines:
        turned = (to_stored(p.astype(float), orientation, *SIZE).astype(np.float32) for p in polygons)
        return PageLines("a_0001.jpg", SIZE[::-1] if orientation >= 5 else SIZE, tuple(turned))

    wanted = counts(score_page(page(*FOUR), page(*found)))
    assert counts(score_page(there(FOUR), there(found))) == wanted
    assert wanted["matched"] == 2


def test_report_over_pages() -> None:
    truth = [page(*FOUR, image="a_0001.jpg"), page(*FOUR, image="b_0001.jpg")]
    found = [page(*FOUR[:2], image="x/b_0001.jpg"), page(*FOUR, image="a_0001.jpg")]
    report = evaluate(found, truth)
    assert [s.image for s in report.pages] == ["a_0001.jpg", "b_0001.jpg"]
    everything = report.sets[0]
    assert everything.exact_share == 0.5
    assert everything.count_error == 1.0
    assert everything.precision == 1.0
    assert everything.recall == 6 / 8
    assert everything.f1 == pytest.approx(12 / 14)
    assert everything.f1_documents == pytest.approx((1 + 4 / 6) / 2)
    assert everything.f1_low == pytest.approx(4 / 6)
    assert everything.f1_high == 1.0
    assert [s.name for s in report.sets] == ["all", "uchen"]
    assert json.loads(json.dumps(report.to_json()))["sets"][0]["truth_lines"] == 8
    text = report.to_text()
    assert "b_0001.jpg" in text
    assert "a_0001.jpg" not in text


def test_a_page_that_was_not_predicted_counts_as_empty() -> None:
    other = page(*FOUR, image="b_0001.jpg")
    report = evaluate([other], [page(*FOUR), other])
    assert report.sets[0].missed == 4
    assert report.notes == (
        "pages without a prediction, taken for pages on which nothing was found: 1, the first a_0001.jpg",
    )
    assert report.notes[0] in report.to_text()


def test_no_prediction_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="no page of the truth has a prediction"):
        evaluate([], [page(*FOUR)])


def test_a_page_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"predictions have the page a_0001\.jpg twice"):
        evaluate([page(), page()], [page()])


def test_line_count_only_truth_enters_the_count_error_alone() -> None:
    truth = [PageLines("m_0001.jpg", SIZE, (), line_count=5), page(*FOUR)]
    report = evaluate([page(*FOUR, image="m_0001.jpg"), page(*FOUR)], truth)
    assert report.pages[0].count_error == -1
    assert report.sets[0].f1 == 1.0
    assert report.sets[0].exact_share == 0.5


def test_an_empty_set_has_no_figures() -> None:
    assert evaluate([], []).sets == ()


@pytest.mark.parametrize(
    ("image", "document"),
    [
        ("img_1.jpg", "img_1-4"),
        ("img_4.jpg", "img_1-4"),
        ("img_5.png", "img_5"),
        ("uchen_high_quality_0002.jpg", "uchen_high_quality"),
        ("uchen_high_quality_pdf_0004.tif", "uchen_high_quality"),
        ("I2PD179920106.jpg", "I2PD17992"),
        ("ground-truth/tccg/TCCG-001_0003_crop.jpg", "TCCG-001"),
        ("0012.jpg", "0012"),
    ],
)
def test_document_of_an_image(image: str, document: str) -> None:
    assert document_of(image) == document


def test_splits_keep_documents_together() -> None:
    pages = [page(image=f"book{b}_{n:04}.jpg") for b in range(20) for n in range(3)]
    parts = split_by_document(pages, 3, seed=1)
    homes = [{document_of(p.image) for p in part} for part in parts]
    assert sum(len(p) for p in parts) == 60
    assert all(not (homes[i] & homes[j]) for i in range(3) for j in range(i))
    assert all(homes)
