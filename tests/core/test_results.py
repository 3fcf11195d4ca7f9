"""A volume in a word, by one rule for all job types."""

import pytest

from bec_core import VERDICTS, verdict_of


@pytest.mark.parametrize(
    ("pages", "failed", "suspicious", "word"),
    [
        (100, 0, 0, "good"),
        (100, 0, 2, "good"),
        (100, 0, 3, "look"),
        (100, 1, 0, "look"),
        (100, 5, 0, "look"),
        (100, 6, 0, "bad"),
        (100, 0, 10, "look"),
        (100, 0, 11, "bad"),
        (10, 0, 2, "look"),  # two pages of a thin volume are no reason yet
        (10, 0, 3, "bad"),
        (0, 0, 0, "bad"),
    ],
)
def test_the_word_of_a_volume(pages: int, failed: int, suspicious: int, word: str) -> None:
    assert VERDICTS[verdict_of(pages=pages, failed=failed, suspicious=suspicious, empty=False)] == word


def test_a_volume_with_nothing_on_it_is_never_good() -> None:
    assert VERDICTS[verdict_of(pages=9, failed=0, suspicious=0, empty=True)] == "look"
