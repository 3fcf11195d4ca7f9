"""Two runs compared: the fates of lines and pages, and what the page says of them."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from PIL import Image

from bec_ldv1.lines import Line
from bec_ldv1.output.report import write_comparison
from bec_ldv1.output.report.changes import Fate, compare_lines
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord
from support.report_volumes import made_volume, strokes
from support.turned_pages import scanned, scanned_record

SIZE = (900, 300)


def box(y: float, height: float = 30, left: float = 90, right: float = 810) -> Any:
    return np.array([(left, y), (right, y), (right, y + height), (left, y + height)], np.float32)


def record(name: str, *tops: float, **changes: Any) -> PageRecord:
    lines = [Line(box(y), np.array([(90, y + 15), (810, y + 15)], np.float32), confidence=0.9) for y in tops]
    contours = [box(y).astype(np.int32) for y in tops]
    bare = PageRecord(name, "e", contours=contours, contours_bboxes=np.zeros((len(tops), 4), np.int32))
    return attrs.evolve(bare, **{"details": PageDetails(*SIZE, 0.1, lines), **changes})


def failed(name: str) -> PageRecord:
    return PageRecord.failed(name, "e", stage="detect", error_type="Oops", message="</script>it broke")


def compared(tmp_path: Path, before: list[PageRecord], after: list[PageRecord], **options: Any) -> Any:
    pair = tuple(made_volume(records, lambda _: strokes(3)) for records in (before, after))
    html = write_comparison([pair], tmp_path, **options).read_text(encoding="utf-8")  # type: ignore[list-item]
    match = re.search(r'id="data">(.*?)</script>', html, re.DOTALL)
    assert match
    return html, json.loads(match[1])["pages"]


def test_equal_lines_are_the_same_in_any_order() -> None:
    lines = [box(40), box(100), box(160)]
    changes = compare_lines(lines, lines[::-1], SIZE)
    assert (*changes.before, *changes.after) == (Fate.SAME,) * 6
    assert changes.score == 0


def test_a_line_too_many_and_a_line_too_few() -> None:
    assert compare_lines([box(40), box(100)], [box(40)], SIZE).before == (Fate.SAME, Fate.GONE)
    assert compare_lines([box(40)], [box(40), box(100)], SIZE).after == (Fate.SAME, Fate.NEW)
    assert compare_lines([box(40)], [box(200)], SIZE).score == 2
    assert compare_lines([], [], SIZE).score == 0


def test_a_line_that_moved_a_little_counts_a_little() -> None:
    changes = compare_lines([box(40)], [box(50)], SIZE)  # 20 of 40 rows are common
    assert changes.after == (Fate.MOVED,)
    assert changes.score == pytest.approx(0.5, abs=0.05)
    assert compare_lines([box(40)], [box(42)], SIZE).score == 0


def test_two_lines_merged_into_one_are_gone_but_for_one() -> None:
    changes = compare_lines([box(40), box(70)], [box(40, height=60)], SIZE)
    assert Fate.SAME not in (*changes.before, *changes.after)
    assert changes.score >= 1


def test_pages_stand_worst_first_and_unchanged_ones_are_left_out(tmp_path: Path) -> None:
    before = [
        record("same", 40, 100, 160),
        record("one-less", 40, 100, 160),
        record("breaks", 40),
        record("all-gone", 40, 100, 160),
        failed("mends"),
        record("only-before", 40),
    ]
    after = [
        record("same", 40, 100, 160),
        record("one-less", 40, 100),
        failed("breaks"),
        record("all-gone"),
        record("mends", 40),
        record("only-after", 40),
    ]
    html, pages = compared(tmp_path, before, after, names=("old <b>", "new"))
    assert [page["f"] for page in pages] == [
        "breaks",
        "only-before",
        "all-gone",
        "one-less",
        "only-after",
        "mends",
    ]
    assert [page["t"] for page in pages][2:4] == ["3 lines gone", "1 line gone"]
    assert pages[0]["s"][1]["e"] == "The line detection failed: </script>it broke"
    assert pages[1]["s"][1] is None
    assert [fate for _, fate in pages[3]["s"][0]["d"]] == ["same", "same", "gone"]
    assert "6 pages of 7 (86%) changed between old &lt;b&gt; and new." in html
    assert "old <b>" not in html
    assert html.count("</script>") == html.count("<script")
    for page in pages:
        for side in page["s"]:
            assert side is None or (tmp_path / "thumbs" / side["p"]).exists()


def test_only_the_worst_are_drawn_and_the_rest_is_counted(tmp_path: Path) -> None:
    before = [record(f"p{i}", 40, 100, 160) for i in range(5)]
    after = [record(f"p{i}", *(40, 100, 160)[i:]) for i in range(5)]
    html, pages = compared(tmp_path, before, after, drawn=2)
    assert [page["f"] for page in pages] == ["p3", "p4"]
    assert "2 less changed pages not drawn." in html
    assert len(list((tmp_path / "pages").iterdir())) == 2  # both runs saw the same bytes


def test_a_page_whose_image_changed_has_a_picture_for_each_run(tmp_path: Path) -> None:
    _, pages = compared(tmp_path, [record("p", 40)], [record("p", 200, source_etag="f")])
    files = [side["p"] for side in pages[0]["s"]]
    assert files == ["0001-before.jpg", "0001-after.jpg"]


def test_contours_are_compared_where_a_run_has_no_lines(tmp_path: Path) -> None:
    old = [record("p", 40, 100, details=None)]
    html, pages = compared(tmp_path, old, [record("p", 40, 100)])
    assert pages == []
    assert "found the same lines on all 1 page." in html
    _, pages = compared(tmp_path, old, [record("p", 40)])
    assert pages[0]["t"] == "1 line gone"


@pytest.mark.parametrize("seen", [True, False])
def test_each_run_shows_a_page_the_side_up_that_it_took_for_upright(tmp_path: Path, seen: bool) -> None:
    """A page that lies on its side: the older run read nothing on it, the newer one turned it."""
    plane = np.asarray(Image.open(io.BytesIO(strokes(1))))
    data = scanned(plane, 1) if seen else b"gone"
    after = scanned_record(record("a.png", 45), 1)
    before = attrs.evolve(after, details=attrs.evolve(after.details, lines=(), quarter_turns=0))
    pair = tuple(made_volume([one], lambda _: data) for one in (before, after))
    html = write_comparison([pair], tmp_path).read_text(encoding="utf-8")  # type: ignore[list-item]
    match = re.search(r'id="data">(.*?)</script>', html, re.DOTALL)
    assert match
    (page,) = json.loads(match[1])["pages"]
    older, newer = page["s"]
    assert [(older["w"], older["h"]), (newer["w"], newer["h"])] == [SIZE[::-1], SIZE]
    if seen:
        assert older["p"] != newer["p"]
        for side in (older, newer):
            with Image.open(tmp_path / "pages" / side["p"]) as picture:
                assert picture.size == (side["w"], side["h"])
