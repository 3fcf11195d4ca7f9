"""Drawing letters on a sheet, and remembering where the lines are."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from linepages.fonts import Face
from linepages.text import Token

Gray = NDArray[np.uint8]

PAPER, LINE, BETWEEN, IGNORED = 0, 1, 2, 3
"""Label classes: BETWEEN is paper next to a line or under a decoy (weighted up), IGNORED counts for nothing."""


@attrs.frozen
class Hand:
    """How unsteady the writing is; zeros are print. Lengths are in letter bodies."""

    slant: float = 0.0
    size: float = 0.0
    lift: float = 0.0
    spacing: float = 0.0
    flourish: float = 0.0
    squeeze: float = 1.0


@attrs.frozen
class Piece:
    """A drawn text: ink mask, where its corner lies relative to the pen on the baseline, and its advance."""

    mask: Gray
    left: float
    top: float
    advance: float


@attrs.define
class Band:
    """A line's body along x: points `(x, top, bottom)` in sheet pixels, the pitch of its neighbours, what it says."""

    points: list[tuple[float, float, float]]
    pitch: float
    text: str = ""

    def polygon(self, grow: float = 0.0) -> NDArray[np.int32]:
        """Return the band's outline, grown by `grow` pixels up and down."""
        upper = [(x, top - grow) for x, top, _ in self.points]
        lower = [(x, bottom + grow) for x, _, bottom in reversed(self.points)]
        return np.round(np.array(upper + lower)).astype(np.int32)

    def height(self) -> float:
        """Return the median height in pixels."""
        return float(np.median([bottom - top for _, top, bottom in self.points]))


@attrs.define
class Sheet:
    """A page before it is scanned: darkness 0–255 of the lines' ink and of all other ink, and the lines' bands.

    Attributes:
        decoys: boxes `(x0, y0, x1, y1)` of writing that is no line: paper that is weighted up, like that between lines.
        born_digital: the page came from a computer, not from a scanner.
    """

    lines: Gray
    marks: Gray
    bands: list[Band] = attrs.Factory(list)
    decoys: list[tuple[float, float, float, float]] = attrs.Factory(list)
    born_digital: bool = False

    @classmethod
    def blank(cls, height: int, width: int) -> Sheet:
        """Return an empty sheet."""
        return cls(np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8))

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.lines.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.lines.shape[1])

    def labels(self) -> Gray:
        """Return the label map: bands, and the paper between them and under decoys."""
        label = np.full(self.lines.shape, PAPER, np.uint8)
        for x0, y0, x1, y1 in self.decoys:
            cv2.rectangle(label, (round(x0), round(y0)), (round(x1), round(y1)), BETWEEN, -1)
        for band in self.bands:
            grow = min(0.45 * max(band.pitch - band.height(), 0.0), 1.2 * band.height())
            cv2.fillPoly(label, [band.polygon(grow)], BETWEEN)
        for band in self.bands:
            cv2.fillPoly(label, [band.polygon()], LINE)
        return label

    def regions(self) -> Gray:
        """Return the region map: from the gap above each line to the gap below it, its number from 1 on in `bands`."""
        numbers = np.zeros(self.lines.shape, np.uint8)
        for grown in (True, False):
            for number, band in enumerate(self.bands[:255], 1):
                gap = max(band.pitch - band.height(), 0.0) / 2
                cv2.fillPoly(numbers, [band.polygon(min(gap, 1.2 * band.height()) if grown else 0.0)], number)
        return numbers


class Pen:
    """A face at one size: draws and keeps the pieces it has drawn.

    Args:
        face: the font.
        body: height of a plain letter's body in pixels.
        shade: darkness of the ink, 255 = black; red ink is lighter.
        reach: how far strokes may go above, below and left of the body, in bodies. Some umeh fonts draw vowels
            over half a line's width, as hardly a scribe does; what goes further is cut off.
    """

    def __init__(
        self, face: Face, body: float, reach: tuple[float, float, float] | None = None, shade: int = 255
    ) -> None:
        self.face = face
        self._shade = shade
        self.body = body
        self._reach = reach
        self._font = face.at_body(body)
        scale = body / face.body
        self.body_top = face.body_top * scale
        self.body_bottom = face.body_bottom * scale
        self._pieces: dict[str, Piece] = {}

    def piece(self, text: str) -> Piece:
        """Return `text` drawn with this pen."""
        piece = self._pieces.get(text)
        if piece is None:
            left, top, right, bottom = self._font.getbbox(text, anchor="ls")
            image = Image.new("L", (max(int(right - left), 1) + 2, max(int(bottom - top), 1) + 2))
            ImageDraw.Draw(image).text(
                (1 - left, 1 - top), text, font=self._font, anchor="ls", fill=self._shade
            )
            piece = Piece(np.asarray(image), left - 1, top - 1, self._font.getlength(text))
            piece = self._cut(piece) if self._reach else piece
            self._pieces[text] = piece
        return piece

    def _cut(self, piece: Piece) -> Piece:
        """Cut off what goes further than the pen's reach."""
        up, down, left = self._reach or (9.0, 9.0, 9.0)
        first = max(int(self.body_top - up * self.body - piece.top), 0)
        last = max(int(self.body_bottom + down * self.body - piece.top), first + 1)
        column = max(int(-left * self.body - piece.left), 0)
        mask = piece.mask[first:last, column:]
        return Piece(mask, piece.left + column, piece.top + first, piece.advance) if mask.size else piece


def stamp(canvas: Gray, mask: Gray, x: float, y: float) -> None:
    """Put `mask` on `canvas` with its corner at (x, y), the darker of both winning; what falls outside is cut."""
    left, top = round(x), round(y)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + mask.shape[1], canvas.shape[1]), min(top + mask.shape[0], canvas.shape[0])
    if x0 < x1 and y0 < y1:
        part = canvas[y0:y1, x0:x1]
        np.maximum(part, mask[y0 - top : y1 - top, x0 - left : x1 - left], out=part)


def _by_hand(piece: Piece, hand: Hand, body: float, rng: np.random.Generator) -> tuple[Piece, float]:
    """Return the piece as a hand would write it, and how far it is lifted off the baseline."""
    if hand == Hand():
        return piece, 0.0
    slant = hand.slant + float(rng.normal(0, 0.03))
    size = float(np.clip(1 + rng.normal(0, hand.size), 0.8, 1.25))
    wide = size * hand.squeeze
    height, width = piece.mask.shape
    lean = abs(slant) * height
    # x' = wide·x − slant·(y − baseline); the baseline is at −top inside the mask.
    matrix = np.array([[wide, -slant, slant * -piece.top + lean], [0, size, 0]], np.float32)
    out = (int(width * wide + 2 * lean) + 2, int(height * size) + 2)
    mask = np.asarray(cv2.warpAffine(piece.mask, matrix, out, flags=cv2.INTER_LINEAR), np.uint8)
    bent = Piece(mask, piece.left * wide - lean, piece.top * size, piece.advance * wide)
    if hand.flourish and rng.random() < hand.flourish:
        bent = _flourish(bent, body, rng)
    return bent, float(rng.normal(0, hand.lift)) * body


def _flourish(piece: Piece, body: float, rng: np.random.Generator) -> Piece:
    """Return the piece with a stroke drawn out far below, or slanting far above, as scribes do on titles."""
    long = int(body * rng.uniform(0.6, 2.2))
    thick = max(int(body * rng.uniform(0.06, 0.12)), 1)
    height, width = piece.mask.shape
    inked = np.flatnonzero(piece.mask.max(axis=0) > 128)
    x = int(rng.choice(inked)) if inked.size else width // 2
    if rng.random() < 0.65:
        grown = np.pad(piece.mask, ((0, long), (0, 0)))
        start = (x, max(height - int(0.6 * body), 0))
        cv2.line(
            grown, start, (int(x + rng.normal(0, 0.15) * long), height + long - 1), 255, thick, cv2.LINE_AA
        )
        return Piece(grown, piece.left, piece.top, piece.advance)
    grown = np.pad(piece.mask, ((long, 0), (0, long)))
    cv2.line(
        grown,
        (x, long + int(0.2 * body)),
        (int(x + rng.uniform(0.3, 1.0) * long), 0),
        255,
        thick,
        cv2.LINE_AA,
    )
    return Piece(grown, piece.left, piece.top - long, piece.advance)


def write_line(
    canvas: Gray,
    pen: Pen,
    tokens: Iterable[Token],
    x0: float,
    x1: float,
    baseline: Callable[[float], float],
    rng: np.random.Generator,
    hand: Hand = Hand(),
    written: list[str] | None = None,
) -> tuple[float, list[tuple[float, float, float]]]:
    """Write tokens from `x0` until one would pass `x1`; `written` gets what was written, a blank for a gap.

    Returns:
        Where the pen stopped and the body's band as points `(x, top, bottom)` (empty if nothing was written);
        gaps inside the line belong to the band, one at its end does not.
    """
    x, drawn_to = x0, x0
    points: list[tuple[float, float, float]] = []
    for token in tokens:
        if not token.text:
            x += token.gap * pen.body
            if written is not None:
                written.append(" ")
            continue
        piece, lift = _by_hand(pen.piece(token.text), hand, pen.body, rng)
        if x + piece.advance > x1:
            break
        y = baseline(x + piece.advance / 2)
        stamp(canvas, piece.mask, x + piece.left, y + lift + piece.top)
        for at in (x, x + piece.advance):
            level = baseline(at)
            points.append((at, level + pen.body_top, level + pen.body_bottom))
        if written is not None:
            written.append(token.text)
        drawn_to = x + piece.advance
        x = drawn_to + float(rng.normal(0.3, 1.0)) * hand.spacing * pen.body
    return drawn_to, points


def band_of(points: list[tuple[float, float, float]], body: float, pitch: float, text: str = "") -> Band:
    """Return the target band of a written line: the bodies from just above the headline, at most 0.6 of the pitch."""
    shaped: list[tuple[float, float, float]] = []
    for x, top, bottom in points:
        upper, lower = top - 0.12 * body, bottom + 0.05 * body
        excess = max((lower - upper) - 0.6 * pitch, 0.0)
        shaped.append((x, upper + 0.35 * excess, lower - 0.65 * excess))
    return Band(shaped, pitch, text)
