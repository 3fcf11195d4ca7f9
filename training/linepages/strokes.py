"""Invented cursive: chains of strokes that look like *khyug* and say nothing.

Each page has its own alphabet: letters are a few points that the pen passes between headline and foot, alternately
high and low, at times with a loop or a long slanting tail. A syllable is one chain of them, smoothed, written with a
broad pen; vowels are strokes above and below. There are many such hands, and no font of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from linepages.cursive import Points
from linepages.ink import Gray, Hand, Pen
from linepages.text import GTER_TSHEG, SHAD, Token

Course = NDArray[np.float64]
"""Points `(N, 2)` that the pen passes: x to the right, y down, in letter bodies, 0 = headline, 1 = foot."""


def invented_letter(rng: np.random.Generator, tails: float, longest: float, ragged: float) -> Course:
    """Return a letter: two to five turns of the pen, a loop in some, a tail in the share `tails`.

    Args:
        longest: how far a tail may go below the foot, in bodies.
        ragged: how far the turns stray above the headline and below the foot.
    """
    turns = int(rng.integers(2, 6))
    low = rng.random() < 0.5
    x, points = 0.0, []
    for _ in range(turns):
        stray = float(rng.normal(0, ragged))
        y = stray + float(rng.uniform(0.65, 1.1) if low else rng.uniform(-0.1, 0.35))
        points.append((x, y))
        if rng.random() < 0.2:
            points += [(x + 0.22, y - 0.1), (x + 0.05, y - 0.3 if low else y + 0.3)]
        x += float(rng.uniform(0.08, 0.42))
        low = not low if rng.random() < 0.8 else low
    if rng.random() < tails:
        long = float(rng.uniform(0.3, 1)) * longest
        points += [(x, 0.1), (x - long * float(rng.uniform(-0.15, 0.5)), 1 + long)]
    elif rng.random() < 0.2:
        points = [(-0.15, 0.02), (0.5, 0.0), *points]
    return np.array(points)


def smoothed(course: Course) -> Course:
    """Return the course with its corners cut off twice (Chaikin's scheme)."""
    for _ in range(2):
        if len(course) < 3:
            return course
        before, after = course[:-1], course[1:]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1).reshape(-1, 2)
        course = np.concatenate([course[:1], cut, course[-1:]])
    return course


@attrs.define
class Scribe:
    """A hand with an alphabet of its own; lengths in letter bodies.

    Attributes:
        letters: the alphabet.
        slant: how far the top leans right of the foot, per height.
        wide: letters' width, 1 as invented.
        unsteady: how far points stray each time a letter is written.
        size: how much syllables differ in size.
        lift: how far they stand off the baseline.
        parted: chance that the pen is lifted between two letters of a syllable.
        space: the space between syllables.
        joined: chance that the pen goes on into the next syllable.
        tsheg: chance of a dot between syllables.
        vowels: chance of a stroke above or below a syllable.
        nib: the pen's breadth and, across it, its thickness.
        angle: the direction of the pen's edge in degrees, 0 = level.
        lasts: syllables to a penful of ink; 0 = the ink does not run dry.
    """

    letters: list[Course]
    slant: float
    wide: float
    unsteady: float
    size: float
    lift: float
    parted: float
    space: float
    joined: float
    tsheg: float
    vowels: float
    nib: tuple[float, float]
    angle: float
    lasts: int
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
        """Write a chain of strokes for each token from `x0` until one would pass `x1`, as `ink.write_line` does."""
        x, drawn_to = x0, x0
        points: Points = []
        held: Course | None = None
        for token in tokens:
            if not token.text:
                x += token.gap * pen.body
                held = None
                if written is not None:
                    written.append(" ")
                continue
            stop = token.text in {SHAD, GTER_TSHEG}
            chain, extra, advance = self._shad(rng) if stop else self._syllable(token.text, rng)
            if x + advance * pen.body > x1:
                break
            level = baseline(x + advance * pen.body / 2)
            origin = np.array([x, level + pen.body_top + float(rng.normal(0, self.lift)) * pen.body])
            scale = pen.body * float(np.clip(1 + rng.normal(0, self.size), 0.6, 1.5))
            placed = [self._leaning(course) * scale + origin for course in [chain, *extra]]
            if held is not None and not stop and rng.random() < self.joined:
                placed[0] = np.concatenate([held[-1:], placed[0]])
            self._draw(canvas, pen, [smoothed(course) for course in placed], rng)
            held = None if stop else placed[0]
            drawn_to = x + advance * pen.body
            for at in (x, drawn_to):
                points.append((at, baseline(at) + pen.body_top, baseline(at) + pen.body_bottom))
            if written is not None:
                written.append(token.text)
            x = drawn_to + pen.body * self.space * float(rng.uniform(0.3, 1.7))
        return drawn_to, points

    def _leaning(self, course: Course) -> Course:
        """Return the course leaning over, around its foot."""
        return np.stack([course[:, 0] + self.slant * (1 - course[:, 1]), course[:, 1]], axis=1)

    def _syllable(self, text: str, rng: np.random.Generator) -> tuple[Course, list[Course], float]:
        """Return a syllable's chain, its strokes above and below, and its advance, in bodies."""
        count = min(max(round(len(text) / 1.6), 1), 4)
        x, parts = 0.0, []
        extra: list[Course] = []
        for _ in range(count):
            letter = self.letters[int(rng.integers(len(self.letters)))]
            strayed = letter * (self.wide, 1.0) + rng.normal(0, self.unsteady, letter.shape)
            if parts and rng.random() < self.parted:
                extra.append(np.concatenate(parts))
                parts = []
            parts.append(strayed + np.array([x, 0.0]))
            x += float(letter[:, 0].max()) * self.wide + 0.12
        if rng.random() < self.vowels:
            extra.append(_vowel(rng, x))
        if rng.random() < self.tsheg:
            x += 0.15
            extra.append(np.array([(x, 0.0), (x + 0.08, 0.12)]))
        return np.concatenate(parts), extra, x

    def _shad(self, rng: np.random.Generator) -> tuple[Course, list[Course], float]:
        """Return the stroke that ends a phrase: long, a little bent."""
        long = float(rng.uniform(1.0, 2.4))
        lean = float(rng.normal(0, 0.12))
        return np.array([(0.2, -0.15), (0.2 + lean / 2, long / 2), (0.15 + lean, long)]), [], 0.4

    def _draw(self, canvas: Gray, pen: Pen, courses: list[Course], rng: np.random.Generator) -> None:
        """Draw courses with the broad pen: side by side along its edge."""
        dark = 255
        if self.lasts:
            self._written = 0 if self._written > self.lasts * rng.uniform(0.6, 1.4) else self._written + 1
            dark = round(255 * (1 - 0.65 * (self._written / (1.4 * self.lasts + 1)) ** 1.5))
        broad, thin = self.nib[0] * pen.body, max(self.nib[1] * pen.body, 1.8)
        copies = min(max(int(np.ceil(broad / thin)), 1), 6)
        turn = np.deg2rad(self.angle)
        for offset in np.linspace(-0.5, 0.5, copies) * broad if copies > 1 else [0.0]:
            shift = offset * np.array([np.cos(turn), -np.sin(turn)])
            lines = [np.round((course + shift) * 16).astype(np.int32) for course in courses]
            cv2.polylines(canvas, lines, False, dark, max(round(thin), 1), cv2.LINE_AA, 4)


def _vowel(rng: np.random.Generator, width: float) -> Course:
    """Return a stroke above a syllable (a hook, a slash, a wave) or below it (a hook)."""
    at, reach = float(rng.uniform(0, 1)) * width, float(rng.uniform(0.5, 1.8))
    match int(rng.integers(4)):
        case 0:
            points = [
                (at + 0.5 * reach, -0.35),
                (at, -0.4 - 0.3 * reach),
                (at - 0.4 * reach, -0.5),
                (at - 0.3, -0.25),
            ]
        case 1:
            points = [(at - 0.2, -0.25), (at + reach, -0.25 - 0.7 * reach)]
        case 2:
            points = [(at - 0.5, -0.5), (at - 0.1, -0.25), (at + 0.2, -0.55), (at + 0.2 + 0.6 * reach, -0.7)]
        case _:
            points = [(at, 1.0), (at + 0.3, 1.2 + 0.2 * reach), (at - 0.4 * reach, 1.3 + 0.3 * reach)]
    return np.array(points)


def draw_scribe(rng: np.random.Generator) -> Scribe:
    """Draw an alphabet and a hand."""
    tails = float(rng.uniform(0.05, 0.35))
    # The faster the hand, the less its letters keep between headline and foot.
    ragged = float(rng.choice([0.0, rng.uniform(0, 0.35)]))
    longest = float(rng.uniform(1.5, 2.8) if rng.random() < 0.65 else rng.uniform(2.8, 6))
    size = int(rng.integers(12, 30))
    return Scribe(
        letters=[invented_letter(rng, tails, longest, ragged) for _ in range(size)],
        slant=float(rng.normal(0.2, 0.3)),
        wide=float(rng.uniform(0.6, 2.2)),
        unsteady=float(rng.uniform(0.02, 0.12)),
        size=float(rng.uniform(0.03, 0.25)),
        lift=float(rng.uniform(0.02, 0.25)),
        parted=float(rng.choice([0.0, rng.uniform(0, 0.7)])),
        space=float(
            rng.uniform(*[(0, 0.15), (0.15, 0.7), (0.7, 1.6)][int(rng.choice(3, p=[0.2, 0.6, 0.2]))])
        ),
        joined=float(rng.uniform(0, 1)),
        tsheg=float(rng.choice([0.0, rng.uniform(0, 1)])),
        vowels=float(rng.uniform(0.1, 0.6)),
        nib=(float(rng.uniform(0.03, 0.28)), float(rng.uniform(0.03, 0.12))),
        angle=float(rng.uniform(15, 75)),
        lasts=int(rng.integers(6, 40)) if rng.random() < 0.4 else 0,
    )
