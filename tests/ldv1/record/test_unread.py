"""What is beside a page's lines: writing that was not read, and what is none."""

import cv2
import numpy as np
import pytest

from bec_ldv1.lines import Line
from bec_ldv1.page.components import ink_pieces
from bec_ldv1.record.unread import Beside, look_beside

NOTHING = np.zeros((700, 900), np.float32)


def latin(rows: int = 8, left: int = 60) -> np.ndarray:
    """Rows of Latin letters on a binarised page."""
    plane = np.full((700, 900), 255, np.uint8)
    for row in range(rows):
        cv2.putText(
            plane, "the quick brown fox jumps", (left, 80 + 70 * row), cv2.FONT_HERSHEY_DUPLEX, 1.2, 0, 2
        )
    return plane


def row(number: int) -> Line:
    y = 70 + 70 * number
    box = [[40, y - 35], [880, y - 35], [880, y + 35], [40, y + 35]]
    return Line(np.array(box, np.float32), np.array([[40, y], [880, y]], np.float32), 0.9)


def look(ink: np.ndarray, lines: list[Line]) -> Beside:
    return look_beside(NOTHING[: ink.shape[0], : ink.shape[1]], ink, ink_pieces(ink), lines)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_writing_without_lines_is_seen_in_any_direction(quarters: int) -> None:
    ink = np.ascontiguousarray(np.rot90(latin(), quarters))
    beside = look_beside(np.zeros(ink.shape, np.float32), ink, ink_pieces(ink), [])
    assert beside.unread_share == 1
    assert beside.unread_rows == 8
    assert beside.is_writing


def test_what_lies_in_lines_was_read() -> None:
    beside = look(latin(), [row(n) for n in range(8)])
    assert beside.unread_share < 0.05
    assert beside.unread_rows == 0
    assert not beside.is_writing


def test_a_missed_row_is_counted() -> None:
    beside = look(latin(), [row(n) for n in range(8) if n != 3])
    assert beside.unread_share == pytest.approx(1 / 8, abs=0.03)
    assert beside.unread_rows == 1
    assert not beside.is_writing


def test_blank_paper_specks_frames_and_pictures_are_no_writing() -> None:
    blank = np.full((700, 900), 255, np.uint8)
    assert look(blank, []) == Beside(0.0, 0, 0.0, 0.0)
    rng = np.random.default_rng(1)
    specks = blank.copy()
    specks[rng.integers(700, size=900), rng.integers(900, size=900)] = 0
    assert look(specks, []).unread_rows == 0
    frame = blank.copy()
    cv2.rectangle(frame, (30, 30), (870, 670), 0, 6)
    cv2.rectangle(frame, (60, 60), (840, 640), 0, 2)
    assert look(frame, []).unread_rows == 0
    picture = blank.copy()
    cv2.circle(picture, (450, 350), 250, 0, -1)
    for n in range(12):
        cv2.line(picture, (50, 20 + 50 * n), (850, 40 + 50 * n), 0, 3)
    assert look(picture, []).unread_rows == 0


def test_doubt_is_how_undecided_the_network_was() -> None:
    ink = latin(0)
    sure, unsure, faint = NOTHING.copy(), NOTHING.copy(), NOTHING.copy()
    sure[100:140], unsure[100:140], faint[100:140] = 1.0, 0.5, 0.02
    assert look_beside(sure, ink, ink_pieces(ink), []).doubt == 0
    assert look_beside(unsure, ink, ink_pieces(ink), []).doubt == pytest.approx(0.5)
    assert look_beside(faint, ink, ink_pieces(ink), []).doubt == pytest.approx(0.98)
    assert look_beside(NOTHING, ink, ink_pieces(ink), []).doubt == 0


def test_a_plane_smaller_than_a_letter() -> None:
    assert look_beside(
        np.zeros((1, 1), np.float32), np.zeros((1, 1), np.uint8), np.array([[0, 0, 1, 1, 1]], np.int32), []
    ) == Beside(0.0, 0, 0.0, 0.0)
