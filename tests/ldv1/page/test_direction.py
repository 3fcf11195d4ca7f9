import numpy as np
import pytest

from bec_ldv1.page.direction import Evidence, best_turn, evidence, turns_to_try

TEXT = Evidence(sure=0.15, confidence=0.96, read=0.7)
NOTHING = Evidence(sure=0.0, confidence=0.0, read=0.0)


def test_evidence_of_a_page_half_read() -> None:
    probabilities = np.zeros((100, 200), np.float32)
    probabilities[20:40, :100] = 0.95
    ink = np.full((100, 200), 255, np.uint8)
    ink[20:40, 10:190] = 0
    seen = evidence(probabilities, ink)
    assert seen.sure == pytest.approx(0.1)
    assert seen.confidence == pytest.approx(0.95)
    assert seen.read == pytest.approx(0.5, abs=0.05)
    assert evidence(np.zeros((10, 10), np.float32), np.full((10, 10), 255, np.uint8)) == NOTHING


def test_a_page_that_is_read_is_looked_at_once() -> None:
    assert turns_to_try(TEXT) == ()


def test_a_page_that_is_read_unsurely_may_stand_on_its_head() -> None:
    assert turns_to_try(Evidence(sure=0.1, confidence=0.9, read=0.7)) == (2,)


def test_a_page_of_which_nothing_is_read_is_looked_at_from_all_sides() -> None:
    assert turns_to_try(NOTHING) == (2, 1, 3)


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_the_direction_that_shows_text_wins(turn: int) -> None:
    looks = {0: NOTHING, 1: NOTHING, 2: NOTHING, 3: NOTHING} | {turn: TEXT}
    assert best_turn(looks) == turn


def test_a_page_stays_as_it_is_unless_another_direction_shows_clearly_more() -> None:
    assert best_turn({0: NOTHING, 2: NOTHING}) == 0
    assert best_turn({0: TEXT, 2: Evidence(sure=0.16, confidence=0.97, read=0.7)}) == 0
    assert best_turn({0: NOTHING, 1: Evidence(sure=0.001, confidence=0.9, read=0.1)}) == 0
    some = Evidence(sure=0.02, confidence=0.95, read=0.1)
    assert best_turn({0: some, 1: Evidence(sure=0.04, confidence=0.95, read=0.2)}) == 0
    assert best_turn({0: some, 2: Evidence(sure=0.04, confidence=0.95, read=0.2)}) == 2
