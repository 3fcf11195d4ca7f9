"""Figures over time as columns of a picture: where each is, in units of the picture."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

WIDTH, HEIGHT = 1000, 150


@frozen
class Column:
    """A column, from its upper left corner; ``words`` say what it stands for."""

    x: float
    y: float
    width: float
    height: float
    words: str


@frozen
class Chart:
    """Columns below a round ``top``, which is as high as the picture."""

    columns: tuple[Column, ...]
    top: float


def chart(values: Sequence[float], words: Sequence[str]) -> Chart:
    """The chart of these values (none negative), from left to right."""
    top = round_up(max(values, default=0.0))
    step = WIDTH / max(1, len(values))
    columns = []
    for place, (value, said) in enumerate(zip(values, words, strict=True)):
        height = HEIGHT * value / top if top else 0.0
        columns.append(
            Column(
                round(place * step, 2),
                round(HEIGHT - height, 2),
                round(step * 0.86, 2),
                round(height, 2),
                said,
            )
        )
    return Chart(tuple(columns), top)


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 … that is no smaller; 0 for nothing."""
    if value <= 0:
        return 0.0
    size = 1.0
    while size > value:
        size /= 10
    while size * 10 < value:
        size *= 10
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= value)
