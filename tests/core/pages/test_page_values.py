"""The one place where a page's value becomes bytes and a value again, and the kit's check that it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from attrs import evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from bec_core.pages.values import PageValues
from bec_core.testing.round_trip import CheckedValues, different


class Kind(StrEnum):
    FULL = "full"
    BLANK = "blank"


@frozen(eq=False)
class Line:
    polygon: npt.NDArray[np.int32]
    text: str | None = None


@frozen(eq=False)
class Found:
    name: str
    number: int = 0
    share: float = 0.0
    data: bytes = b""
    kind: Kind = Kind.FULL
    when: datetime | None = None
    lines: Sequence[Line] = ()
    flags: frozenset[Kind] = frozenset()
    counts: Mapping[str, int] = field(factory=dict)
    pair: tuple[int, str] = (0, "")
    plane: npt.NDArray[np.float32] | None = None


FULL = Found(
    "ཀ་\ud800",
    number=7,
    share=float("nan"),
    data=bytes(range(256)),
    kind=Kind.BLANK,
    when=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    lines=[Line(np.arange(6, dtype=np.int32).reshape(3, 2), "ཀ"), Line(np.zeros((0, 2), np.int32))],
    flags=frozenset({Kind.FULL, Kind.BLANK}),
    counts={"a": 1},
    pair=(1, "x"),
    plane=np.array([[np.nan, np.inf]], np.float32),
)


def test_a_value_with_everything_comes_back() -> None:
    problems: list[str] = []
    back = CheckedValues(Found, problems).check(FULL, "p1")
    assert problems == []
    assert back is not FULL
    assert back.lines[0].polygon.dtype == np.int32


@given(
    st.text(), st.integers(), st.floats(), st.binary(), st.lists(st.integers(-(2**31), 2**31 - 1), max_size=9)
)
def test_whatever_a_field_holds_comes_back(
    text: str, number: int, share: float, data: bytes, points: list[int]
) -> None:
    value = Found(text, number, share, data, lines=[Line(np.array(points, np.int32))])
    values = PageValues(Found)
    assert different(value, values.from_bytes(values.to_bytes(value)), "value") == ""


def test_bytes_are_kept_as_they_are() -> None:
    values = PageValues(bytes)
    assert values.to_bytes(b"\x00\xff") == b"\x00\xff"
    assert values.from_bytes(b"\x00\xff") == b"\x00\xff"


def test_a_number_of_numpys_is_a_number() -> None:
    values = PageValues(Found)
    value = Found("x", number=np.int16(3), share=np.float32(0.5))
    assert different(value, values.from_bytes(values.to_bytes(value)), "value") == ""


def test_ldv1s_record_can_be_kept() -> None:
    from bec_ldv1.lines import Line as WholeLine
    from bec_ldv1.page.flags import Flag
    from bec_ldv1.record.details import PageDetails
    from bec_ldv1.record.records import PageRecord

    outline = np.array([[0, 1], [2, 3]], np.int32)
    course = np.array([[0.5, 1.25]], np.float32)
    record = PageRecord(
        "1.jpg",
        "e" * 32,
        rotation_angle=0.1,
        tps_points=np.ones((3, 4), np.float32),
        tps_alpha=0.5,
        contours=[outline],
        contours_bboxes=np.array([[0, 1, 2, 3]], np.int32),
        details=PageDetails(5, 6, 0.25, [WholeLine(course, course, 0.75)], frozenset({Flag.CURVED})),
    )
    problems: list[str] = []
    CheckedValues(PageRecord, problems).check(record, "1.jpg")
    CheckedValues(PageRecord, problems).check(
        PageRecord.failed("1.jpg", None, stage="fetch", error_type="X", message="y"), "1.jpg"
    )
    assert problems == []


@frozen
class Loose:
    anything: Any = None
    folder: Path | None = None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Loose(anything=Line(np.zeros(2, np.int32))), "Loose.anything is"),
        (Loose(anything={1: 2}), "Loose.anything has other keys"),
        (Loose(anything=object()), "can't be kept: TypeError: a object can't be kept"),
        (Loose(anything=b"raw"), "Loose.anything"),
    ],
)
def test_what_does_not_come_back_is_named(value: Loose, said: str) -> None:
    problems: list[str] = []
    CheckedValues(Loose, problems).check(value, "p1")
    assert len(problems) == 1
    assert said in problems[0]
    assert "its exact type" in problems[0]


def test_differences_are_found_at_their_place() -> None:
    other = evolve(FULL, lines=[FULL.lines[0], Line(np.zeros((1, 2), np.int32))])
    assert different(FULL, FULL, "value") == ""
    assert different(FULL, other, "value").startswith("value.lines[1].polygon is")
    assert different(1, True, "value") == "value is True, not 1"
