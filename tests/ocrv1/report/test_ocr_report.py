"""The report's files: what is in them, in which order, and that nothing in a volume can break them."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from PIL import Image

from bec_core import Work
from bec_ldv1.artifacts import PageImage
from bec_ocrv1.artifacts import PageText
from bec_ocrv1.report import pages as volume_pages
from bec_ocrv1.report import write_report
from bec_ocrv1.report.pictures import on_picture
from support.bar_volumes import drawn_page
from support.ocr_reports import DATA, FOLDER, HOSTILE, check_html, made_volume, read, small_volume


def test_the_volume_shows_every_line_the_least_sure_first(tmp_path: Path) -> None:
    first = write_report([small_volume()], tmp_path / "out")
    assert first == tmp_path / "out" / "index.html"
    job = check_html(first)
    assert f'href="{FOLDER}/index.html"' in job
    assert ">60 %<" in job  # weighed by characters: 3, 3 and 1
    html = check_html(tmp_path / "out" / FOLDER / "index.html")
    assert re.findall(r"Page \d, line \d", html) == [
        "Page 2, line 2",
        "Page 1, line 2",
        "Page 2, line 1",
        "Page 1, line 1",
    ]
    assert re.findall(r'<p class="reading[^>]*>([^<]+)<', html) == [
        "nothing was recognised",
        "གང་",
        "ཅ",
        "ཀ་ཁ",
    ]
    assert "The image could not be fetched: gone" in html
    assert "2026-01-02" in html


def test_the_works_title_and_link_are_shown_and_a_new_title_draws_the_volume_anew(tmp_path: Path) -> None:
    for title in ("<script>alert(1)</script>", "The Jewel"):
        titled = evolve(small_volume(), work=Work(title, "https://example.org/1?a=1&b=2"))
        for again in (titled, titled):  # the second time its row is the one that was noted
            first = write_report([again], tmp_path)
            for path in (first, tmp_path / FOLDER / "index.html"):
                html = check_html(path)
                assert html.count(f"<bdi>{escape(title)}</bdi>") == 1
                assert 'href="https://example.org/1?a=1&amp;b=2"' in html
                assert "<script" not in html
    lost = evolve(titled, artifacts={})
    assert "The Jewel" in check_html(write_report([lost], tmp_path / "lost"))


def test_the_list_has_failed_pages_only_where_there_are_some(tmp_path: Path) -> None:
    def heads(html: str) -> list[str]:
        return re.findall(r'<th class="number">(\w+)</th>', html)

    job = check_html(write_report([small_volume()], tmp_path / "bad"))
    assert heads(job) == ["Pages", "Failed", "Lines", "Characters", "Confidence"]
    good = made_volume([read("a.jpg", DATA, ("ཀ", 0.9))], {"a.jpg": DATA})
    job = check_html(write_report([good], tmp_path / "good"))
    assert heads(job) == ["Pages", "Lines", "Characters", "Confidence"]
    assert re.findall('data-of="([^"]*)"', job) == ["pages", "lines", "characters", "confidence"]


def test_every_page_has_its_picture_with_the_lines_and_their_images(tmp_path: Path) -> None:
    write_report([small_volume()], tmp_path)
    folder = tmp_path / FOLDER
    html = check_html(folder / "pages" / "0001.html")
    assert re.findall(r'id="(l\d)"', html) == ["l1", "l2"]
    assert re.findall(r'<a href="#(l\d)" class="(\w+)">', html) == [("l1", "sure"), ("l2", "unsure")]
    with Image.open(folder / "pictures" / "0001.jpg") as picture:
        assert picture.size == (700, 504)
    with Image.open(folder / "lines" / "0001" / "001.jpg") as crop:
        assert crop.size[1] == 110
        assert np.asarray(crop).min() < 60  # ink
    assert "next page" in html
    last = check_html(folder / "pages" / "0003.html")
    assert "next page" not in last
    assert "gone" in last


def test_what_stands_in_a_volume_stays_text(tmp_path: Path) -> None:
    failed = PageText(HOSTILE, None, ok=False, error_stage="<b>x", error_type="<i>", error_message=HOSTILE)
    errors = json.dumps({"img_filename": HOSTILE, "message": HOSTILE * 3}) + "\nno json\n"
    texts = [failed, read("x" + HOSTILE, DATA, (HOSTILE, 0.5))]
    volume = made_volume(texts, {"x" + HOSTILE: DATA}, errors=errors.encode())
    hostile = evolve(
        volume,
        marker={HOSTILE: HOSTILE},
        volume=evolve(volume.volume, version=HOSTILE, ref=evolve(volume.volume.ref, w_id=HOSTILE)),
    )
    first = write_report([hostile], tmp_path / "out")
    (folder,) = (path for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert re.fullmatch(r"[A-Za-z0-9._-]+", folder.name)
    pages = [first, folder / "index.html", *sorted((folder / "pages").iterdir())]
    assert len(pages) == 4
    for path in pages:
        html = path.read_text(encoding="utf-8")
        assert "<script" not in html
        assert "<img src=x" not in html
        assert "<b>x" not in html
    assert html.count("alert(2)") >= 2  # shown, as text


def test_no_page_asks_for_the_network_or_runs_a_script(tmp_path: Path) -> None:
    write_report([small_volume()], tmp_path)
    for path in tmp_path.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert re.findall(r"(?:https?:)?//[a-z]", html) == []
        assert "default-src 'none'" in html
        assert "script-src" not in html


def test_a_page_without_its_image_keeps_its_texts(tmp_path: Path) -> None:
    changed = drawn_page(["bde"], width=800)
    texts = [read("1.png", DATA, ("ཀ", 0.9)), read("2.png", DATA, ("ཁ", 0.9))]
    write_report([made_volume(texts, {"2.png": changed})], tmp_path)
    html = check_html(tmp_path / FOLDER / "index.html")
    assert "there is no image 1.png" in html
    assert "the image has changed since it was read" in html
    assert "ཀ" in check_html(tmp_path / FOLDER / "pages" / "0001.html")


def test_a_volume_that_cannot_be_read_is_listed_with_the_reason(tmp_path: Path) -> None:
    good, bad = small_volume(), evolve(small_volume(), artifacts={".parquet": b"<x>"})
    html = check_html(write_report([good, bad], tmp_path))
    assert "Can’t be shown: the artifacts can&#x27;t be read: no readable Parquet file" in html
    assert html.index("Can’t be shown") < html.index(f'href="{FOLDER}/index.html"')


def test_many_lines_are_cut_off_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_pages, "SHOWN", 2)
    write_report([small_volume()], tmp_path)
    html = check_html(tmp_path / FOLDER / "index.html")
    assert html.count('<li class="line') == 2
    assert "2 more lines are surer" in html


def test_a_volume_of_the_same_artifacts_is_not_drawn_again(tmp_path: Path) -> None:
    volume = evolve(small_volume(), pictures={"1.png": DATA, "2.png": DATA, "3.png": DATA})
    write_report([volume], tmp_path)
    page = tmp_path / FOLDER / "pages" / "0001.html"
    page.write_text("kept")
    first = write_report([volume], tmp_path)
    assert page.read_text() == "kept"
    assert ">60 %<" in first.read_text(encoding="utf-8")
    write_report([evolve(volume, marker={"timestamp": "later"})], tmp_path)
    assert page.read_text() != "kept"


def test_no_volume_at_all(tmp_path: Path) -> None:
    assert "No volume is finished yet" in check_html(write_report([], tmp_path))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_lines_are_drawn_where_they_are_on_the_upright_picture(orientation: int) -> None:
    from bec_ldv1.page.orientation import to_upright

    width, height = (60, 100) if orientation >= 5 else (100, 60)
    image = PageImage(np.zeros((height, width), np.uint8), False, orientation)
    points = ((10.0, 20.0), (90.0, 50.0))
    wanted = np.rint(to_upright(np.array(points), orientation, width, height) * 2).astype(int)
    assert on_picture(points, image, (2 * width, 2 * height)) == tuple(map(tuple, wanted.tolist()))
