"""The report's files: what is in them, and that nothing in a volume can break them."""

from __future__ import annotations

import io
import json
import re
from html import escape
from pathlib import Path
from typing import Any

import attrs
import cv2
import numpy as np
import pytest
from PIL import Image

from bec_core import ReportVolume, Work
from bec_ldv1.lines import Line
from bec_ldv1.output.report import job_page, write_report
from bec_ldv1.output.report.adapt import picture_outlines
from bec_ldv1.output.report.charts import even_bins, histogram, integer_bins, strip
from bec_ldv1.output.report.job_page import VolumeRow
from bec_ldv1.output.report.markup import document, json_block
from bec_ldv1.output.report.pictures import Picture, ink_share, make_pictures, view_size
from bec_ldv1.output.report.preview import typical_page
from bec_ldv1.output.report.view import PageView, VolumeView
from bec_ldv1.output.report.volume_page import svg_path
from bec_ldv1.page.decode import decode
from bec_ldv1.page.decode import upright as turn
from bec_ldv1.page.orientation import to_stored
from bec_ldv1.page.rectify import Rectification
from bec_ldv1.page.tps import ALPHA, ControlPoints, Spline
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.facts import coverage, page_facts
from bec_ldv1.record.records import PageRecord
from bec_ldv1.record.suspicion import Level, Verdict, judge_volume
from bec_ldv1.record.usual import Typical
from support.report_volumes import made_volume, strokes
from support.turned_pages import WAYS, scanned, scanned_record

SIZE = (900, 300)


def record(name: str, lines: int = 3, **changes: Any) -> PageRecord:
    """Boxes around those strokes."""
    boxes = [
        np.array([(90, y - 15), (810, y - 15), (810, y + 15), (90, y + 15)])
        for y in range(60, 60 + 60 * lines, 60)
    ]
    contours = [box.astype(np.int32) for box in boxes]
    frame = np.array([[90, 45 + 60 * i, 721, 31] for i in range(lines)], np.int32).reshape(-1, 4)
    return attrs.evolve(PageRecord(name, "e", contours=contours, contours_bboxes=frame), **changes)


def data_of(html: str) -> Any:
    """The page's JSON block."""
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert match
    return json.loads(match[1])


def volume_html(directory: Path, folder: str = "W1-I1-121212") -> str:
    return (directory / folder / "index.html").read_text(encoding="utf-8")


def test_a_report_has_the_job_the_volume_and_every_picture(tmp_path: Path) -> None:
    names = [f"I1{i:04d}.png" for i in range(1, 6)]
    volume: ReportVolume = made_volume(
        [record(name) for name in names], lambda _: strokes(3), marker={"timestamp": "2026-01-02", "x": [1]}
    )
    first = write_report([volume], tmp_path / "out")
    assert first == tmp_path / "out" / "index.html"
    assert 'href="W1-I1-121212/index.html"' in first.read_text(encoding="utf-8")
    html = volume_html(tmp_path / "out")
    data = data_of(html)
    assert [page["f"] for page in data["pages"]] == names
    assert all(page["c"] == 3 and len(page["d"]) == 3 and page["k"] == "fine" for page in data["pages"])
    for page in data["pages"]:
        for kind in ("thumbs", "pages"):
            with Image.open(tmp_path / "out" / "W1-I1-121212" / kind / page["p"]) as picture:
                assert picture.mode == "RGB"
                assert picture.size == (SIZE if kind == "pages" else (760, 253))
    assert "Looks good" in html
    assert "2026-01-02" in html


def test_the_works_title_and_link_stand_beside_the_volumes_name_and_a_new_title_draws_it_anew(
    tmp_path: Path,
) -> None:
    volume = made_volume([record("a.png")], lambda _: strokes(3))
    for title in ("<script>alert(1)</script>", "The Jewel"):
        titled = attrs.evolve(volume, work=Work(title, "https://example.org/1?a=1&b=2"))
        for again in (titled, titled):  # the second time its row is the one that was noted
            first = write_report([again], tmp_path)
            for html in (first.read_text(encoding="utf-8"), volume_html(tmp_path)):
                assert html.count(f"<bdi>{escape(title)}</bdi>") == 1
                assert 'href="https://example.org/1?a=1&amp;b=2"' in html
                assert "<script>alert" not in html
    lost = attrs.evolve(titled, artifacts={})
    assert "The Jewel" in write_report([lost], tmp_path / "lost").read_text(encoding="utf-8")


def test_nothing_in_the_pages_asks_for_the_network(tmp_path: Path) -> None:
    volume = made_volume([record("a.png")], lambda _: strokes(3))
    first = write_report([volume], tmp_path)
    for html in (first.read_text(encoding="utf-8"), volume_html(tmp_path)):
        assert re.findall(r"(?:https?:)?//[a-z]", html.replace("http://www.w3.org/2000/svg", "")) == []
        assert "default-src 'none'" in html


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&.png"


def test_hostile_names_and_messages_stay_text(tmp_path: Path) -> None:
    failed = PageRecord.failed(HOSTILE, "e", stage="<b>decode", error_type="<i>Oops", message=HOSTILE)
    errors = json.dumps({"img_filename": HOSTILE, "message": HOSTILE * 3}) + "\nno json\n"
    volume = made_volume(
        [failed, record("x" + HOSTILE, 0)], lambda _: b"", errors=errors.encode(), marker={HOSTILE: HOSTILE}
    )
    hostile = attrs.evolve(
        volume,
        volume=attrs.evolve(
            volume.volume, version=HOSTILE, ref=attrs.evolve(volume.volume.ref, w_id=HOSTILE)
        ),
    )
    first = write_report([hostile], tmp_path / "out")
    folders = [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()]
    assert len(folders) == 1
    assert re.fullmatch(r"[A-Za-z0-9._-]+", folders[0])
    html = volume_html(tmp_path / "out", folders[0])
    for page in (first.read_text(encoding="utf-8"), html):
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<b>decode" not in page
        assert page.count("</script>") == page.count("<script")
    shown = data_of(html)["pages"]
    assert shown[0]["f"] == HOSTILE
    assert HOSTILE * 3 in shown[0]["y"][-1]


def test_names_that_are_no_unicode_are_shown_not_raised(tmp_path: Path) -> None:
    volume = made_volume([record("a.png")], lambda _: strokes(3))
    odd = attrs.evolve(volume.volume, pages=(attrs.evolve(volume.volume.pages[0], filename="\udce9.png"),))
    write_report([attrs.evolve(volume, volume=odd)], tmp_path)
    page = data_of(volume_html(tmp_path))["pages"][0]
    assert page["f"] == "?.png"
    assert page["k"] == "error"  # the records have no row of this name


def test_pages_that_cannot_be_shown_become_tiles_with_the_reason(tmp_path: Path) -> None:
    def picture(name: str) -> bytes:
        if name == "lost.png":
            raise KeyError(name)
        return b"\xff\xd8\xff damaged" if name == "damaged.jpg" else strokes(3)

    records = [record("good.png"), record("damaged.jpg"), record("lost.png")]
    write_report([made_volume(records, picture)], tmp_path)
    good, damaged, lost = data_of(volume_html(tmp_path))["pages"]
    assert good["p"] == "0001.jpg"
    assert good["u"] is None
    assert damaged["p"] is None
    assert "header is damaged" in damaged["u"]
    assert lost["u"] == "there is no image lost.png"
    assert len(lost["d"]) == 3  # what was found is drawn all the same


def test_one_unreadable_volume_does_not_cost_the_others(tmp_path: Path) -> None:
    good = made_volume([record("a.png")], lambda _: strokes(3))
    lost = attrs.evolve(made_volume([record("a.png")], lambda _: b"", w_id="W2"), artifacts={})
    damaged = attrs.evolve(lost, artifacts={".parquet": b"PAR1 not really"})
    html = write_report([lost, good, damaged], tmp_path).read_text(encoding="utf-8")
    assert html.count(">Can’t be shown<") == 2
    assert "Looks good" in html
    assert "1 looks good" in html


def test_two_volumes_of_one_name_get_two_folders(tmp_path: Path) -> None:
    volume = made_volume([record("a.png")], lambda _: strokes(3))
    html = write_report([volume, volume], tmp_path).read_text(encoding="utf-8")
    assert 'href="W1-I1-121212-2/index.html"' in html
    assert (tmp_path / "W1-I1-121212-2" / "index.html").exists()


def test_a_volume_that_did_not_change_is_not_drawn_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def picture(name: str) -> bytes:
        asked.append(name)
        return strokes(3)

    volume = made_volume([record("a.png")], picture, marker={"timestamp": "1"})
    first = write_report([volume], tmp_path).read_text(encoding="utf-8")
    assert write_report([volume], tmp_path).read_text(encoding="utf-8") == first
    assert asked == ["a.png"]
    write_report([attrs.evolve(volume, marker={"timestamp": "2"})], tmp_path)
    assert "Processed 2." in volume_html(tmp_path)
    write_report([made_volume([record("a.png", 2)], picture, marker={"timestamp": "2"})], tmp_path)
    assert len(data_of(volume_html(tmp_path))["pages"][0]["d"]) == 2
    assert asked == ["a.png"] * 3


def test_a_picture_that_was_missing_is_tried_again(tmp_path: Path) -> None:
    pictures: dict[str, bytes] = {}
    volume = made_volume([record("a.png")], pictures.__getitem__)
    write_report([volume], tmp_path)
    pictures["a.png"] = strokes(3)
    write_report([volume], tmp_path)
    assert data_of(volume_html(tmp_path))["pages"][0]["p"] == "0001.jpg"


def test_a_volume_links_to_bec_serve_where_it_is_known(tmp_path: Path) -> None:
    volume = made_volume([record("a.png")], lambda _: strokes(3))
    write_report([volume], tmp_path)
    assert "bec serve" not in volume_html(tmp_path)
    served = attrs.evolve(volume, served_at="https://bec.example/jobs/ldv1/volumes/W1/I1")
    write_report([served], tmp_path)  # though it is drawn already
    assert '<a href="https://bec.example/jobs/ldv1/volumes/W1/I1" rel=' in volume_html(tmp_path)


def test_an_empty_job_has_a_report(tmp_path: Path) -> None:
    assert "No volume is finished yet." in write_report([], tmp_path).read_text(encoding="utf-8")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_outlines_lie_on_the_upright_picture_of_an_exif_rotated_page(
    orientation: int, tmp_path: Path
) -> None:
    upright = decode(strokes(1)).plane
    exif = Image.Exif()
    exif[274] = orientation
    stored = _stored_raster(upright, orientation)
    sink = io.BytesIO()
    Image.fromarray(stored).save(sink, "PNG", exif=exif)
    box = np.array([(90.0, 45.0), (810.0, 45.0), (810.0, 75.0), (90.0, 75.0)])
    contour = to_stored(box, orientation, upright.shape[1], upright.shape[0]).astype(np.int32)
    picture = make_pictures(sink.getvalue(), tmp_path / "v.jpg", tmp_path / "t.jpg")
    outline = picture_outlines(PageRecord("a", "e", contours=[contour]), picture, whole_lines=False)[0]
    assert (picture.view_width, picture.view_height) == SIZE
    assert np.array_equal(np.sort(outline.points, axis=0), np.sort(box, axis=0))


def coloured() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A page with a red bar at its upper left and a blue one at its lower right."""
    plane = np.full((64, 96, 3), 255, np.uint8)
    plane[8:24, 8:56], plane[40:56, 72:88] = (200, 0, 0), (0, 0, 200)
    return plane


def shown_in_report(data: bytes, tmp_path: Path, quarter_turns: int = 0) -> Any:
    make_pictures(data, tmp_path / "v.jpg", tmp_path / "t.jpg", quarter_turns)
    with Image.open(tmp_path / "v.jpg") as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG"])
@pytest.mark.parametrize(("quarter_turns", "orientation"), WAYS)
def test_colours_are_shown_upright_in_every_format(
    form: str, quarter_turns: int, orientation: int, tmp_path: Path
) -> None:
    """Pillow turns a TIFF while it loads it, and other files not."""
    with Image.open(io.BytesIO(scanned(coloured(), quarter_turns, orientation))) as image:
        exif, raster = image.getexif(), Image.fromarray(np.asarray(image))
    sink = io.BytesIO()
    raster.save(sink, form, exif=exif)
    shown = shown_in_report(sink.getvalue(), tmp_path, quarter_turns)
    assert shown.shape == coloured().shape
    assert np.abs(shown - coloured()).mean() < 10


def test_a_picture_shows_what_was_read(tmp_path: Path) -> None:
    """Where Pillow alone would see something else, or nothing, it is grey."""
    page, sink = Image.fromarray(coloured()), io.BytesIO()
    small = Image.new("RGB", (24, 16), "green")
    page.encoderinfo = {"tiffinfo": {254: 0}}
    small.save(sink, "TIFF", save_all=True, append_images=[page], tiffinfo={254: 1})
    data = sink.getvalue()
    assert decode(data).width == 96
    assert np.abs(shown_in_report(data, tmp_path)[..., 0] - decode(data).plane).mean() < 10
    sink = io.BytesIO()
    page.save(sink, "JPEG")
    assert np.abs(shown_in_report(sink.getvalue()[:-2], tmp_path)[..., 0] - decode(data).plane).mean() < 10
    clear = np.dstack((coloured(), np.zeros((64, 96), np.uint8)))
    sink = io.BytesIO()
    Image.fromarray(clear).save(sink, "PNG")
    assert shown_in_report(sink.getvalue(), tmp_path).min() < 100


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize(("quarter_turns", "orientation"), WAYS)
def test_a_page_that_lies_on_a_side_is_shown_upright_with_a_word(
    quarter_turns: int, orientation: int, seen: bool, tmp_path: Path
) -> None:
    box = np.array([(90.0, 45.0), (810.0, 45.0), (810.0, 75.0), (90.0, 75.0)], np.float32)
    details = PageDetails(*SIZE, 0.1, [Line(box, box[:2] + np.float32([0, 15]), 0.9)], orientation=1)
    found = scanned_record(record("a.png", 1, details=details), quarter_turns, orientation)
    data = scanned(np.asarray(Image.open(io.BytesIO(strokes(1)))), quarter_turns, orientation)
    write_report([made_volume([found], lambda _: data if seen else b"gone")], tmp_path)
    (page,) = data_of(volume_html(tmp_path))["pages"]
    assert (page["w"], page["h"]) == SIZE
    words = ["", "turned by 90° clockwise", "upside down", "turned by 90° counter-clockwise"][quarter_turns]
    assert page.get("t") == (f"scanned {words}, shown upright" if words else None)
    numbers = [int(n) for n in re.findall(r"-?[0-9]+", page["d"][0])]
    outline = np.cumsum(np.array(numbers).reshape(-1, 2), axis=0)
    assert np.abs(np.sort(outline, axis=0) - np.sort(box, axis=0)).max() <= 1
    start, way = np.array([int(n) for n in re.findall(r"-?[0-9]+", page["b"][0])]).reshape(-1, 2)
    assert abs(start[1] - 60) <= 1
    assert abs(abs(way[0]) - 720) <= 1
    if seen:
        with Image.open(tmp_path / "W1-I1-121212" / "pages" / page["p"]) as picture:
            shown = np.asarray(picture.convert("L"))
        assert shown.shape == SIZE[::-1]
        assert shown[60, 150:750].max() < 90  # the stroke that the line is about
    else:
        assert page["p"] is None


def _stored_raster(upright: np.ndarray[Any, np.dtype[np.uint8]], orientation: int) -> Any:
    """The raster that the EXIF orientation turns into ``upright``: found by trying all eight."""
    return next(
        candidate
        for turned in (upright, np.ascontiguousarray(upright.T))
        for k in ((1, 1), (-1, 1), (1, -1), (-1, -1))
        for candidate in (np.ascontiguousarray(turned[:: k[0], :: k[1]]),)
        if np.array_equal(turn(candidate, orientation), upright)
    )


def test_outlines_of_a_rectified_page_go_back_to_where_the_ink_is() -> None:
    width, height = 1600, 800
    xs = np.linspace(200, 1400, 9)
    bow = 30 * np.sin((xs - 200) / 1200 * np.pi)
    inputs = np.vstack((np.column_stack((xs, 400 - bow)), [(0, 0), (1600, 0), (0, 800), (1600, 800)]))
    outputs = np.vstack((np.column_stack((xs, np.full(9, 400.0))), inputs[9:]))
    points = ControlPoints(inputs, outputs)
    done = Rectification(width, height, 3.5, Spline.fit(points, ALPHA))
    on_page = np.column_stack((xs, 380 - bow))
    rectified = np.rint(done.to_rectified(on_page)).astype(np.int32)
    found = PageRecord(
        "a", "e", rotation_angle=3.5, tps_points=points.rows(), tps_alpha=ALPHA, contours=[rectified]
    )
    picture = Picture(width, height, 1, width, height, 0.1)
    outline = picture_outlines(found, picture, whole_lines=False)[0].points
    for x, y in outline:
        assert abs(np.interp(x, xs, 380 - bow) - y) < 2


def test_ink_is_strokes_not_shade() -> None:
    blank = np.tile(np.linspace(90, 250, 1200).astype(np.uint8), (400, 1))
    assert ink_share(blank) == 0
    written = blank.copy()
    cv2.line(written, (100, 200), (1100, 200), 10, 12)
    assert 0.02 < ink_share(written) < 0.06
    assert ink_share(np.zeros((1, 1), np.uint8)) == 0


def test_pictures_are_bounded_and_never_enlarged() -> None:
    assert view_size(400, 300) == (400, 300)
    width, height = view_size(10_528, 2_176)
    assert width == 2_600
    assert abs(width / height - 10_528 / 2_176) < 0.01
    width, height = view_size(2_500, 3_500)
    assert width * height <= 1_710_000
    assert view_size(32_000, 1) == (2_600, 1)


def test_coverage_counts_overlaps_once() -> None:
    found = record("a", 2).contours or ()
    once = coverage(found, *SIZE)
    assert abs(once - 2 * 720 * 30 / (900 * 300)) < 0.02
    assert coverage([*found, *found], *SIZE) == once


def whole_lines(name: str, lines: int = 3, **changes: Any) -> PageRecord:
    """The same page with its lines beside the contours."""
    plain = record(name, lines)
    found = [
        Line(
            polygon=np.asarray(contour, np.float32),
            baseline=np.array([(100, 60 + 60 * i), (800, 60 + 60 * i)], np.float32),
            confidence=0.9,
        )
        for i, contour in enumerate(plain.contours or ())
    ]
    return attrs.evolve(plain, details=PageDetails(*SIZE, 0.1, found), **changes)


def test_whole_lines_are_drawn_where_the_records_have_them(tmp_path: Path) -> None:
    # Nothing is undone for them: they are on the page as it was scanned.
    records = [whole_lines(f"{i}.png", rotation_angle=4.0) for i in range(4)]
    write_report([made_volume(records, lambda _: strokes(3))], tmp_path)
    data = data_of(volume_html(tmp_path))
    page = data["pages"][0]
    assert data["unit"] == "line"
    assert page["d"][0] == "M90 45l720 0 0 30 -720 0z"
    assert page["b"][0] == "M100 60l700 0"
    assert page["q"] == [90, 90, 90]
    assert page["a"] == 4.0


def test_contours_are_drawn_as_segments_where_lines_are_missing(tmp_path: Path) -> None:
    records = [whole_lines("a.png"), record("b.png")]
    write_report([made_volume(records, lambda _: strokes(3))], tmp_path)
    data = data_of(volume_html(tmp_path))
    assert data["unit"] == "segment"
    assert "b" not in data["pages"][0]


def test_facts_need_no_picture_where_the_record_has_details() -> None:
    facts = page_facts(whole_lines("a.png"), whole_lines=True)
    assert (facts.lines, facts.ink) == (3, 0.1)
    assert facts.confidence == pytest.approx(0.9)
    assert facts.coverage == pytest.approx(3 * 720 * 30 / (900 * 300), abs=0.03)
    assert page_facts(record("a.png"), whole_lines=False).coverage is None
    assert page_facts(None, whole_lines=False).failed


def test_paths_are_relative() -> None:
    assert svg_path(np.array([(5, 6), (15, 6), (15, 2)], np.int32)) == "M5 6l10 0 0 -4z"
    assert svg_path(np.array([(5, 6)], np.int32)) == "M5 6z"


def test_json_cannot_end_its_element() -> None:
    value = {"</script>": "<!--&\u2028"}
    block = json_block(value)
    assert not set("<>&\u2028") & set(block)
    assert json.loads(block) == value


def test_a_template_with_a_missing_field_is_an_error() -> None:
    with pytest.raises(KeyError):
        document("job.html", ["job.js"], count="1")


def test_histograms_count_every_value_once() -> None:
    assert sum(item.count for item in integer_bins([1, 1, 5, 300])) == 4
    assert len(integer_bins(list(range(1000)))) <= 24
    assert sum(item.count for item in even_bins([-9.0, -0.1, 0.0, 4.99, 5.0, 70.0], -5, 5, 20, "°")) == 6
    chart = histogram("Lines <b>", integer_bins([3, 3, 4]), ("0", "10"))
    assert "3: 2 pages" in chart
    assert "<b>" not in chart
    assert histogram("Lines", [], ("", "")) == ""


def bar_sizes(svg: str) -> list[tuple[float, float]]:
    """Width and height of a histogram's bars."""
    bars = re.findall(r'<rect x="[^"]*" y="[^"]*" width="([^"]*)" height="([^"]*)"', svg)
    return [(float(width), float(height)) for width, height in bars if float(height)]


def test_few_pages_have_no_huge_bars() -> None:
    ((width, height),) = bar_sizes(histogram("Lines", integer_bins([6]), ("0", "10")))
    assert (width < 15, height < 12) == (True, True)
    assert (
        max(height for _, height in bar_sizes(histogram("Lines", integer_bins([6] * 30), ("0", "10")))) > 80
    )
    drawn = strip([(7, Level.FINE)] * 5)
    assert set(re.findall(r"h([0-9.]+)V", drawn)) == {"13.33"}
    assert 'data-places="60"' in drawn
    assert 'data-places="70"' in strip([(7, Level.FINE)] * 70)


def test_what_there_is_nothing_to_say_of_is_left_out(tmp_path: Path) -> None:
    def stats_of(html: str) -> list[str]:
        return re.findall(r"<dt>([^<]*)</dt><dd>", html.partition("<details>")[0])

    write_report(
        [made_volume([record(f"{i}.png") for i in range(3)], lambda _: strokes(3))], tmp_path / "good"
    )
    html = volume_html(tmp_path / "good")
    assert stats_of(html)[:2] == ["pages", "segments"]
    assert not {"pages failed", "pages to look at", "blank pages"} & set(stats_of(html))
    assert "Distributions" not in html  # of three pages
    assert "to look at, no segments" not in html
    assert 'value="error"' not in html
    records = [
        *(record(f"{i}.png") for i in range(6)),
        PageRecord.failed("x.png", "e", stage="decode", error_type="E", message="m"),
    ]
    write_report([made_volume(records, lambda _: strokes(3))], tmp_path / "bad")
    html = volume_html(tmp_path / "bad")
    assert {"pages failed"} == {"pages failed", "pages to look at", "blank pages"} & set(stats_of(html))
    assert "Distributions" in html
    assert 'value="error"' in html
    assert "nothing to show" not in html


def heads_of(html: str) -> list[str]:
    return re.findall(r'<th scope="col"[^>]*><button type="button">([^<]*)</button>', html)


def test_the_list_has_a_picture_a_volume_and_the_columns_that_say_something(tmp_path: Path) -> None:
    def picture(name: str) -> bytes:
        if name == "lost.png":
            raise KeyError(name)
        return strokes(3)

    good = made_volume([record(f"{i}.png") for i in range(5)], picture)
    unseen = made_volume([record("lost.png")], picture, w_id="W2")
    html = write_report([good], tmp_path / "one").read_text(encoding="utf-8")
    assert heads_of(html) == ["Volume", "Verdict", "Pages", "Segments", "A page, usually"]
    assert "1 looks good." in html
    assert 'id="search"' not in html  # of one volume
    html = write_report([good, unseen], tmp_path / "two").read_text(encoding="utf-8")
    assert 'id="search"' in html
    assert html.count("/preview.jpg") == 1
    with Image.open(tmp_path / "two" / "W1-I1-121212" / "preview.jpg") as preview:
        assert preview.size == (360, 120)
        drawn = np.asarray(preview.convert("RGB")).astype(int)
    # The outline's upper edge runs over bare paper, 15 px above the first stroke.
    assert drawn[18, 180, 0] < 160
    assert drawn[6, 180, 0] > 200


def test_the_preview_shows_a_usual_page(tmp_path: Path) -> None:
    records = [
        record("0.png", 1),
        record("1.png", 0),
        *(record(f"{i}.png", 3) for i in range(2, 7)),
        record("7.png", 4),
    ]
    view = VolumeView("t", "v", "f", "line", _judged(records), Typical(), {})
    page = typical_page(view)
    assert page is not None
    assert page.number == 4
    assert typical_page(attrs.evolve(view, pages=())) is None


def _judged(records: list[PageRecord]) -> list[PageView]:
    facts = [
        page_facts(one, whole_lines=False, size=SIZE, ink=0.1 if one.nb_contours else 0.0) for one in records
    ]
    found = judge_volume(facts, unit="line")
    return [
        PageView(i + 1, one.img_file_name, *SIZE, f"{i}.jpg", None, [], fact, finding)
        for i, (one, fact, finding) in enumerate(zip(records, facts, found, strict=True))
    ]


@pytest.mark.parametrize("most", [10_000, 1_500])
def test_the_first_part_of_a_long_list_knows_the_names_of_all(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_page, "NAMES", most)
    row = VolumeRow("W · I", "v", "f", Verdict.GOOD, 4, "line", 24, 6.0, 0, 0, 0)
    rows = [attrs.evolve(row, title=f"</script>{i}", folder=f"v{i}") for i in range(2_002)]
    rows[-1] = attrs.evolve(rows[-1], unreadable="lost")
    pages = dict(job_page.job_pages(rows, ""))
    assert list(pages) == ["index.html", "volumes-2.html", "volumes-3.html"]
    names = data_of(pages["index.html"])
    if most > len(rows):
        # What can't be shown comes first, so the good ones are one place further.
        assert [(file, len(part)) for file, part in names] == [
            ("volumes-2.html", 1000),
            ("volumes-3.html", 2),
        ]
        assert names[1][1] == [["</script>1999", "v1999"], ["</script>2000", "v2000"]]
        assert "finds names in all of them" in pages["index.html"]
        assert "the first part</a> searches all" in pages["volumes-2.html"]
    else:
        assert names == []
        assert all("are of this part of the list" in html for html in pages.values())
    assert data_of(pages["volumes-2.html"]) == []


def test_the_strip_has_a_bar_for_every_page() -> None:
    drawn = strip([(7, Level.FINE), (0, Level.ERROR), (0, Level.BLANK), (6, Level.FINE)])
    assert sum(path.count("M") for path in re.findall(r' d="([^"]*)"', drawn)) == 4
    assert strip([]) == ""
    assert strip([(7, Level.FINE)]) == ""


def test_a_page_to_look_at_without_lines_is_no_bar_of_many_lines() -> None:
    drawn = strip([(7, Level.CHECK), (0, Level.CHECK), (3, Level.FINE)])
    heights = dict(re.findall(r'class="(\w+)" d="M[\d.]+ \d+v-([\d.]+)', drawn))
    assert set(heights) == {"check", "nothing", "fine"}
    assert heights["check"] == heights["nothing"] > heights["fine"]
