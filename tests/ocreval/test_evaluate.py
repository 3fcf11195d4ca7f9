"""What the evaluation says of a page and of a volume."""

from __future__ import annotations

import attrs
import pytest

from bec_ocreval.config import OcrEvalConfig
from bec_ocreval.errors import ResultsError
from bec_ocreval.evaluate import evaluate_page, evaluate_volume
from bec_ocreval.results import Sign, page_rows, read_pages, read_summary, summary
from bec_ocreval.scoring.confusions import Confusion
from bec_ocreval.scoring.rates import Edits
from bec_ocreval.texts import ReadPage
from bec_ocreval.truth.values import TruthPage

GOOD = ("བཅོམ་ལྡན་འདས་རྒྱལ་པོའི་ཁབ་ན་འོད་མའི་ཚལ་", "ཀ་ལན་ད་ཀའི་གནས་ན་བཞུགས་སོ། །")
CONFIG = OcrEvalConfig()


def truth(*lines: str) -> TruthPage:
    return TruthPage(lines, frozenset(), frozenset(), (), "0001.txt")


def page(lines, *, confidences=None, true=None, config=CONFIG):
    return evaluate_page("1.jpg", ReadPage("1.jpg", tuple(lines), confidences), true, config)


def signs(result) -> list[Sign]:
    return [reason.sign for reason in result.reasons]


def test_a_good_page_has_no_reason_to_be_looked_at():
    result = page(GOOD, confidences=(0.9, 0.8), true=truth(*GOOD))
    assert signs(result) == []
    assert result.confidence == pytest.approx(0.85)
    assert result.truth.score.characters.edits == 0
    assert result.spelling.share == 1


def test_a_page_without_truth_is_not_scored():
    assert page(GOOD).truth is None
    assert signs(page(GOOD)) == []


def test_errors_against_the_truth():
    wrong = page([GOOD[0]], true=truth(*GOOD))
    assert signs(wrong) == [Sign.ERRORS]
    assert "0001.txt" not in wrong.reasons[0].words
    assert signs(page([GOOD[0]], true=truth(*GOOD), config=OcrEvalConfig(max_cer=0.9))) == []


def test_a_page_that_has_nothing_of_its_truth_asks_whether_it_is_the_right_one():
    other = page(["ཞེ་ཟླ་དྲུག་གཟུགས་"], true=truth(*GOOD))
    assert "is 0001.txt the truth of this page?" in other.reasons[0].words


def test_text_where_the_truth_has_none():
    assert signs(page(GOOD, true=truth())) == [Sign.ERRORS]
    assert signs(page([], true=truth())) == []


@pytest.mark.parametrize(
    ("read", "sign", "words"),
    [
        (None, Sign.MISSING, "no row"),
        (ReadPage("1.jpg", error="not an image"), Sign.FAILED, "not an image"),
        (ReadPage("1.jpg", ("", " ")), Sign.EMPTY, "its 2 lines"),
        (ReadPage("1.jpg", ("",)), Sign.EMPTY, "its line"),
    ],
)
def test_what_was_not_read(read, sign, words):
    result = evaluate_page("1.jpg", read, None, CONFIG)
    assert signs(result) == [sign]
    assert words in result.reasons[0].words
    assert not result.blank


@pytest.mark.parametrize("read", [None, ReadPage("1.jpg", error="x"), ReadPage("1.jpg")])
def test_what_was_not_read_counts_against_the_truth(read):
    result = evaluate_page("1.jpg", read, truth("ཀ་ཁ"), CONFIG)
    assert result.truth.score.characters == Edits(3, 3)
    assert Sign.ERRORS in signs(result)


def test_a_page_without_lines_is_blank():
    assert page([]).blank
    assert signs(page([])) == []
    assert not page(GOOD).blank


def test_signs_of_a_bad_reading():
    assert signs(page(["བཀྲ་མཁ་བཀ་གཀ་" * 3 + "མཀ་བཁ"])) == [Sign.SPELLING]
    assert signs(page(["hello world, who are you?"])) == [Sign.FOREIGN]
    assert signs(page(["ཨོཾ་པདྨ་བཛྲ་ཧཱུྃ་ཤཱཀྱ་ཧྲཱིཿ" * 2])) == [Sign.SANSKRIT]
    assert signs(page(["ང་" * 20])) == [Sign.REPEATED]
    assert signs(page(GOOD, confidences=(0.4, 0.5))) == [Sign.CONFIDENCE]


def test_little_text_has_no_shares():
    assert signs(page(["མཁ་བཀ་ab"])) == []


@pytest.mark.parametrize(
    "field", [field for field in attrs.fields(OcrEvalConfig) if field.name.startswith("m")], ids=str
)
def test_every_threshold_decides(field):
    lines = [*GOOD, "མཁ་བཀ་ཨོཾ་ab"]
    read = {"lines": lines, "confidences": (0.8, 0.8, 0.8), "true": truth(*GOOD)}
    loose = {"max_cer": 1, "min_confidence": 0, "min_well_formed": 0, "max_foreign": 1, "max_sanskrit": 1}
    strict = {"max_cer": 0, "min_confidence": 1, "min_well_formed": 1, "max_foreign": 0, "max_sanskrit": 0}
    assert signs(page(**read, config=OcrEvalConfig(**loose))) == []
    one = OcrEvalConfig(**{**loose, field.name: strict[field.name]})
    assert len(signs(page(**read, config=one))) == 1


def test_a_volume_is_the_sum_of_its_pages():
    pages = [
        page(["ཀ་ཁ"], true=truth("ཀ་ག"), confidences=(0.9,)),
        page(["ཀ་ཁ་ང"], true=truth("ཀ་ག་ང"), confidences=(0.3,)),
        page([]),
        page(["མཁ།"]),
        evaluate_page("5.jpg", None, None, CONFIG),
    ]
    volume = evaluate_volume(pages, confusions=1)
    assert (volume.pages, volume.scored, volume.blank, volume.flagged) == (5, 2, 1, 3)
    assert volume.characters == Edits(2, 8)
    assert volume.syllables == Edits(2, 5)
    assert (volume.lines, volume.confidence) == (2, pytest.approx(0.6))
    assert (volume.spelling.well_formed, volume.spelling.ill_formed) == (5, 1)
    assert list(volume.signs.items()) == [("missing", 1), ("errors", 2), ("confidence", 1)]
    assert volume.confusions.characters == (Confusion("ག", "ཁ", 2),)
    assert volume.confusions.syllables == (Confusion("ག", "ཁ", 2),)


def test_artifacts_are_read_as_they_were_written():
    pages = [page(GOOD, true=truth("ཀ"), confidences=(0.1, 0.2)), page([]), page(["\ud800\u2028ab"])]
    volume = evaluate_volume(pages, confusions=5)
    rows = page_rows(pages)
    assert rows.count(b"\n") == 3
    assert read_pages(rows)[:2] == pages[:2]
    assert read_summary(summary(volume)) == volume


@pytest.mark.parametrize("data", [b"{}\n", b"[]\n", b"nonsense\n", b"\xff\n", b'{"image": 1}\n'])
def test_what_is_no_artifact_of_ours_is_said(data):
    with pytest.raises(ResultsError, match="line 1 of the evaluation can't be read"):
        read_pages(data)
    with pytest.raises(ResultsError):
        read_summary(data)
