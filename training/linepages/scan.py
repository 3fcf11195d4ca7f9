"""From a sheet to a scan: bending, paper, fading, stains, noise, compression, one bit per pixel."""

from __future__ import annotations

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from linepages.ink import PAPER, Gray, Sheet

Real = NDArray[np.float32]


@attrs.frozen(eq=False)
class Scan:
    """A scanned page: grey (or bilevel) plane, the labels and the lines' clean ink bent the same way."""

    plane: Gray
    bilevel: bool
    labels: Gray
    ink: Gray


@attrs.frozen
class Bend:
    """How a page lies on the scanner: degrees, and amplitudes in pixels."""

    angle: float = 0.0
    bow: float = 0.0
    waves: tuple[tuple[float, float, float], ...] = ()
    elastic: float = 0.0
    grain: float = 60.0


def draw_bend(rng: np.random.Generator, height: int, width: int, pitch: float) -> Bend:
    """Choose a bend: usually slight, sometimes up to 3° or clearly curved."""
    angle = float(rng.normal(0, 0.4)) if rng.random() < 0.8 else float(rng.uniform(-3, 3))
    if width > 2.5 * height:
        # A long leaf turned by 3° would leave its sheet; its scans are cropped to the leaf.
        angle = float(np.clip(angle, -1.2, 1.2)) if rng.random() < 0.7 else angle
    curved = rng.random() < 0.3
    waves = tuple(
        (float(rng.normal(0, 0.12)) * pitch, float(rng.uniform(0.5, 3)), float(rng.uniform(0, 6.3)))
        for _ in range(2 if curved else 0)
    )
    return Bend(
        angle=angle,
        bow=float(rng.normal(0, 0.35)) * pitch if curved else 0.0,
        waves=waves,
        elastic=float(rng.uniform(0, 0.035)) * pitch if rng.random() < 0.4 else 0.0,
        grain=float(rng.uniform(0.5, 2.0)) * pitch,
    )


def bend_maps(bend: Bend, height: int, width: int, rng: np.random.Generator) -> tuple[Real, Real]:
    """Return `cv2.remap`'s maps: for every pixel of the scan the place on the sheet, `(H, W)` each."""
    step = 16
    rows, columns = height // step + 2, width // step + 2
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) * step
    u, v = x - width / 2, y - height / 2
    turn = np.deg2rad(bend.angle)
    sheet_x = np.cos(turn) * u - np.sin(turn) * v + width / 2
    sheet_y = np.sin(turn) * u + np.cos(turn) * v + height / 2
    along = 2 * u / max(width, 1)
    sheet_y += bend.bow * (along**2 - 0.4)
    for amplitude, cycles, phase in bend.waves:
        sheet_y += amplitude * np.sin(cycles * np.pi * along + phase)
    if bend.elastic:
        cells = (max(int(height / bend.grain), 2), max(int(width / bend.grain), 2))
        for target in (sheet_x, sheet_y):
            field = rng.normal(0, bend.elastic, cells).astype(np.float32)
            target += cv2.resize(field, (columns, rows), interpolation=cv2.INTER_CUBIC)
    big = (columns * step, rows * step)
    # Resizing puts cell centres half a step in; shift so that grid points stay where they are.
    shift = np.array([[step, 0, 0], [0, step, 0]], np.float32)
    maps = [
        cv2.warpAffine(
            m.astype(np.float32), shift, big, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        for m in (sheet_x, sheet_y)
    ]
    return maps[0][:height, :width].copy(), maps[1][:height, :width].copy()


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, cell: float, low: float, high: float
) -> Real:
    """Return a smooth random field between `low` and `high`, with features `cell` pixels wide."""
    cells = (max(int(height / cell), 2), max(int(width / cell), 2))
    field = rng.uniform(low, high, cells).astype(np.float32)
    return np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def fine_noise(rng: np.random.Generator, height: int, width: int, sigma: float, blur: float) -> Real:
    """Return Gaussian noise of standard deviation `sigma`, with grains `blur` pixels wide."""
    noise = np.empty((height, width), np.float32)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    cv2.randn(noise, 0, 1)
    if blur > 0.3:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), blur), np.float32)
        sigma /= max(float(noise[::7, ::7].std()), 1e-3)
    noise *= sigma
    return noise


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
        return np.clip((soft - level) * 4 + 128, 0, 255).astype(np.uint8)
    return ink


def _fading(rng: np.random.Generator, height: int, width: int, bilevel: bool) -> Real:
    """Return how much of the ink is left, place by place; who scans in one bit sees to it that most is."""
    if bilevel and rng.random() < 0.75:
        return np.full((height, width), float(rng.uniform(0.8, 1.0)), np.float32)
    strength = float(rng.choice([1.0, rng.uniform(0.5, 1.0), rng.uniform(0.25, 0.6)], p=[0.45, 0.4, 0.15]))
    if rng.random() < 0.6:
        return np.full((height, width), strength, np.float32)
    floor = float(rng.uniform(0.15, 0.9))
    return strength * smooth_noise(rng, height, width, float(rng.uniform(0.15, 0.8)) * height, floor, 1.0)


def _blots(rng: np.random.Generator, height: int, width: int) -> Real:
    """Return a darkening field in [0, 1] of stains: round, ragged, soft or with an edge."""
    field = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        mask = np.zeros((height // 4 + 1, width // 4 + 1), np.float32)
        centre = (int(rng.uniform(0, width / 4)), int(rng.uniform(0, height / 4)))
        axes = (int(rng.uniform(0.02, 0.25) * height) + 1, int(rng.uniform(0.02, 0.15) * height) + 1)
        cv2.ellipse(mask, centre, axes, int(rng.integers(180)), 0, 360, 1.0, -1)
        mask = np.asarray(
            cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(1, 0.05 * height + 2))), np.float32
        )
        big = np.asarray(cv2.resize(mask, (width, height)), np.float32)
        np.maximum(field, big * float(rng.uniform(0.1, 0.8)), out=field)
    return field


def _edge_shadow(rng: np.random.Generator, height: int, width: int) -> Real:
    """Return a darkening field in [0, 1]: grime along the edges and gradients across the page."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    reach = float(rng.uniform(0.01, 0.15))
    sides = [
        np.exp(-y / reach),
        np.exp(-(1 - y) / reach),
        np.exp(-x / reach * 4),
        np.exp(-(1 - x) / reach * 4),
    ]
    field = np.zeros((height, width), np.float32)
    for side in sides:
        if rng.random() < 0.5:
            field = np.maximum(field, side * float(rng.uniform(0.1, 0.9)))
    return field * smooth_noise(rng, height, width, 0.2 * height, 0.2, 1.0)


def _bed(plane: Real, rng: np.random.Generator, unit: float) -> None:
    """Lay the leaf on the scanner's bed: outside a slightly bent outline it is dark, grey or white (in place)."""
    height, width = plane.shape
    inset = rng.uniform(0, 0.06, 4) * np.array([height, width, height, width]) * np.array([1, 0.3, 1, 0.3])
    steps = 24
    along = np.linspace(0, 1, steps)
    wobble = np.cumsum(rng.normal(0, 0.6 * unit, (4, steps)), axis=1)
    top = np.stack([along * width, inset[0] + wobble[0]], axis=1)
    right = np.stack([width - inset[1] + wobble[1], along * height], axis=1)
    bottom = np.stack([(1 - along) * width, height - inset[2] + wobble[2]], axis=1)
    left = np.stack([inset[3] + wobble[3], (1 - along) * height], axis=1)
    outline = np.round(np.concatenate([top, right, bottom, left])).astype(np.int32)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [outline], 255)
    bed = float(rng.choice([10.0, 40.0, 90.0, 240.0]))
    soft = cv2.GaussianBlur(inside, (0, 0), float(rng.uniform(0.6, 3)) * unit).astype(np.float32) / 255
    plane *= soft
    plane += bed * (1 - soft)


def paper(rng: np.random.Generator, height: int, width: int) -> Real:
    """Return bare paper: brightness 70–250, uneven, with fibres."""
    base = float(
        rng.choice([rng.uniform(225, 252), rng.uniform(150, 225), rng.uniform(75, 150)], p=[0.4, 0.4, 0.2])
    )
    plane = smooth_noise(rng, height, width, float(rng.uniform(0.1, 1.0)) * height, 0.93 * base, 1.04 * base)
    if rng.random() < 0.4:
        fibres = fine_noise(rng, height, width // 6 + 1, float(rng.uniform(1, 6)), 0.0)
        plane += cv2.resize(fibres, (width, height), interpolation=cv2.INTER_LINEAR)
    return plane


def wood(rng: np.random.Generator, height: int, width: int) -> Gray:
    """Return a wooden or cloth cover: grain along the width, knots, gradients."""
    base = float(rng.uniform(60, 200))
    plane = np.full((height, width), base, np.float32)
    for _ in range(3):
        stretch = int(rng.integers(4, 60))
        thick = float(rng.choice([0.6, 1.0, 2.0, 5.0]))
        grain = fine_noise(
            rng, max(int(height / thick), 2), width // stretch + 2, float(rng.uniform(3, 22)), 0.0
        )
        plane += cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    plane += fine_noise(rng, height, width, float(rng.uniform(2, 10)), float(rng.uniform(0, 1)))
    plane *= 1 - 0.6 * _edge_shadow(rng, height, width)
    if rng.random() < 0.5:
        bend = bend_maps(Bend(elastic=0.04 * height, grain=0.5 * height), height, width, rng)
        plane = np.asarray(
            cv2.remap(plane, *bend, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32
        )
    if rng.random() < 0.3:
        plane = (
            np.rot90(plane[: min(height, width), : min(height, width)]) if height == width else plane[::-1]
        )
    if rng.random() < 0.5:
        y0, y1 = sorted(rng.uniform(0, height, 2).astype(int))
        x0, x1 = int(rng.uniform(0, 0.1) * width), int(rng.uniform(0.9, 1) * width)
        plane[y0:y1, x0:x1] = paper(rng, max(y1 - y0, 1), max(x1 - x0, 1))[: y1 - y0, : x1 - x0]
    if rng.random() < 0.6:
        _bed(plane, rng, 1.5)
    return np.clip(plane, 0, 255).astype(np.uint8)


def to_bilevel(plane: Real, rng: np.random.Generator) -> Gray:
    """Threshold a scan as a bilevel scanner does, with its speckle; a dark corner becomes a smear."""
    height, width = plane.shape
    level = float(np.percentile(plane[::5, ::5], 90)) * float(rng.uniform(0.55, 0.88))
    plane = plane + fine_noise(
        rng, height, width, float(rng.uniform(1, 14)), float(rng.choice([0.0, 0.6, 1.2]))
    )
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


def jpeg(plane: Gray, rng: np.random.Generator) -> Gray:
    """Compress and expand the scan as a JPEG of some quality."""
    quality = int(rng.integers(25, 95))
    _, data = cv2.imencode(".jpg", plane, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def scan(sheet: Sheet, rng: np.random.Generator, unit: float, pitch: float, bilevel: bool) -> Scan:
    """Scan a sheet.

    Args:
        unit: sheet pixels per detection pixel.
        pitch: the lines' pitch in sheet pixels, which scales the bending.
    """
    height, width = sheet.lines.shape
    maps = bend_maps(draw_bend(rng, height, width, pitch), height, width, rng)
    dark = weight_of_strokes(np.maximum(sheet.lines, sheet.marks), rng, unit)
    bent = np.asarray(cv2.remap(dark, *maps, cv2.INTER_LINEAR), np.uint8)
    ink = np.asarray(cv2.remap(sheet.lines, *maps, cv2.INTER_LINEAR), np.uint8)
    labels = np.asarray(cv2.remap(sheet.labels(), *maps, cv2.INTER_NEAREST, borderValue=PAPER), np.uint8)
    plane = expose(bent, rng, unit, bilevel)
    if bilevel:
        return Scan(to_bilevel(plane, rng), True, labels, ink)
    grey = np.clip(plane, 0, 255).astype(np.uint8)
    return Scan(jpeg(grey, rng) if rng.random() < 0.7 else grey, False, labels, ink)


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
    cover *= _fading(rng, height, width, bilevel)
    if not bilevel and rng.random() < 0.02:
        # Gold or silver on blackened paper.
        page *= float(rng.uniform(0.1, 0.3))
        page += (float(rng.uniform(120, 230)) - page) * cover
    else:
        page *= 1 - float(rng.uniform(0.75, 0.97)) * cover
    if rng.random() < (0.12 if bilevel else 0.3):
        page *= 1 - _blots(rng, height, width)
    if rng.random() < (0.35 if bilevel else 0.5):
        page *= 1 - (0.6 if bilevel else 1.0) * _edge_shadow(rng, height, width)
    if rng.random() < (0.2 if bilevel else 0.35):
        _bed(page, rng, unit)
    if rng.random() < 0.6:
        page = np.asarray(cv2.GaussianBlur(page, (0, 0), float(rng.uniform(0.3, 1.1)) * unit), np.float32)
    if not bilevel or rng.random() < 0.5:
        sigma = float(
            rng.choice([rng.uniform(0.5, 2.5), rng.uniform(2.5, 5), rng.uniform(5, 10)], p=[0.6, 0.33, 0.07])
        )
        page += fine_noise(rng, height, width, sigma * unit, float(rng.uniform(0, 1.2)) * unit)
    return page
