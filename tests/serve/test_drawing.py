"""Where boxes, arrows and columns are."""

from __future__ import annotations

import pytest

from bec_core.text import shortened
from bec_serve.chain import BOX_H, BOX_W, depth, picture
from bec_serve.charts import HEIGHT, WIDTH, chart, round_up

CHAIN = {1: [], 2: [1], 3: [2, 1], 4: [1], 5: []}


@pytest.mark.parametrize("down", [False, True])
def test_readers_come_after_what_they_read_and_no_boxes_touch(down: bool) -> None:
    drawn = picture(CHAIN, down=down)
    assert drawn is not None
    boxes = {box.job_id: box for box in drawn.boxes}
    assert set(boxes) == {1, 2, 3, 4}  # 5 reads none, and is read by none
    assert len(drawn.arrows) == 4
    for reader, those in CHAIN.items():
        for read in those:
            if down:
                assert boxes[read].y + BOX_H < boxes[reader].y
            else:
                assert boxes[read].x + BOX_W < boxes[reader].x
    for one in drawn.boxes:
        assert 0 <= one.x <= drawn.width - BOX_W
        assert 0 <= one.y <= drawn.height - BOX_H
        for other in drawn.boxes:
            apart = abs(one.x - other.x) >= BOX_W or abs(one.y - other.y) >= BOX_H
            assert one == other or apart


def test_nothing_is_drawn_of_jobs_that_do_not_read() -> None:
    assert picture({1: [], 2: []}, down=False) is None


def test_a_circle_ends() -> None:
    assert depth(1, {1: [2], 2: [1]}) == 1


def test_columns_fill_the_chart_and_none_is_higher() -> None:
    drawn = chart([0.0, 3.0, 4.9], ["a", "b", "c"])
    assert drawn.top == 5.0
    assert [round(one.height) for one in drawn.columns] == [0, 90, 147]
    assert all(one.y + one.height == pytest.approx(HEIGHT) for one in drawn.columns)
    assert drawn.columns[-1].x + drawn.columns[-1].width <= WIDTH
    assert chart([0.0, 0.0], ["", ""]).top == 0.0


@pytest.mark.parametrize(
    ("value", "top"), [(0, 0), (0.03, 0.05), (1, 1), (1.2, 2), (4.9, 5), (5.1, 10), (99, 100), (101, 200)]
)
def test_the_top_is_round(value: float, top: float) -> None:
    assert round_up(value) == pytest.approx(top)


def test_long_names_keep_both_ends() -> None:
    assert shortened("short", 10) == "short"
    assert shortened("run-ldv1-a-very-long-folder-12345678", 22) == "run-ldv1-a-…r-12345678"
