"""The language model: counted from a text, smoothed, stored."""

import io
import sys

import numpy as np
import pytest

from support.places import ROOT

sys.path.insert(0, str(ROOT / "training"))

from bec_ocrv1.ctc import LanguageModel
from textlines.counts import count

CHARACTERS = "abcde"
TEXT = "".join(np.random.default_rng(1).choice(list("aaabbcd"), 400)) + "abcabcabcabd" * 20


@pytest.mark.parametrize("least", [(1,), (1, 1, 1), (1, 1, 2, 3), (1, 2, 2, 4, 4)])
def test_probabilities_after_any_text_sum_to_one(least: tuple[int, ...]) -> None:
    model = count(TEXT, CHARACTERS, least)
    for history in ("", "a", "ab", "abc", "abca", "eee", "de", "dddd", "cabcabd"):
        state = 0
        for char in history:
            _, state = model.step(state, model.number(char))
        total = sum(np.exp(model.step(state, number)[0]) for number in range(len(CHARACTERS)))
        assert total == pytest.approx(1, abs=1e-4), history


def test_witten_bell_by_hand() -> None:
    model = count("abab", "ab", (1, 1))
    single = {"a": 3 / 6, "b": 3 / 6}  # each once more than counted
    # After "a": "b" twice, one kind.
    assert np.exp(model.score("ab")) == pytest.approx(single["a"] * (2 + 1 * single["b"]) / (2 + 1), rel=1e-5)
    # "aa" never came: the weight of one kind goes to the shorter context.
    assert np.exp(model.score("aa")) == pytest.approx(single["a"] * 1 / (2 + 1) * single["a"], rel=1e-5)


def test_a_longer_context_says_more() -> None:
    held_out = "abcabdabcabcabd" * 3
    scores = [count(TEXT, CHARACTERS, (1,) * order).score(held_out) for order in (1, 2, 3)]
    assert scores == sorted(scores)


def test_characters_it_does_not_know_cost_much_and_forget_the_context() -> None:
    model = count(TEXT, CHARACTERS, (1, 1, 1))
    assert model.score("ab?ab") < 2 * model.score("ab") - 10


def test_a_stored_model_is_the_same_and_small() -> None:
    model = count(TEXT, CHARACTERS, (1, 1, 1, 2, 2))
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    again = LanguageModel.load(file)
    assert again.characters == CHARACTERS
    assert np.array_equal(again.targets, model.targets)
    assert np.array_equal(again.fallback, model.fallback)
    assert again.score(TEXT[:200]) == pytest.approx(model.score(TEXT[:200]), abs=0.2)
    other = io.BytesIO()
    again.save(other)
    assert other.getvalue() == file.getvalue()
