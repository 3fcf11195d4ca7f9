"""Styles of writing, and filling a sheet with lines in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import attrs
import numpy as np

from linepages import cursive, labels, marks, strokes
from linepages.cursive import Points
from linepages.fonts import load_faces
from linepages.ink import Band, Gray, Hand, Pen, Sheet, band_of, write_line
from linepages.text import TextStream, Token, vocabulary


class Writer(Protocol):
    """Puts a line's letters on a canvas; `ink.write_line` says what the arguments are and what comes back."""

    def __call__(
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
        """Return where the pen stopped and the body's points."""


@attrs.frozen
class Style:
    """What a page's writing looks like."""

    pen: Pen
    hand: Hand
    stream: TextStream
    pitch: float
    waver: float
    handwritten: bool
    small: Pen | None = None
    """For runs in smaller letters inside the lines (glosses, instructions), where the page has them."""
    pale: Pen | None = None
    """For whole lines in red or in thin ink, where the page has them."""
    writer: Writer = write_line
    uneven: float = 1.0
    """How much lines slope and stray from even distances, 1 = as a scribe's on ruled paper."""


def _hand(rng: np.random.Generator, strength: float, umeh: bool) -> Hand:
    """Draw a hand of some unsteadiness (0 = a printer's, 1 = a hurried scribe's)."""
    return Hand(
        slant=float(rng.normal(0, 0.1)) * strength,
        size=0.08 * strength,
        lift=0.07 * strength,
        spacing=0.12 * strength,
        flourish=float(rng.uniform(0, 0.15)) if umeh and rng.random() < 0.4 else 0.0,
        squeeze=float(rng.uniform(0.8, 1.25)) if rng.random() < 0.6 else 1.0,
    )


def _shade(rng: np.random.Generator) -> int:
    """Draw an ink: black, or one of the lighter reds."""
    return 255 if rng.random() < 0.5 else int(rng.integers(120, 220))


def make_style(rng: np.random.Generator, pitch: float, umeh: bool, print_only: bool = False) -> Style:
    """Choose face, size and hand for lines that are `pitch` sheet pixels apart."""
    faces = load_faces()["umeh" if umeh else "uchen"]
    face = faces[int(rng.integers(len(faces)))]
    up = float(rng.uniform(0.4, 1.3) if rng.random() < 0.85 else rng.uniform(1.3, 2.4))
    reach = (up, float(rng.uniform(0.8, 2.0)), 0.5) if umeh else None
    # Umeh bodies are small between long legs; tight uchen leaves reach half the pitch.
    share = float(rng.uniform(0.2, 0.42) if umeh else rng.uniform(0.27, 0.56))
    shade = _shade(rng) if rng.random() < 0.1 else 255
    pen = Pen(face, max(pitch * share, 4.0), reach if rng.random() < 0.93 else None, shade)
    handwritten = not print_only and rng.random() < (0.85 if umeh else 0.55)
    strength = float(rng.uniform(0.15, 1.0)) if handwritten else 0.0
    words = vocabulary(rng, 70, stacks=float(rng.uniform(0.02, 0.3)))
    flowing = umeh and handwritten and rng.random() < 0.4
    return Style(
        pen=pen,
        writer=cursive.draw_flow(rng, 0.6 * strength).write if flowing else write_line,
        hand=_hand(rng, strength, umeh) if handwritten else Hand(),
        stream=TextStream(rng, words, gap=float(rng.uniform(0.5, 3.5))),
        pitch=pitch,
        waver=0.12 * pen.body * strength,
        handwritten=handwritten,
        pale=Pen(face, pen.body, reach, int(rng.integers(90, 200))) if rng.random() < 0.06 else None,
        small=Pen(face, max(pen.body * float(rng.uniform(0.5, 0.8)), 4.0), reach)
        if rng.random() < 0.12
        else None,
    )


def hurried_style(rng: np.random.Generator, pitch: float) -> Style:
    """Choose a fast hand for lines that are `pitch` sheet pixels apart: umeh in haste, or invented *khyug*."""
    faces = load_faces()["umeh"]
    face = faces[int(rng.integers(len(faces)))]
    invented = rng.random() < 0.55
    # Letters to officials: small writing far apart, its tails down to the next line.
    share = float(rng.uniform(0.07, 0.15) if rng.random() < 0.25 else rng.uniform(0.13, 0.36))
    body = max(pitch * share, 5.0)
    reach = (float(rng.uniform(0.6, 1.8)), float(rng.uniform(1.0, 2.6)), 0.7)
    pen = Pen(face, body, reach, _shade(rng) if rng.random() < 0.15 else 255)
    hand = strokes.draw_scribe(rng) if invented else cursive.draw_flow(rng, float(rng.uniform(0.5, 1.1)))
    return Style(
        pen=pen,
        hand=Hand(),
        stream=TextStream(rng, vocabulary(rng, 70), gap=float(rng.uniform(0.3, 3.0))),
        pitch=pitch,
        waver=float(rng.uniform(0.05, 0.3)) * body,
        handwritten=True,
        writer=hand.write,
        uneven=float(rng.uniform(0.7, 2.2)),
    )


def _baseline(rng: np.random.Generator, level: float, style: Style, width: float) -> Callable[[float], float]:
    """Return a line's baseline: straight in print, wavering and a little sloped in handwriting."""
    if not style.handwritten:
        return lambda _: level
    waves = rng.uniform(0.5, 4, 2) * 2 * np.pi / max(width, 1.0)
    phases = rng.uniform(0, 2 * np.pi, 2)
    slope = float(rng.normal(0, 0.25)) * style.uneven * style.pen.body / max(width, 1.0)
    return lambda x: level + slope * x + style.waver * float(np.sin(waves * x + phases).sum())


def fill_line(
    sheet: Sheet,
    style: Style,
    x0: float,
    x1: float,
    level: float,
    rng: np.random.Generator,
    opening: bool = False,
    share: float = 1.0,
    holes: list[tuple[float, float, float]] | None = None,
) -> Band | None:
    """Write one line of text from `x0` towards `x1` with its baseline at `level`, and note its band.

    Args:
        opening: begin with a head mark.
        share: how much of the width to fill.
        holes: `(x, y, radius)` rounds that the line steps over.
    """
    baseline = _baseline(rng, level, style, x1 - x0)
    end = x0 + share * (x1 - x0)
    body = style.pen.body
    tokens: list[Token] = style.stream.head() if opening else []
    stops = sorted(
        (cx - r, cx + r) for cx, cy, r in holes or [] if abs(cy - level + 0.4 * body) < r + 0.4 * body
    )
    points: list[tuple[float, float, float]] = []
    written: list[str] = []
    x = x0
    for left, right in [*[s for s in stops if s[0] > x0 + body], (end, end)]:
        budget = int((left - x) / (body * 0.7)) + 4
        run = tokens + [token for _ in range(budget) for token in style.stream.next()]
        points += _write_run(sheet, style, run, x, min(left, end), baseline, rng, written)
        tokens, x = [], right
        if x >= end:
            break
    if not points:
        return None
    band = band_of(points, body, style.pitch, "".join(written).strip())
    sheet.bands.append(band)
    return band


def _write_run(
    sheet: Sheet,
    style: Style,
    run: list[Token],
    x0: float,
    x1: float,
    baseline: Callable[[float], float],
    rng: np.random.Generator,
    written: list[str],
) -> list[tuple[float, float, float]]:
    """Write a run between `x0` and `x1`, changing to smaller letters and back where the page does so."""
    if style.small is None:
        return style.writer(sheet.lines, style.pen, run, x0, x1, baseline, rng, style.hand, written)[1]
    points: list[tuple[float, float, float]] = []
    small = bool(rng.random() < 0.4)
    hang = float(rng.choice([0.0, 0.5, 1.0]))
    x, at = x0, 0
    while at < len(run) and x < x1 - style.pen.body:
        count = int(rng.integers(4, 40))
        pen = style.small if small else style.pen
        # Small letters hang from the same headline, stand on the same foot, or keep to the middle.
        top = style.pen.body_top + hang * (style.pen.body - pen.body) - pen.body_top
        stop, found = style.writer(
            sheet.lines,
            pen,
            run[at : at + count],
            x,
            x1,
            partial(_lowered, baseline, top),
            rng,
            style.hand,
            written,
        )
        points += found
        at, small = at + count, not small
        x = stop + 0.2 * style.pen.body if found else x1
    return points


def _lowered(baseline: Callable[[float], float], by: float, x: float) -> float:
    """Return a baseline's level at `x`, lowered by `by` pixels."""
    return baseline(x) + by


def text_block(
    sheet: Sheet,
    style: Style,
    box: marks.Box,
    count: int,
    rng: np.random.Generator,
    opening: bool = False,
    holes: list[tuple[float, float, float]] | None = None,
) -> None:
    """Fill `box` with `count` lines, one pitch apart, from its upper edge."""
    x0, y0, x1, _ = box
    ascent = (style.pitch - style.pen.body) * float(rng.uniform(0.35, 0.6))
    ragged = float(rng.uniform(0, 1.5)) * style.pen.body if style.handwritten else 0.0
    noted = rng.random() < 0.12
    extra = rng.spawn(1)[0]
    ruled = float(extra.uniform(-0.3, 1.6)) if extra.random() < (0.2 if style.handwritten else 0.05) else None
    washed = extra.random() < (0.05 if style.handwritten else 0.01)
    over = float(extra.choice([0.0, extra.uniform(0, 6)])) * style.pen.body
    # Vowels that stand high above the first line are no line of their own.
    sheet.decoys.append((x0, y0 + ascent - 0.8 * style.pitch, x1, y0 + ascent))
    for row in range(count):
        jitter = float(rng.normal(0, 0.05)) * style.uneven * style.pitch if style.handwritten else 0.0
        level = y0 + row * style.pitch + ascent - style.pen.body_top + jitter
        short = row == count - 1 and rng.random() < 0.4
        share = last_share(rng, (x1 - x0) / style.pen.body) if short else 1.0
        start = x0 + abs(float(rng.normal(0, 1))) * ragged
        first = opening and row == 0
        look = style if style.pale is None or extra.random() < 0.6 else attrs.evolve(style, pen=style.pale)
        band = fill_line(sheet, look, start, x1, level, rng, first, share, holes)
        if washed and band is not None:
            _wash_words(sheet, band, extra)
        if ruled is not None:
            head = level + style.pen.body_top
            sheet.decoys.append((x0 - over, head, x1 + over, level + style.pen.body_bottom))
            marks.guide_rule(sheet, (x0 - over, x1 + over), head + ruled * style.pen.body, extra)
        if band is not None and noted:
            _interlinear(sheet, style, band, rng)


def last_share(rng: np.random.Generator, bodies: float) -> float:
    """Return how much of its width, which is that of so many letter bodies, a paragraph's last line fills."""
    return float(rng.uniform(2, 5)) / bodies if rng.random() < 0.35 else float(rng.uniform(0.08, 1))


def _wash_words(sheet: Sheet, band: Band, rng: np.random.Generator) -> None:
    """Mark up to three stretches of a line with colour."""
    for _ in range(int(rng.integers(0, 4))):
        x, top, bottom = band.points[int(rng.integers(len(band.points)))]
        marks.wash(sheet, (x, top, x + float(rng.uniform(1, 8)) * (bottom - top), bottom), rng)


def _interlinear(sheet: Sheet, style: Style, band: Band, rng: np.random.Generator) -> None:
    """Write small notes under (or over) a line: no lines of their own."""
    pen = Pen(style.pen.face, max(style.pen.body * float(rng.uniform(0.35, 0.55)), 3.0))
    for _ in range(int(rng.integers(0, 4))):
        x, top, bottom = band.points[int(rng.integers(len(band.points)))]
        if rng.random() < 0.7:
            y = bottom + 0.5 * (style.pitch - (bottom - top)) + pen.body / 2
        else:
            y = top - 0.35 * style.pen.body
        width = float(rng.uniform(2, 10)) * style.pen.body
        before = sheet.marks
        labels.small_note(sheet, pen, x, y, width, rng)
        if rng.random() < 0.3:
            before[round(y) : round(y) + 2, round(x) : round(x + width)] = 255
