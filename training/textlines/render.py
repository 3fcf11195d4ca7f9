"""A text line as a detector would cut it from a page: drawn, worn, bent, scanned, with its truth.

A line is drawn at the size it would have on a scan (a letter's body 11 to 44 px), because what scanning does depends on
it; `bec_ocrv1.box.prepare` then scales it, as at run time.
"""

from __future__ import annotations

import attrs
import cv2
import numpy as np

from bec_ocrv1.box.prepare import BODY, END, HEIGHT, Gray, prepared
from linepages.fonts import Face, load_faces
from linepages.ink import Pen, Piece, stamp
from textlines import faults
from textlines.texts import Writer, folded

WIDTH = 640
"""Columns of a prepared training line."""
EASY_WIDTH = 320

_DIGITS = "༠༡༢༣༤༥༦༧༨༩0123456789"
_TIMES_MORE = {"TibetanMachineUni.ttf": 2.0, "DDC_Uchen.ttf": 1.5, "Jomolhari-alpha3c-0605331.ttf": 1.5}
"""Faces like those that books and blocks are set in come more often."""


@attrs.frozen(eq=False)
class Cut:
    """A rendered line as it is cut from its page.

    Attributes:
        image: grey, at the scan's size.
        top, bottom: rows between which plain letters' bodies stand.
        text: what it says, with spaces.
    """

    image: Gray
    top: float
    bottom: float
    text: str


@attrs.frozen
class Manner:
    """How one line is set and what becomes of it; lengths in bodies.

    Attributes:
        stretch: how much wider letters are than the font has them.
        spacing: mean and spread of what is added between syllables.
        gap, shads: width of a space, and of one between two shads.
        lift: spread of syllables' height.
        tsheg_lost, tsheg_near: shares of the tshegs that are gone, or touch the letter before.
        pitch: distance of the neighbouring lines; 0: none are seen.
        raised: the size of numbers that are set small and high, as those of notes; 0: they are like letters.
    """

    stretch: float
    spacing: tuple[float, float]
    gap: float
    shads: float
    lift: float
    tsheg_lost: float
    tsheg_near: float
    pitch: float
    raised: float = 0.0


class Case:
    """Pens to draw many lines with: drawn syllables are kept, so that the next line is quicker.

    Args:
        rng: chooses faces and sizes.
        pens: how many.
        umeh: share of handwritten styles' fonts.
    """

    def __init__(self, rng: np.random.Generator, pens: int = 24, umeh: float = 0.1) -> None:
        faces = load_faces()
        self._pens = [self._pen(rng, faces["umeh" if rng.random() < umeh else "uchen"]) for _ in range(pens)]

    @staticmethod
    def _pen(rng: np.random.Generator, faces: list[Face]) -> Pen:
        weights = np.array([_TIMES_MORE.get(face.path.name, 1.0) for face in faces])
        face = faces[int(rng.choice(len(faces), p=weights / weights.sum()))]
        body = float(
            rng.choice([rng.uniform(11, 17), rng.uniform(17, 30), rng.uniform(30, 44)], p=[0.42, 0.33, 0.25])
        )
        reach = (1.2, 2.0, 0.5) if face.style == "umeh" else None
        return Pen(face, body, reach)

    def pick(self, rng: np.random.Generator) -> Pen:
        """Return one of the pens."""
        return self._pens[int(rng.integers(len(self._pens)))]


def draw_manner(rng: np.random.Generator, easy: bool) -> Manner:
    """Choose how a line is set."""
    if easy:
        return Manner(1.0, (0.0, 0.0), 0.6, 0.2, 0.0, 0.0, 0.0, 0.0)
    carved = rng.random() < 0.6
    return Manner(
        stretch=float(np.clip(rng.normal(1.0, 0.13), 0.72, 1.3)),
        spacing=(float(rng.normal(-0.02, 0.05)), 0.05)
        if carved
        else (float(max(rng.normal(0, 0.03), -0.03)), 0.0),
        gap=float(rng.uniform(0.25, 2.0)),
        shads=float(rng.choice([0.0, 0.12, rng.uniform(0.1, 1.2)], p=[0.3, 0.3, 0.4])),
        lift=float(rng.uniform(0, 0.05)) if carved else 0.0,
        tsheg_lost=float(rng.choice([0.0, 0.03, 0.15], p=[0.5, 0.25, 0.25])) if carved else 0.0,
        tsheg_near=float(rng.choice([0.0, 0.2, 0.6], p=[0.4, 0.35, 0.25])) if carved else 0.0,
        pitch=float(rng.uniform(1.9, 3.8)) if rng.random() < 0.72 else 0.0,
        raised=float(rng.uniform(0.45, 0.75)) if rng.random() < 0.4 else 0.0,
    )


def _raised(piece: Piece, pen: Pen, size: float) -> Piece:
    """Return a piece smaller, its top a little above the headline."""
    height, width = piece.mask.shape
    mask = cv2.resize(
        piece.mask, (max(1, round(width * size)), max(1, round(height * size))), interpolation=cv2.INTER_AREA
    )
    return Piece(
        np.asarray(mask, np.uint8), piece.left * size, pen.body_top - 0.25 * pen.body, piece.advance * size
    )


def set_line(
    canvas: Gray, pen: Pen, words: list[str], x: float, level: float, manner: Manner, rng: np.random.Generator
) -> tuple[str, float]:
    """Draw words from `x` until the canvas is full; return what was drawn and where it ends."""
    body, right = pen.body, canvas.shape[1] - 0.25 * pen.body
    drawn: list[str] = []
    for word in words:
        start = x
        bare = word.rstrip(" ")
        core = bare.rstrip("་།༔༎")
        marks = bare[len(core) :]
        digits = core[: len(core) - len(core.lstrip(_DIGITS))] if manner.raised else ""
        pieces = [part for part in (digits, core[len(digits) :]) if part] + [*marks]
        lift = float(rng.normal(0, manner.lift)) * body if manner.lift else 0.0
        places = []
        for piece in pieces:
            shape = _raised(pen.piece(piece), pen, manner.raised) if piece == digits else pen.piece(piece)
            back = 0.0
            if piece == "་":
                if rng.random() < manner.tsheg_lost:
                    x += 0.6 * shape.advance
                    continue
                if rng.random() < manner.tsheg_near:
                    back = float(rng.uniform(0.05, 0.2)) * body
            places.append((shape, x - back))
            x += shape.advance - back
        if x > right:
            x = start
            break
        for shape, at in places:
            stamp(canvas, shape.mask, at + shape.left, level + lift + shape.top)
        drawn.append(word)
        if word.endswith(" "):
            following = words[len(drawn)] if len(drawn) < len(words) else ""
            x += (
                (manner.shads if following.startswith(("།", "༔")) else manner.gap)
                * body
                * float(rng.uniform(0.8, 1.2))
            )
        x += float(rng.normal(*manner.spacing)) * body if manner.spacing != (0.0, 0.0) else 0.0
    return "".join(drawn).strip(), x


def render(
    writer: Writer, case: Case, rng: np.random.Generator, *, easy: bool = False, level_only: bool = False
) -> Cut:
    """Return one line with all that is drawn around it.

    Args:
        easy: clean print, half as long.
        level_only: neither tilted nor waved.
    """
    pen, manner = case.pick(rng), draw_manner(rng, easy)
    body = pen.body
    full = (EASY_WIDTH if easy else WIDTH) - 2 * END - 4
    width = int(full / BODY * body)
    # Letters are drawn on a canvas that is as much narrower as they will be stretched.
    inner = int(width / manner.stretch)
    up, down = int(4.2 * body), int(5.2 * body)
    canvas = np.zeros((up + down, inner), np.uint8)
    headline = up - pen.body_top  # the headline stands at row `up`
    x = float(rng.uniform(0.1, 0.6)) * body if rng.random() < 0.6 else float(rng.uniform(0.1, 5)) * body
    count = int(inner / body) + 8
    words = writer.words(rng, count)
    if rng.random() < 0.12 and not easy:
        words = words[: int(rng.integers(1, max(2, count // 2)))]
    text, _ = set_line(canvas, pen, words, x, headline, manner, rng)
    around = np.zeros_like(canvas)
    if manner.pitch:
        _neighbours(around, pen, writer, headline, manner, rng)
    top, bottom = float(up), float(up) + body
    measures = (width, top, bottom)
    image = 255 - canvas if easy else faults.worn(canvas, around, measures, rng, level_only=level_only)
    return Cut(image, top, bottom, text)


def trimmed(cut: Cut, rng: np.random.Generator, above: float = 2.6, below: float = 3.4) -> Cut:
    """Return a line cut as tightly, or as widely, as detectors do: up to so many bodies above and below."""
    body = cut.bottom - cut.top
    first = max(int(cut.top - rng.uniform(0.65, above) * body), 0)
    last = min(int(cut.bottom + rng.uniform(0.8, below) * body), cut.image.shape[0])
    return Cut(np.ascontiguousarray(cut.image[first:last]), cut.top - first, cut.bottom - first, cut.text)


def _neighbours(
    canvas: Gray, pen: Pen, writer: Writer, level: float, manner: Manner, rng: np.random.Generator
) -> None:
    """Write the lines above and below, or one of them."""
    sides = [(-1,), (1,), (-1, 1)][int(rng.choice(3, p=[0.15, 0.15, 0.7]))]
    words = writer.words(rng, int(canvas.shape[1] / pen.body) + 8)
    for side in sides:
        start = float(rng.uniform(-1, 1)) * pen.body
        at = level + side * manner.pitch * pen.body * float(rng.uniform(0.93, 1.07))
        offset = int(rng.integers(0, max(1, len(words) // 2)))
        set_line(canvas, pen, words[offset:] + words[:offset], start, at, manner, rng)


def ready(cut: Cut, rng: np.random.Generator | None) -> Gray:
    """Return a line as the network reads it, its body found about as well as at run time."""
    top, bottom = cut.top, cut.bottom
    if rng is not None:
        body = bottom - top
        top += float(rng.normal(0, 0.05)) * body
        bottom = top + body * float(np.exp(rng.normal(0, 0.09)))
    return prepared(cut.image, top, bottom)


def fitted(line: Gray, width: int) -> Gray:
    """Return a prepared line at a fixed width: squeezed into it, or filled with paper."""
    if line.shape[1] > width:
        line = np.asarray(cv2.resize(line, (width, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
    out = np.full((HEIGHT, width), 255, np.uint8)
    out[:, : line.shape[1]] = line
    return out


def label_of(text: str) -> str:
    """Return a rendered line's text as the network's classes spell it."""
    return folded(text)
