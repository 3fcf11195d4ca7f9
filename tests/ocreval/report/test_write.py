"""The report: what it shows, in which order, and that strangers' text stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from attrs import evolve

from bec_core import Work
from bec_ocreval.report import volume_page, write_report
from support.ocr_volumes import HOSTILE, EvaluatedPage, EvaluatedVolume, evaluated, volume_of

PAGES: list[EvaluatedPage] = [
    ("good.jpg", ("བཀྲ་ཤིས་བདེ་ལེགས།",), ("བཀྲ་ཤིས་བདེ་ལེགས།",)),
    ("bad.jpg", ("བཀྲ་ཤིས་",), ("ཕུན་སུམ་ཚོགས་པར་",)),
    ("middling.jpg", ("བཀྲ་ཤས་བད་ལེགས།",), ("བཀྲ་ཤིས་བདེ་ལེགས།",)),
    ("alone.jpg", ("བཀྲ་མཁ་",), None),
    ("failed.jpg", None, None),
    ("blank.jpg", (), None),
]


class _Tags(HTMLParser):
    """Every element and attribute of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_job_lists_its_volumes_and_its_worst_pages(tmp_path):
    volumes = [evaluated(PAGES[:1], w_id="W1"), evaluated(PAGES, w_id="W2")]
    html = read(write_report(volumes, tmp_path))
    assert html.index("W2 · I1</a>") < html.index("W1 · I1</a>")  # worst first
    assert "All volumes" in html
    assert 'href="W2-I1-121212/index.html#p2"' in html
    assert (tmp_path / "W1-I1-121212" / "index.html").is_file()


def test_the_works_title_and_link_stand_under_the_volumes_name(tmp_path):
    titled = evolve(evaluated(PAGES), work=Work("<script>alert(1)</script>", "https://example.org/1?a=1&b=2"))
    first = write_report([titled, evolve(titled, artifacts={}, work=Work("The Jewel"))], tmp_path)
    job, volume = read(first), read(tmp_path / "W1-I1-121212" / "index.html")
    for html in (job, volume):
        assert "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>" in html
        assert ("href", "https://example.org/1?a=1&b=2") in _Tags(html).attributes
        assert "script" not in _Tags(html).seen
    assert "<bdi>The Jewel</bdi>" in job, "of a volume that can't be shown too"


def test_a_figure_of_nothing_is_left_out_and_each_names_itself(tmp_path):
    html = read(write_report([evaluated(PAGES[:1], w_id="W1"), evaluated(PAGES, w_id="W2")], tmp_path))
    table = html[html.index('<table class="volumes">') : html.index("</tbody>")]
    assert re.findall('data-of="([^"]*)"', table)[:3] == ["CER", "SER", "pages with truth"]
    assert table.count("data-of=") == 2 * 7
    assert "pages to look at" in html
    alone = read(write_report([evaluated(PAGES[:1])], tmp_path / "good"))
    assert "pages to look at" not in alone
    assert "blank pages" not in alone
    assert "character error rate</dt><dd>0.0 %" in alone  # nothing wrong is worth saying


def test_a_volume_shows_pages_worst_first(tmp_path):
    write_report([evaluated(PAGES)], tmp_path)
    html = read(tmp_path / "W1-I1-121212" / "index.html")
    table = html[html.index("Pages, worst first") :]
    order = re.findall(r'<td class="name">(\w+)\.jpg</td>', table)
    assert order == ["bad", "middling", "good", "failed", "alone", "blank"]
    texts = re.findall(r'<span class="file">(\w+)\.jpg</span>', table)
    assert texts == order[:-1]  # a blank page has no text to show
    assert set(re.findall(r'href="#(p\d+)"', html)) == set(re.findall(r'id="(p\d+)"', html))
    assert "the OCR job failed here: boom" in html
    assert '<span class="odd">མཁ</span>' in html
    assert '<span class="missing">' in html or '<span class="wrong">' in html
    assert "3 pages of 6 have ground truth" in html


def test_only_the_worst_texts_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(volume_page, "DRAWN", 2)
    write_report([evaluated(PAGES)], tmp_path)
    html = read(tmp_path / "W1-I1-121212" / "index.html")
    assert html.count("<details") == 2
    assert "4 pages without text, or less bad" in html


def test_strangers_text_stays_text(tmp_path):
    volume = evaluated([(HOSTILE, (HOSTILE,), (HOSTILE + "ཀ",)), (HOSTILE, (HOSTILE,), None)], w_id=HOSTILE)
    first = write_report([volume], tmp_path)
    for path in (first, *tmp_path.glob("*/index.html")):
        tags = _Tags(read(path))
        assert not {"script", "img"} & set(tags.seen)
        assert not [name for name, _ in tags.attributes if name.startswith("on")]
        assert "\u202e" not in read(path)


def test_nothing_comes_from_elsewhere(tmp_path):
    first = write_report([evaluated(PAGES)], tmp_path)
    for path in (first, *tmp_path.glob("*/index.html")):
        assert "default-src 'none'" in read(path)
        assert not re.search(r"https?:|//|url\(|@import", read(path).split("<body>")[1])


def test_a_volume_that_cant_be_read_costs_only_itself(tmp_path):
    broken = EvaluatedVolume(volume_of(["1.jpg"], w_id="W9"), {".jsonl": b"nonsense\n", ".json": b"{}"})
    lost = EvaluatedVolume(volume_of(["1.jpg"], w_id="W8"), {})
    html = read(write_report([broken, evaluated(PAGES), lost], tmp_path))
    assert "line 1 of the evaluation can&#x27;t be read" in html
    assert html.count("can’t be shown") == 2
    assert "W1 · I1</a>" in html


def test_volumes_of_one_name_have_folders_of_their_own(tmp_path):
    write_report([evaluated(PAGES[:1]), evaluated(PAGES)], tmp_path)
    assert (tmp_path / "W1-I1-121212-2" / "index.html").is_file()


@pytest.mark.parametrize("volumes", [[], [evaluated([("1.jpg", (), None)])]])
def test_with_nothing_to_show_there_is_a_report(tmp_path, volumes):
    assert write_report(volumes, tmp_path).is_file()
