"""A report over many volumes: a few at a time, none kept, and a list that a browser can hold."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import define

from bec_core import index_pages, report_parts
from bec_core.reporting.side_by_side import side_by_side


@define(eq=False)
class Reported:
    """A volume of a report with nothing but its name."""

    basename: str


def test_several_are_worked_on_at_a_time_and_come_in_order() -> None:
    together = threading.Barrier(4, timeout=10)  # breaks unless four are at it at the same time

    def wait(number: int) -> int:
        together.wait()
        time.sleep(0.01 * (4 - number % 4))
        return number

    assert list(side_by_side(wait, range(12), at_once=4)) == list(range(12))


def test_only_so_many_are_begun_before_the_first_is_taken() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            begun.append(number)
            yield number

    results = side_by_side(str, items(), at_once=3)
    assert next(results) == "0"
    assert len(begun) == 6
    results.close()  # type: ignore[attr-defined]
    assert len(begun) == 6


def test_the_first_error_is_raised_and_ends_the_rest() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 2:
            raise ValueError("the third")
        done.append(number)

    with pytest.raises(ValueError, match="the third"):
        list(side_by_side(work, range(1000), at_once=2))
    assert len(done) < 10


def test_a_volume_is_let_go_when_its_part_is_written() -> None:
    alive: list[weakref.ref[Reported]] = []
    most = 0

    def volumes() -> Iterator[Any]:
        for number in range(200):
            volume = Reported(f"W1-I{number}")
            alive.append(weakref.ref(volume))
            yield volume

    def part(volume: Any, folder: str) -> str:
        nonlocal most
        most = max(most, sum(ref() is not None for ref in alive))
        return folder

    assert report_parts(volumes(), part, at_once=2) == [f"W1-I{number}" for number in range(200)]
    assert most <= 8


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_a_short_list_is_one_page_without_links(count: int) -> None:
    (page,) = index_pages(range(count))
    assert (page.name, list(page.rows), page.links) == ("index.html", list(range(count)), "")


def test_a_long_list_goes_on_in_further_pages() -> None:
    pages = index_pages(range(2500))
    assert [page.name for page in pages] == ["index.html", "volumes-2.html", "volumes-3.html"]
    assert [row for page in pages for row in page.rows] == list(range(2500))
    assert '<a href="index.html">1–1,000</a> · <strong>1,001–2,000</strong>' in pages[1].links
    assert '<a href="volumes-3.html">2,001–2,500</a>' in pages[1].links
