"""Fast hands made of umeh fonts: syllables pulled about one by one, joined, tails drawn out, the ink running dry.

No font writes *khyug* or a quick *drutsa*. What makes them look so is done to each syllable's drawn letters: the pen
leans, tails and vowels are drawn out, no two letters of a kind are alike, and the pen is not lifted in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
import cv2
import numpy as np

from linepages.ink import Gray, Hand, Pen, Piece, stamp
from linepages.text import TSHEG, Token

Points = list[tuple[float, float, float]]
"""A written line's body: `(x, top, bottom)` in sheet pixels."""


@attrs.define
class Flow:
    """A fast hand; lengths in letter bodies.

    Attributes:
        slant: how far the top leans right of the foot, per height.
        wide: letters' width, 1 as the font has it.
        tail: how far what hangs below the body is drawn out, 1 as the font has it.
        wing: the same for what stands above it.
        curl: how far a tail swings left at one body below the foot.
        elastic: how far points of a syllable are pulled about.
        size: how much syllables differ in size (standard deviation).
        lift: how far they stand off the baseline.
        spacing: how much the space between them differs.
        joined: chance that a syllable is joined to the one before.
        tsheg: chance that a syllable's tsheg is written.
        nib: the pen's breadth, added along its edge.
        angle: the edge's direction in degrees, 0 = level.
        lasts: syllables to a penful of ink; 0 = the ink does not run dry.
    """

    slant: float = 0.0
    wide: float = 1.0
    tail: float = 1.0
    wing: float = 1.0
    curl: float = 0.0
    elastic: float = 0.0
    size: float = 0.0
    lift: float = 0.0
    spacing: float = 0.0
    joined: float = 0.0
    tsheg: float = 1.0
    nib: float = 0.0
    angle: float = 45.0
    lasts: int = 0
    _written: int = 0

    def write(
        self,
        canvas: Gray,
        pen: Pen,
        tokens: Iterable[Token],
        x0: float,
        x1: float,
        baseline: Callable[[float], float],
        rng: np.random.Generator,
        hand: Hand,
        written: list[str] | None = None,
    ) -> tuple[float, Points]:
        """Write tokens from `x0` until one would pass `x1`, as `ink.write_line` does in print."""
        x, drawn_to = x0, x0
        points: Points = []
        last: tuple[float, float] | None = None
        for token in tokens:
            if not token.text:
                x += token.gap * pen.body
                last = None
                if written is not None:
                    written.append(" ")
                continue
            drops = token.text.endswith(TSHEG) and rng.random() > self.tsheg
            piece = self._pulled(pen.piece(token.text[:-1] if drops else token.text), pen, rng)
            if x + piece.advance > x1:
                break
            y = baseline(x + piece.advance / 2) + float(rng.normal(0, self.lift)) * pen.body
            stamp(canvas, self._inked(piece.mask, rng), x + piece.left, y + piece.top)
            ends = _ends(piece, pen)
            if ends is not None:
                if last is not None and rng.random() < self.joined:
                    _join(canvas, last, (x + ends[0], y + ends[1]), pen, rng)
                last = (x + ends[2], y + ends[3])
            for at in (x, x + piece.advance):
                level = baseline(at)
                points.append((at, level + pen.body_top, level + pen.body_bottom))
            if written is not None:
                written.append(token.text)
            drawn_to = x + piece.advance
            x = drawn_to + float(rng.normal(0.1, 1.0)) * self.spacing * pen.body
        return drawn_to, points

    def _inked(self, mask: Gray, rng: np.random.Generator) -> Gray:
        """Return the mask as dark as the ink left in the pen draws it."""
        if not self.lasts:
            return mask
        self._written += 1
        if self._written > self.lasts * rng.uniform(0.6, 1.4):
            self._written = 0
        left = 1 - 0.65 * (self._written / (1.4 * self.lasts)) ** 1.5
        return np.asarray(cv2.convertScaleAbs(mask, alpha=left), np.uint8)

    def _pulled(self, piece: Piece, pen: Pen, rng: np.random.Generator) -> Piece:
        """Return the piece leaning, drawn out and pulled about."""
        body, foot = pen.body, pen.body_bottom
        size = float(np.clip(1 + rng.normal(0, self.size), 0.6, 1.5))
        wide = size * self.wide * float(np.clip(1 + rng.normal(0, self.size), 0.7, 1.4))
        tall, broad = piece.mask.shape
        slant = self.slant + float(rng.normal(0, 0.04))
        tail, wing = (
            max(1 + (part - 1) * float(rng.uniform(0, 1.5)), 0.7) for part in (self.tail, self.wing)
        )
        top = _out(piece.top, pen, wing, tail) * size
        bottom = _out(piece.top + tall, pen, wing, tail) * size
        pulled = 2 * self.elastic * body
        drift = self.curl * body * (max(bottom - foot, 0.0) / body) ** 2
        reach_left = max(slant * bottom, slant * top, 0.0) + drift + pulled
        reach_right = max(-slant * top, -slant * bottom, 0.0) + pulled
        left = piece.left * wide - reach_left
        height = max(int(bottom - top + 2 * pulled) + 2, 2)
        width = max(int(broad * wide + reach_left + reach_right) + 2, 2)
        v = (np.arange(height, dtype=np.float32) + (top - pulled))[:, None]
        u = (np.arange(width, dtype=np.float32) + left)[None, :]
        below = np.maximum(v - foot, 0)
        source_x = (u + slant * v + self.curl * below**2 / body) / wide - piece.left
        level = v / size
        above, under = np.minimum(level - pen.body_top, 0), np.maximum(level - foot, 0)
        source_y = (level - above - under) + above / wing + under / tail - piece.top
        source_x, source_y = (
            np.broadcast_to(source_x, (height, width)),
            np.broadcast_to(source_y, (height, width)),
        )
        if self.elastic:
            cells = (max(round(height / body), 1) + 2, max(round(width / body), 1) + 2)
            pull = rng.normal(0, self.elastic * body, (*cells, 2)).astype(np.float32)
            pull = np.asarray(cv2.resize(pull, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
            source_x, source_y = source_x + pull[..., 0], source_y + pull[..., 1]
        mask = np.asarray(
            cv2.remap(piece.mask, source_x.astype(np.float32), source_y.astype(np.float32), cv2.INTER_LINEAR),
            np.uint8,
        )
        kernel = _nib(self.nib * body, self.angle)
        if kernel is not None:
            mask = np.asarray(cv2.dilate(mask, kernel), np.uint8)
        return Piece(mask, left, top - pulled, piece.advance * wide)


def _out(level: float, pen: Pen, wing: float, tail: float) -> float:
    """Return where a level lies once what is above the body is stretched by `wing`, below it by `tail`."""
    if level < pen.body_top:
        return pen.body_top + (level - pen.body_top) * wing
    return pen.body_bottom + (level - pen.body_bottom) * tail if level > pen.body_bottom else level


def _nib(length: float, angle: float) -> Gray | None:
    """Return a kernel that widens strokes along a pen's edge; none for a pen hardly wider than a pixel."""
    size = round(length)
    if size < 2:
        return None
    kernel = np.zeros((size, size), np.uint8)
    turn = np.deg2rad(angle)
    middle = (size - 1) / 2
    reach = (np.cos(turn) * middle, -np.sin(turn) * middle)
    start, end = (
        (round(middle - reach[0]), round(middle - reach[1])),
        (round(middle + reach[0]), round(middle + reach[1])),
    )
    cv2.line(kernel, start, end, 1)
    return kernel


def _ends(piece: Piece, pen: Pen) -> tuple[float, float, float, float] | None:
    """Return the first and the last inked point of the body, relative to the pen on the baseline."""
    first = max(int(pen.body_top - piece.top), 0)
    body = piece.mask[first : max(int(pen.body_bottom - piece.top), first + 1)]
    columns = np.flatnonzero(body.max(axis=0) > 100) if body.size else np.empty(0, np.intp)
    if not columns.size:
        return None
    left, right = int(columns[0]), int(columns[-1])
    at = [int(np.argmax(body[:, column])) + first + piece.top for column in (left, right)]
    return piece.left + left, at[0], piece.left + right, at[1]


def _join(
    canvas: Gray, start: tuple[float, float], end: tuple[float, float], pen: Pen, rng: np.random.Generator
) -> None:
    """Draw the stroke of a pen that was not lifted: a shallow curve."""
    if abs(end[0] - start[0]) > 1.5 * pen.body:
        return
    sag = float(rng.normal(0.15, 0.3)) * pen.body
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + sag)
    part = np.linspace(0, 1, 6)[:, None]
    curve = (1 - part) ** 2 * start + 2 * part * (1 - part) * middle + part**2 * end
    thick = max(round(pen.body * float(rng.uniform(0.05, 0.12))), 1)
    cv2.polylines(canvas, [np.round(curve * 16).astype(np.int32)], False, 230, thick, cv2.LINE_AA, 4)


def draw_flow(rng: np.random.Generator, haste: float) -> Flow:
    """Draw a hand of some haste: 0.2 a careful scribe's, 1 a clerk's."""
    return Flow(
        slant=float(rng.normal(0.12, 0.16)) * haste,
        wide=float(rng.uniform(1 - 0.35 * haste, 1 + 0.25 * haste)),
        tail=1 + float(rng.uniform(0, 1.6)) * haste,
        wing=1 + float(rng.uniform(0, 1.2)) * haste,
        curl=float(rng.normal(0.06, 0.12)) * haste,
        elastic=float(rng.uniform(0.03, 0.16)) * haste,
        size=float(rng.uniform(0.03, 0.16)) * haste,
        lift=float(rng.uniform(0.02, 0.15)) * haste,
        spacing=float(rng.uniform(0.05, 0.45)) * haste,
        joined=float(rng.uniform(0, 1)) * haste,
        tsheg=1 - float(rng.uniform(0, 1)) * haste,
        nib=float(rng.uniform(0.05, 0.16)) if rng.random() < 0.4 else 0.0,
        angle=float(rng.uniform(20, 70)),
        lasts=int(rng.integers(6, 40)) if rng.random() < 0.4 else 0,
    )
