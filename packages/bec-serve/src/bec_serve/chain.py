"""The picture of jobs that read each other: where each box and each arrow is, in units of the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

BOX_W, BOX_H = 216, 78
_GAP_ALONG, _GAP_ACROSS = 54, 18
_EDGE = 2


@frozen
class Box:
    """A job's box: its upper left corner."""

    job_id: int
    x: int
    y: int


@frozen
class Picture:
    """Boxes, and arrows as paths of SVG."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[str, ...]


def picture(reads: Mapping[int, Sequence[int]], *, down: bool) -> Picture | None:
    """The picture of who reads whom, from left to right, or from top to bottom (``down``) for narrow screens.

    Args:
        reads: for every job the jobs that it reads; those that read none and are read by none are left out.
        down: which way.

    Returns:
        None if no job reads another.
    """
    layers = _layers(reads)
    if not layers:
        return None
    widest = max(map(len, layers))
    along = (BOX_H if down else BOX_W) + _GAP_ALONG
    across = (BOX_W if down else BOX_H) + _GAP_ACROSS
    boxes: dict[int, Box] = {}
    for depth, layer in enumerate(layers):
        for place, job_id in enumerate(layer):
            first = _EDGE + depth * along
            second = _EDGE + round((place + (widest - len(layer)) / 2) * across)
            boxes[job_id] = Box(job_id, second, first) if down else Box(job_id, first, second)
    length, breadth = len(layers) * along - _GAP_ALONG, widest * across - _GAP_ACROSS
    arrows = [
        _arrow(boxes[read], boxes[reader], down=down)
        for reader, those in sorted(reads.items())
        for read in those
        if reader in boxes and read in boxes
    ]
    width, height = (breadth, length) if down else (length, breadth)
    return Picture(width + 2 * _EDGE, height + 2 * _EDGE, tuple(boxes.values()), tuple(arrows))


def depth(job_id: int, reads: Mapping[int, Sequence[int]], *, seen: frozenset[int] = frozenset()) -> int:
    """How long the longest way to a job is over those that it reads; they can't read each other in a circle."""
    known = [one for one in reads.get(job_id, ()) if one not in seen]
    return max((depth(one, reads, seen=seen | {job_id}) + 1 for one in known), default=0)


def _layers(reads: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """Jobs by how long the longest way to them is."""
    drawn = {job for reader, those in reads.items() if those for job in (reader, *those)}
    layers: dict[int, list[int]] = {}
    for job in sorted(drawn):
        layers.setdefault(depth(job, reads), []).append(job)
    return [layers[number] for number in sorted(layers)]


def _arrow(read: Box, reader: Box, *, down: bool) -> str:
    if down:
        x1, y1, x2, y2 = read.x + BOX_W // 2, read.y + BOX_H, reader.x + BOX_W // 2, reader.y - 3
        middle = (y1 + y2) // 2
        return f"M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}"
    x1, y1, x2, y2 = read.x + BOX_W, read.y + BOX_H // 2, reader.x - 3, reader.y + BOX_H // 2
    middle = (x1 + x2) // 2
    return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
