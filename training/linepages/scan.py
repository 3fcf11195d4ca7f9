"""From a sheet to a scan: inking, exposure, blur, noise, small copies, compression, one bit per pixel."""

from __future__ import annotations

import attrs
import cv2
import numpy as np

from linepages.bend import Real, bend_maps, draw_bend
from linepages.ink import PAPER, Gray, Sheet
from linepages.paper import bed, blots, edge_shadow, fading, fine_noise, paper

SMALL_COPIES = 0.16
"""Share of scans of which only a small copy was kept; half of these were enlarged again since."""


@attrs.frozen(eq=False)
class Scan:
    """A scanned page: grey (or bilevel) plane; the labels, the lines' regions and their clean ink bent the same way.

    All planes are upright; as stored, the page lies turned by `turns` quarter turns to the left.
    """

    plane: Gray
    bilevel: bool
    labels: Gray
    regions: Gray
    ink: Gray
    turns: int = 0

    def part(self, left: int, wide: int) -> Scan:
        """Return the piece of the page `wide` pixels from `left` on."""
        planes = (self.plane, self.labels, self.regions, self.ink)
        plane, labels, regions, ink = (part[:, left : left + wide] for part in planes)
        return Scan(plane, self.bilevel, labels, regions, ink, self.turns)


def scan(
    sheet: Sheet, rng: np.random.Generator, unit: float, pitch: float, bilevel: bool, skew: float = 0.0
) -> Scan:
    """Scan a sheet.

    Args:
        unit: sheet pixels per detection pixel.
        pitch: the lines' pitch in sheet pixels, which scales the bending.
        skew: degrees by which the page was laid askew, beside what bending turns it.
    """
    height, width = sheet.lines.shape
    if sheet.born_digital:
        return printed(sheet, rng, unit, bilevel)
    bend = draw_bend(rng, height, width, pitch)
    maps = bend_maps(attrs.evolve(bend, angle=bend.angle + skew), height, width, rng)
    dark = weight_of_strokes(np.maximum(sheet.lines, sheet.marks), rng, unit)
    bent = np.asarray(cv2.remap(dark, *maps, cv2.INTER_LINEAR), np.uint8)
    ink = np.asarray(cv2.remap(sheet.lines, *maps, cv2.INTER_LINEAR), np.uint8)
    labels, regions = (
        np.asarray(cv2.remap(numbers, *maps, cv2.INTER_NEAREST, borderValue=PAPER), np.uint8)
        for numbers in (sheet.labels(), sheet.regions())
    )
    plane = expose(bent, rng, unit, bilevel)
    # Half- and quarter-size copies are all that is left of some scans; under nine pixels a line nobody can read them.
    coarse = min(unit * float(rng.uniform(1.3, 4)), pitch / 9) if rng.random() < SMALL_COPIES else 1.0
    if coarse > 1.2:
        small = (max(int(width / coarse), 1), max(int(height / coarse), 1))
        plane = np.asarray(cv2.resize(plane, small, interpolation=cv2.INTER_AREA), np.float32)
    if bilevel:
        seen = to_bilevel(plane, rng)
    else:
        seen = np.clip(plane, 0, 255).astype(np.uint8)
        seen = jpeg(seen, rng) if rng.random() < 0.7 else seen
    if coarse > 1.2 and rng.random() < 0.5:
        # The copy is all there is; the detector enlarges it itself.
        labels, regions = (
            np.asarray(cv2.resize(part, small, interpolation=cv2.INTER_NEAREST), np.uint8)
            for part in (labels, regions)
        )
        ink = np.asarray(cv2.resize(ink, small, interpolation=cv2.INTER_AREA), np.uint8)
    elif coarse > 1.2:
        how = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_LINEAR
        seen = np.asarray(cv2.resize(seen, (width, height), interpolation=how), np.uint8)
        seen = np.where(seen > 127, 255, 0).astype(np.uint8) if bilevel else seen
    return Scan(seen, bilevel, labels, regions, ink)


def printed(sheet: Sheet, rng: np.random.Generator, unit: float, bilevel: bool) -> Scan:
    """Return a page that no scanner saw: straight, on white, its edges sharp or a little soft."""
    dark = np.maximum(sheet.lines, sheet.marks)
    if rng.random() < 0.5:
        dark = np.asarray(cv2.GaussianBlur(dark, (0, 0), float(rng.uniform(0.3, 0.8)) * unit), np.uint8)
    plane = 255 - dark
    if bilevel:
        plane = np.where(plane > rng.uniform(90, 190), 255, 0).astype(np.uint8)
    return Scan(plane, bilevel, sheet.labels(), sheet.regions(), sheet.lines)


def weight_of_strokes(ink: Gray, rng: np.random.Generator, unit: float) -> Gray:
    """Make all strokes heavier, thinner, ragged or doubled, as inking and woodblocks do."""
    draw = rng.random()
    if draw < 0.2:
        size = 2 if unit < 1.6 else int(rng.integers(2, 4))
        return np.asarray(cv2.dilate(ink, np.ones((size, size), np.uint8)), np.uint8)
    if draw < 0.3:
        return np.asarray(cv2.erode(ink, np.ones((2, 2), np.uint8)), np.uint8)
    if draw < 0.6:
        height, width = ink.shape
        soft = cv2.GaussianBlur(ink, (0, 0), float(rng.uniform(0.7, 1.4)) * unit).astype(np.float32)
        soft += fine_noise(
            rng, height, width, float(rng.uniform(10, 40)), float(rng.uniform(0.6, 1.6)) * unit
        )
        level = float(rng.uniform(70, 135))
        return np.asarray(np.clip((soft - level) * 4 + 128, 0, 255), np.uint8)
    return ink


def expose(dark: Gray, rng: np.random.Generator, unit: float, bilevel: bool) -> Real:
    """Return the brightness of ink `dark` on old paper: fading, bleed-through, stains, shadows, blur, noise."""
    height, width = dark.shape
    page = paper(rng, height, width)
    cover = dark.astype(np.float32) / 255
    if rng.random() < 0.15:
        back = np.asarray(
            cv2.GaussianBlur(cover[:, ::-1], (0, 0), float(rng.uniform(1, 3)) * unit), np.float32
        )
        lift = int(rng.normal(0, 0.04) * height)
        cover = np.maximum(cover, float(rng.uniform(0.05, 0.3)) * np.roll(back, lift, axis=0))
    cover *= fading(rng, height, width, bilevel)
    if rng.random() < 0.06:
        # A line or two that was written with little ink, or rubbed off: often the first.
        first = int(rng.choice([0.0, rng.uniform(0, 0.8)]) * height)
        cover[first : first + int(rng.uniform(0.1, 0.4) * height)] *= float(rng.uniform(0.25, 0.6))
    if rng.random() < (0.01 if bilevel else 0.04):
        # Gold or silver on blackened paper.
        page *= float(rng.uniform(0.1, 0.3))
        page += (float(rng.uniform(120, 230)) - page) * cover
    else:
        page *= 1 - float(rng.uniform(0.75, 0.97)) * cover
    if rng.random() < (0.12 if bilevel else 0.3):
        page *= 1 - blots(rng, height, width)
    if rng.random() < (0.35 if bilevel else 0.5):
        page *= 1 - (0.6 if bilevel else 1.0) * edge_shadow(rng, height, width)
    if rng.random() < (0.2 if bilevel else 0.35):
        bed(page, rng, unit)
    if rng.random() < 0.2:
        page *= float(rng.uniform(0.35, 1.2))
    if rng.random() < 0.6:
        page = np.asarray(cv2.GaussianBlur(page, (0, 0), float(rng.uniform(0.3, 1.1)) * unit), np.float32)
    if not bilevel or rng.random() < 0.5:
        sigma = float(
            rng.choice([rng.uniform(0.5, 2.5), rng.uniform(2.5, 5), rng.uniform(5, 10)], p=[0.6, 0.33, 0.07])
        )
        page += fine_noise(rng, height, width, sigma * unit, float(rng.uniform(0, 1.2)) * unit)
    return page


def to_bilevel(plane: Real, rng: np.random.Generator) -> Gray:
    """Threshold a scan as a bilevel scanner does, with its speckle; a dark corner becomes a smear."""
    height, width = plane.shape
    if rng.random() < 0.25:
        return otsu(plane)
    level = float(np.percentile(plane[::5, ::5], 90)) * float(rng.uniform(0.55, 0.88))
    # Some scanners dither: what is grey comes out as a spray of dots.
    grain = float(rng.uniform(1, 14) if rng.random() < 0.9 else rng.uniform(14, 40))
    plane = plane + fine_noise(rng, height, width, grain, float(rng.choice([0.0, 0.6, 1.2])))
    out = np.where(plane > level, 255, 0).astype(np.uint8)
    if rng.random() < 0.5:
        count = int(10 ** rng.uniform(0.5, 3.6))
        ys, xs = rng.integers(0, height, count), rng.integers(0, width, count)
        size = int(rng.integers(1, 5))
        for dy in range(size):
            out[np.minimum(ys + dy, height - 1), xs] = 0
            out[np.minimum(ys + dy, height - 1), np.minimum(xs + dy // 2, width - 1)] = 0
    if rng.random() < 0.3:
        for _ in range(int(rng.integers(1, 4))):
            edge = int(rng.uniform(0, 0.02) * width)
            if rng.random() < 0.5:
                out[:, edge : edge + int(rng.integers(1, 12))] = 0
            else:
                out[
                    edge % height : edge % height + int(rng.integers(1, 6)),
                    : int(rng.uniform(0.1, 1) * width),
                ] = 0
    return out


def otsu(plane: Real) -> Gray:
    """Threshold a scan as batch converters do, at Otsu's level: dark covers become black areas, bare paper blotches."""
    grey = np.clip(plane, 0, 255).astype(np.uint8)
    return np.asarray(cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1], np.uint8)


def jpeg(plane: Gray, rng: np.random.Generator) -> Gray:
    """Compress and expand the scan as a JPEG of some quality."""
    quality = int(rng.integers(25, 95))
    _, data = cv2.imencode(".jpg", plane, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
