"""What became of a page's lines between two runs: which line is which, and how their texts differ."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher

from attrs import frozen

from bec_ocrv1.artifacts import PageText, ReadLine

SAME_LINE = 0.5
"""Two lines' boxes that share at least so much of the larger are one line."""

_MARKS = ("Mn", "Mc", "Me")


@frozen
class Part:
    """A piece of two texts: the same in both (``before == after``), or what stands in its place."""

    before: str
    after: str

    @property
    def same(self) -> bool:
        """Whether nothing differs here."""
        return self.before == self.after


@frozen
class LineDifference:
    """A line in both runs, None where one has no such line; the numbers are its places on the page, from 1."""

    before: tuple[int, ReadLine] | None
    after: tuple[int, ReadLine] | None

    @property
    def texts(self) -> tuple[str, str]:
        """Both texts; empty where there is no such line."""
        return tuple("" if side is None else side[1].text for side in (self.before, self.after))  # type: ignore[return-value]  # two

    @property
    def changed(self) -> bool:
        """Whether the texts differ."""
        return self.texts[0] != self.texts[1]

    @property
    def edits(self) -> int:
        """How many clusters of letters stand in parts that differ, on the side with more of them."""
        return sum(
            max(len(clusters(part.before)), len(clusters(part.after)))
            for part in differing_parts(*self.texts)
            if not part.same
        )


def paired_lines(before: PageText | None, after: PageText | None) -> list[LineDifference]:
    """The lines of a page in both runs, in the later run's order; those that only the earlier one has come last.

    Lines are told by their boxes: both runs mostly read the same lines, but they may have been found anew.
    """
    old = list(enumerate(() if before is None else before.lines, start=1))
    new = list(enumerate(() if after is None else after.lines, start=1))
    found: dict[int, tuple[int, ReadLine]] = {}
    free = dict(old)
    shares = [
        (share, number, other)
        for number, line in new
        for other, candidate in old
        if (share := _overlap(line, candidate)) >= SAME_LINE
    ]
    for _, number, other in sorted(shares, key=lambda item: (-item[0], abs(item[1] - item[2]))):
        if number not in found and other in free:
            found[number] = (other, free.pop(other))
    return [
        *(LineDifference(found.get(number), (number, line)) for number, line in new),
        *(LineDifference((number, line), None) for number, line in free.items()),
    ]


def differing_parts(before: str, after: str) -> list[Part]:
    """Both texts cut into parts that are the same and parts that differ; no stack of letters is cut."""
    old, new = clusters(before), clusters(after)
    return [
        Part("".join(old[a:b]), "".join(new[c:d]))
        for _, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    ]


def clusters(text: str) -> list[str]:
    """The text in letters with what is written above and below them."""
    found: list[str] = []
    for character in text:
        if found and unicodedata.category(character) in _MARKS:
            found[-1] += character
        else:
            found.append(character)
    return found


def _overlap(one: ReadLine, other: ReadLine) -> float:
    """The shared area of two lines' boxes as a share of the larger's."""
    first, second = _box(one), _box(other)
    if first is None or second is None:
        return 0.0
    width = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    height = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    larger = max(first[2] * first[3], second[2] * second[3])
    return width * height / larger if width > 0 and height > 0 and larger else 0.0


def _box(line: ReadLine) -> tuple[float, float, float, float] | None:
    """On the stored image where that is known, so that another rectification makes no difference."""
    if line.polygon:
        across, down = zip(*line.polygon, strict=True)
        return min(across), min(down), max(across) - min(across), max(down) - min(down)
    return line.bbox


def total_edits(lines: Sequence[LineDifference]) -> int:
    """The edits of a page's lines."""
    return sum(line.edits for line in lines if line.changed)
