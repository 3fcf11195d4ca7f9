"""Two evaluations compared: what became of each page, and the rates of both."""

from __future__ import annotations

import re

import pytest

from bec_ocreval.report import compare_page, write_comparison
from bec_ocreval.report.compare import compared
from bec_ocreval.report.compare_page import Change
from support.ocr_volumes import HOSTILE, EvaluatedVolume, evaluated

TRUTH = ("བཀྲ་ཤིས་བདེ་ལེགས།",)
CLOSE = ("བཀྲ་ཤིས་བདེ་ལགས།",)
FAR = ("བཀ་ཤས་བད་ལགས།",)

BEFORE = evaluated(
    [
        ("worse.jpg", CLOSE, TRUTH),
        ("better.jpg", FAR, TRUTH),
        ("same.jpg", TRUTH, TRUTH),
        ("moved.jpg", ("བཀྲ་ཤིས་བདེ་ལེཀས།",), TRUTH),
        ("truth.jpg", CLOSE, TRUTH),
        ("alone.jpg", CLOSE, None),
        ("spaces.jpg", ("ཀ་ཁ",), None),
        ("gone.jpg", CLOSE, None),
    ]
)
AFTER = evaluated(
    [
        ("new.jpg", CLOSE, None),
        ("worse.jpg", FAR, TRUTH),
        ("better.jpg", TRUTH, TRUTH),
        ("same.jpg", TRUTH, TRUTH),
        ("moved.jpg", CLOSE, TRUTH),
        ("truth.jpg", CLOSE, ("ཀ",)),
        ("alone.jpg", FAR, None),
        ("spaces.jpg", ("ཀ་", "ཁ"), None),
    ]
)


def test_what_became_of_each_page():
    found = {page.image.removesuffix(".jpg"): page for page in compared(BEFORE, AFTER).pages}
    assert {name: page.change for name, page in found.items()} == {
        "new": Change.NEW,
        "worse": Change.WORSE,
        "better": Change.BETTER,
        "same": Change.SAME,
        "moved": Change.CHANGED,
        "truth": Change.OTHER_TRUTH,
        "alone": Change.CHANGED,
        "spaces": Change.SAME,
        "gone": Change.GONE,
    }
    assert (found["worse"].size, found["better"].size, found["moved"].size) == (3, 4, 2)


def html_of(tmp_path, before: EvaluatedVolume, after: EvaluatedVolume, names=("one", "two")) -> str:
    return write_comparison([(before, after)], tmp_path, names=names).read_text(encoding="utf-8")


def test_worst_pages_come_first_with_both_readings(tmp_path):
    html = html_of(tmp_path, BEFORE, AFTER)
    order = re.findall(r'<span class="file">(\w+)\.jpg</span>', html)
    assert order == ["worse", "gone", "truth", "alone", "moved", "new", "better"]
    assert "7 pages of 9 changed: 1 better, 1 worse." in html
    worse = html[html.index("worse.jpg") : html.index("gone.jpg")]
    assert "<th>truth</th><th>one</th><th>two</th>" in worse
    alone = html[html.index("alone.jpg") : html.index("moved.jpg")]
    assert "<th>one</th><th>two</th>" in alone
    assert "truth</th>" not in alone


def test_rates_of_both_over_the_pages_that_both_scored(tmp_path):
    html = html_of(
        tmp_path,
        evaluated([("1.jpg", CLOSE, TRUTH), ("2.jpg", FAR, TRUTH)]),
        evaluated([("1.jpg", TRUTH, TRUTH), ("2.jpg", FAR, None)]),
    )
    assert "Character error rate 5.9 % → 0.0 %" in html
    assert '<div class="good"><dt>character error rate</dt>' in html


def test_a_worse_rate_is_coloured_so(tmp_path):
    html = html_of(tmp_path, evaluated([("1.jpg", TRUTH, TRUTH)]), evaluated([("1.jpg", FAR, TRUTH)]))
    assert '<div class="bad"><dt>character error rate</dt>' in html
    assert '<div class="bad"><dt>syllables spelt by the rules</dt>' in html


def test_the_same_twice(tmp_path):
    html = html_of(tmp_path, BEFORE, BEFORE)
    assert "one and two read the same on 8 pages." in html
    assert "<details" not in html


def test_no_truth_is_said(tmp_path):
    html = html_of(tmp_path, evaluated([("1.jpg", CLOSE, None)]), evaluated([("1.jpg", FAR, None)]))
    assert "no page has ground truth in both" in html


def test_only_the_worst_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(compare_page, "DRAWN", 3)
    assert "4 less changed pages not shown" in html_of(tmp_path, BEFORE, AFTER)


def test_strangers_text_stays_text(tmp_path):
    pages = [(HOSTILE, (HOSTILE,), (HOSTILE + "ཀ",))]
    other = [(HOSTILE, (HOSTILE + "ཁ",), (HOSTILE + "ཀ",))]
    html = html_of(
        tmp_path, evaluated(pages, w_id=HOSTILE), evaluated(other, w_id=HOSTILE), (HOSTILE, HOSTILE)
    )
    assert not re.search(r"<(script|img)", html)


@pytest.mark.parametrize("pairs", [[], [(evaluated([]), evaluated([]))]])
def test_nothing_to_compare(tmp_path, pairs):
    assert write_comparison(pairs, tmp_path).is_file()
