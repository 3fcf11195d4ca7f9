"""Reading what an OCR job wrote."""

from __future__ import annotations

import pytest

from bec_core import Page
from bec_ocreval.errors import TextsError
from bec_ocreval.texts import NEEDED, ReadPage, of_pages, read_texts
from support.ocr_volumes import Read, ocr_parquet

PAGES = [Read("1.jpg", ["ཀ", "ཁ"], [0.5, 0.75]), Read("2.jpg"), Read("3.jpg", error="no image")]


def test_pages_lines_confidences_and_errors():
    one, two, three = read_texts(ocr_parquet(PAGES))
    assert one == ReadPage("1.jpg", ("ཀ", "ཁ"), (0.5, 0.75))
    assert two == ReadPage("2.jpg")
    assert three == ReadPage("3.jpg", error="no image")


def test_confidences_are_not_needed():
    assert read_texts(ocr_parquet(PAGES, confidences=False))[0] == ReadPage("1.jpg", ("ཀ", "ཁ"))


@pytest.mark.parametrize("confidences", [[0.5], [0.5, float("nan")], []])
def test_confidences_that_dont_fit_the_lines_are_none(confidences):
    assert read_texts(ocr_parquet([Read("1.jpg", ["ཀ", "ཁ"], confidences)]))[0].confidences is None


@pytest.mark.parametrize("column", NEEDED)
def test_a_missing_column_is_named(column):
    with pytest.raises(TextsError, match=f"no column {column}:"):
        read_texts(ocr_parquet(PAGES, without=column))


def test_bytes_that_are_no_parquet_are_an_error():
    with pytest.raises(TextsError, match="can't be read"):
        read_texts(b"PAR1 not really")


def test_rows_are_taken_by_place_or_by_name():
    read = [ReadPage("a.jpg", ("1",)), ReadPage("a.jpg", ("2",))]
    assert of_pages(read, [Page(0, "a.jpg"), Page(1, "a.jpg")]) == read
    assert of_pages(read[:1], [Page(0, "b.jpg"), Page(1, "a.jpg")]) == [None, read[0]]
