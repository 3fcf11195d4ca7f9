"""Greedy decoding and the beam, against all paths of small cases."""

from itertools import product

import numpy as np
import pytest

from bec_ocrv1.ctc import Decoder, LanguageModel
from bec_ocrv1.ctc.ngram import assembled

CLASSES = ("", "ཀ", "ཁ", "་")


def bigrams(
    after: dict[str, dict[str, float]], single: dict[str, float], price: dict[str, float]
) -> LanguageModel:
    """A model of one- and two-character contexts, by hand."""
    characters = "".join(single)
    number = {char: index for index, char in enumerate(characters)}
    first, symbols, scores = [0, len(single)], list(number.values()), list(single.values())
    for char in characters:
        for following, score in sorted(after.get(char, {}).items(), key=lambda item: number[item[0]]):
            symbols.append(number[following])
            scores.append(score)
        first.append(len(symbols))
    makes = np.zeros(len(symbols), bool)
    makes[: len(single)] = True
    prices = np.array([0.0, *(price.get(char, 0.0) for char in characters)], np.float32)
    return assembled(
        characters,
        np.array(first, np.int32),
        np.array(symbols, np.int32),
        np.array(scores, np.float32),
        makes,
        prices,
    )


MODEL = bigrams(
    {"ཀ": {"ཁ": -0.1, "་": -3.0}, "་": {"ཀ": -0.5}},
    {"ཀ": -1.0, "ཁ": -2.0, "་": -0.8},
    {"ཀ": -0.7, "་": -0.2, "ཁ": -0.05},
)


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    kept = [kind for index, kind in enumerate(path) if index == 0 or path[index - 1] != kind]
    return tuple(kind for kind in kept if kind != 0)


def all_readings(chances: np.ndarray) -> dict[tuple[int, ...], float]:
    totals: dict[tuple[int, ...], float] = {}
    for path in product(range(chances.shape[1]), repeat=len(chances)):
        score = float(np.exp(sum(chances[t, kind] for t, kind in enumerate(path))))
        reading = collapse(path)
        totals[reading] = totals.get(reading, 0.0) + score
    return totals


def random_chances(seed: int, frames: int = 5) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 1.5, (frames, len(CLASSES)))
    return np.asarray(logits - np.log(np.exp(logits).sum(1, keepdims=True)))


@pytest.mark.parametrize("seed", range(12))
def test_the_beam_finds_the_reading_whose_paths_sum_highest(seed: int) -> None:
    chances = random_chances(seed)
    totals = all_readings(chances)
    best = max(totals, key=lambda reading: totals[reading])
    found = Decoder(CLASSES, beam=200).decode(chances)
    assert found.text == "".join(CLASSES[kind] for kind in best)
    assert found.confidence == pytest.approx(totals[best] ** (1 / (len(best) + 1)), rel=1e-4)


@pytest.mark.parametrize("seed", range(12))
def test_the_beam_with_a_language_model_finds_the_best_of_all_readings(seed: int) -> None:
    chances = random_chances(seed)
    weight, bonus = 0.6, 0.4

    def value(reading: tuple[int, ...]) -> float:
        text = "".join(CLASSES[kind] for kind in reading)
        return float(np.log(totals[reading])) + weight * MODEL.score(text) + bonus * len(text)

    totals = all_readings(chances)
    found = Decoder(CLASSES, beam=200, model=MODEL, weight=weight, bonus=bonus).decode(chances)
    assert found.text == "".join(CLASSES[kind] for kind in max(totals, key=value))


def test_greedy_takes_the_best_path() -> None:
    chances = random_chances(5, frames=30)
    path = tuple(int(kind) for kind in chances.argmax(1))
    found = Decoder(CLASSES).decode(chances)
    reading = collapse(path)
    assert found.text == "".join(CLASSES[kind] for kind in reading)
    assert found.confidence == pytest.approx(np.exp(chances.max(1).sum() / (len(reading) + 1)), rel=1e-4)


def test_the_best_path_and_the_best_reading_differ_where_paths_share_a_reading() -> None:
    # Blank is the likeliest in each frame, but "ཀ" has three paths.
    chances = np.log(np.array([[0.4, 0.35, 0.15, 0.1], [0.4, 0.35, 0.15, 0.1]]))
    assert Decoder(CLASSES).decode(chances).text == ""
    assert Decoder(CLASSES, beam=10).decode(chances).text == "ཀ"


def test_the_language_model_decides_what_the_network_leaves_open() -> None:
    even = np.log(np.array([[0.02, 0.94, 0.02, 0.02], [0.04, 0.02, 0.46, 0.48]]))
    assert Decoder(CLASSES, beam=10).decode(even).text == "ཀ་"
    assert Decoder(CLASSES, beam=10, model=MODEL, weight=0.5, bonus=0.0).decode(even).text == "ཀཁ"


def test_classes_may_be_stacks_and_the_blank_may_be_anywhere() -> None:
    classes = ("སྒྲུ", "བ", "བླ", "<blank>")
    path = [0, 0, 3, 1, 3, 1, 2]
    logits = np.full((len(path), 4), -8.0)
    logits[np.arange(len(path)), path] = 4.0
    for decoder in (Decoder(classes, blank=3), Decoder(classes, blank=3, beam=8)):
        assert decoder.decode(logits).text == "སྒྲུབབབླ"


def test_the_language_model_scores_a_class_by_its_characters() -> None:
    classes = ("", "ཀཁ", "ཀ་", "?")
    even = np.log(np.array([[0.02, 0.47, 0.49, 0.02]]))
    assert Decoder(classes, beam=4).decode(even).text == "ཀ་"
    assert Decoder(classes, beam=4, model=MODEL, bonus=0.0).decode(even).text == "ཀཁ"


def test_a_small_beam_and_a_long_line_still_give_the_clear_reading() -> None:
    rng = np.random.default_rng(3)
    path = rng.integers(0, 4, 3000)
    logits = rng.normal(0, 1, (3000, 4))
    logits[np.arange(3000), path] += 7
    reading = "".join(CLASSES[kind] for kind in collapse(tuple(path.tolist())))
    assert Decoder(CLASSES, beam=4).decode(logits).text == reading


def test_logits_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="don't fit 4 classes"):
        Decoder(CLASSES).decode(np.zeros((7, 5)))
    with pytest.raises(ValueError, match="blank"):
        Decoder(CLASSES, blank=4)
    with pytest.raises(ValueError, match="at least one"):
        Decoder(CLASSES, beam=0)


def test_no_frames_are_an_empty_reading() -> None:
    assert Decoder(CLASSES, beam=5).decode(np.zeros((0, 4))).text == ""
