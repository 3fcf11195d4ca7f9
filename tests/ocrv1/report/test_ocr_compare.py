"""Two OCR jobs compared: which line is which, what differs, and how it is shown."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import evolve

from bec_ocrv1.artifacts import PageText, ReadLine
from bec_ocrv1.report import write_comparison
from bec_ocrv1.report.differences import LineDifference, Part, clusters, differing_parts, paired_lines
from support.ocr_reports import DATA, HOSTILE, check_html, made_volume, read


def line(text: str, left: float, top: float, *, wide: float = 300, high: float = 40) -> ReadLine:
    corners = ((left, top), (left + wide, top), (left + wide, top + high), (left, top + high))
    return ReadLine(text, 0.5, None, corners, ((left, top + 20), (left + wide, top + 20)))


def page(*lines: ReadLine) -> PageText:
    return PageText("1.png", "ff", width=700, height=400, lines=lines)


def test_no_letter_is_cut_from_its_vowels_and_subscripts() -> None:
    assert clusters("བཀྲ་ཤིས") == ["བ", "ཀྲ", "་", "ཤི", "ས"]
    assert differing_parts("བཀྲ་ཤིས", "བཀུ་ཤིས") == [Part("བ", "བ"), Part("ཀྲ", "ཀུ"), Part("་ཤིས", "་ཤིས")]
    assert differing_parts("", "") == []
    assert [part.same for part in differing_parts("ཀ", "ཀཁ")] == [True, False]


def test_lines_are_paired_by_their_place_and_not_by_their_number() -> None:
    before = page(line("a", 0, 0), line("b", 0, 100), line("c", 400, 100, wide=200))
    after = page(line("b2", 5, 102), line("a", 0, 0), line("new", 0, 200))
    pairs = paired_lines(before, after)
    assert [(one.before and one.before[0], one.after and one.after[0]) for one in pairs] == [
        (2, 1),
        (1, 2),
        (None, 3),
        (3, None),
    ]
    assert [one.changed for one in pairs] == [True, False, True, True]
    assert [one.edits for one in pairs] == [1, 0, 3, 1]


def test_a_line_goes_to_one_line_only() -> None:
    pairs = paired_lines(page(line("a", 0, 0)), page(line("x", 0, 0, wide=290), line("a", 0, 0)))
    assert [(one.before and one.before[0], one.after and one.after[0]) for one in pairs] == [
        (None, 1),
        (1, 2),
    ]


def test_lines_of_the_contracts_columns_alone_are_paired_by_their_boxes() -> None:
    old = page(ReadLine("a", None, (0, 0, 300, 40)), ReadLine("b", None, (0, 50, 300, 40)))
    pairs = paired_lines(old, page(ReadLine("b", None, (2, 50, 300, 40))))
    assert [one.texts for one in pairs] == [("b", "b"), ("a", "")]
    assert paired_lines(None, None) == []
    assert paired_lines(page(ReadLine("a")), page(ReadLine("a")))[0] == LineDifference(
        None, (1, ReadLine("a"))
    )


def test_the_comparison_shows_lines_that_differ_the_most_first(tmp_path: Path) -> None:
    before = made_volume(
        [
            read("1.png", DATA, ("བཀྲ་ཤིས", 0.9), ("བདེ", 0.9)),
            read("2.png", DATA, ("ཀཁགངཅ", 0.4)),
            PageText("3.png", None, ok=False, error_stage="decode", error_type="X", error_message="y"),
        ],
        {"1.png": DATA},
    )
    after = made_volume(
        [
            read("1.png", DATA, ("བཀུ་ཤིས", 0.7), ("བདེ", 0.9)),
            read("2.png", DATA, ("ཇཉཏཐཅ", 0.6)),
            read("3.png", DATA, ("<b>", 0.5)),
        ],
        {"1.png": DATA},
    )
    path = write_comparison([(before, after)], tmp_path, names=("old", "new<"))
    assert path == tmp_path / "index.html"
    html = check_html(path)
    assert "3 of 4 lines (75%) differ between old and new&lt;." in html
    assert re.findall(r"Page \d, line \d", html) == ["Page 2, line 1", "Page 3, line 1", "Page 1, line 1"]
    assert "<del>ཀཁགང</del>ཅ" in html
    assert "<ins>ཇཉཏཐ</ins>ཅ" in html
    assert "བ<del>ཀྲ</del>་ཤིས" in html
    assert "<ins>&lt;b&gt;</ins>" in html
    assert "90 % → 70 %" in html
    assert "has no such line" in html
    assert html.count("<img ") == 1  # the one whose image can be had
    assert re.search(r'<td class="number">3</td><td class="number">4</td><td class="number">3</td>', html)


def test_jobs_that_read_the_same_differ_in_nothing(tmp_path: Path) -> None:
    volume = made_volume([read("1.png", DATA, ("ཀ", 0.9))], {"1.png": DATA})
    html = check_html(write_comparison([(volume, volume)], tmp_path))
    assert "before and after read the same on all 1 line." in html
    assert not list((tmp_path / "lines").iterdir())
    assert "No " not in check_html(write_comparison([], tmp_path / "none"))


def test_only_so_many_lines_are_shown(tmp_path: Path) -> None:
    one = made_volume([read("1.png", DATA, ("ཀ", 0.9), ("ཁ", 0.9))], {"1.png": DATA})
    other = made_volume([read("1.png", DATA, ("ག", 0.9), ("ངང", 0.9))], {"1.png": DATA})
    html = check_html(write_comparison([(one, other)], tmp_path, shown=1))
    assert re.findall(r"Page \d, line \d", html) == ["Page 1, line 2"]
    assert "Not shown, as they differ less: 1 line." in html


def test_pages_of_one_job_alone_count_as_lines_of_it_alone(tmp_path: Path) -> None:
    one = made_volume([read("1.png", DATA, ("ཀ", 0.9)), read(HOSTILE, DATA, ("ཁ", 0.9))], {})
    other = evolve(one, artifacts=made_volume([read("1.png", DATA, ("ཀ", 0.9))], {}).artifacts)
    other = evolve(other, volume=evolve(one.volume, pages=one.volume.pages[:1]))
    html = check_html(write_comparison([(one, other)], tmp_path))
    assert "1 of 2 lines (50%) differ" in html
    assert "<script" not in html
