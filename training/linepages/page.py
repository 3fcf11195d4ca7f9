"""One training page: a seed in, what the network sees and what it should say out."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import cv2
import numpy as np

from bec_ldv1.page.decode import PageImage
from bec_ldv1.page.prepare import Preparation, prepare
from bec_ldv1.page.scale import detection_scale
from linepages import books, columns, forms, hands, labels, layouts, marks, pictures, titles
from linepages.bend import Real
from linepages.ink import BETWEEN, IGNORED, LINE, PAPER, Gray, Sheet, stamp
from linepages.paper import wood
from linepages.scan import Scan, otsu, scan

Layout = Callable[[Sheet, tuple[float, float, float, float], np.random.Generator, float], None]

LAYOUTS: dict[str, tuple[float, Layout | None, str]] = {
    "leaf": (0.34, layouts.leaf, "leaf"),
    "title": (0.08, titles.title_leaf, "leaf"),
    "cover": (0.025, titles.cover, "portrait"),
    "hurried leaf": (0.11, hands.hurried_leaf, "leaf"),
    "hurried page": (0.08, hands.hurried_page, "portrait"),
    "columns": (0.04, columns.column_page, "portrait"),
    "spread columns": (0.015, columns.column_page, "spread"),
    "leaf columns": (0.03, columns.column_leaf, "leaf"),
    "book": (0.08, books.book_page, "portrait"),
    "manuscript": (0.02, books.handwritten_page, "portrait"),
    "stacked": (0.015, books.stacked_leaves, "portrait"),
    "spread": (0.015, books.spread, "spread"),
    "form": (0.06, forms.form, "portrait"),
    "foreword": (0.025, forms.foreword, "portrait"),
    "empty": (0.03, books.empty_frame, "leaf"),
    "blank": (0.03, books.labelled_blank, "leaf"),
    "wood": (0.02, None, "leaf"),
}
"""Kind → its share of the pages that lie upright, how it is laid out, and the sheet's shape."""

TURNED = 0.12
"""Share of pages with lines that lie on their side or upside down: the network is to say nothing of them."""


PREPARATION = Preparation(enlarge=True, even_light=True, turns=True, steepest=12.0)
"""What the network wants done to pages; it goes into its file."""


@attrs.frozen(eq=False)
class TrainingPage:
    """A page at detection size: what the network sees (0 ink, 255 paper) and the label classes, `(H, W)` uint8."""

    kind: str
    plane: Gray
    labels: Gray


def sheet_size(shape: str, rng: np.random.Generator) -> tuple[int, int, float]:
    """Return a sheet's height, width and its pixels per detection pixel."""
    zoom = float(rng.choice([1.0, rng.uniform(1.0, 1.5), rng.uniform(1.5, 2.2)], p=[0.35, 0.4, 0.25]))
    if shape == "leaf":
        base = 512.0 if rng.random() < 0.75 else float(rng.uniform(220, 512))
        height = base * (zoom if base == 512 else 1.0)
        width = height * float(rng.choice([rng.uniform(2.6, 4.2), rng.uniform(4, 7)], p=[0.3, 0.7]))
    elif shape == "spread":
        height = float(rng.uniform(700, 1024)) * zoom
        width = height * float(rng.uniform(1.2, 1.6))
    else:
        height = float(rng.uniform(900, 1024)) * zoom
        width = height / float(rng.uniform(1.15, 1.6))
    size = round(height), round(width)
    return *size, 1 / min(detection_scale(size[1], size[0]), 1.0)


def scanned(seed: int, kind: str | None = None) -> tuple[str, Scan]:
    """Draw and scan one page, upright or turned; the same seed gives the same page."""
    rng = np.random.default_rng(seed)
    kinds, shares = list(LAYOUTS), [share for share, _, _ in LAYOUTS.values()]
    chosen = kind or str(rng.choice(kinds, p=np.array(shares) / sum(shares)))
    page = _upright(chosen, rng)
    if page.labels.any() and rng.random() < TURNED:
        return "turned", _turned(page, rng)
    return chosen, page


def _turned(page: Scan, rng: np.random.Generator) -> Scan:
    """Return the page lying on its side or upside down; of many a leaf only a piece, which keeps its letters' size."""
    height, width = page.plane.shape
    turns = int(rng.choice([1, 2, 3], p=[0.25, 0.5, 0.25]))
    if width > 1.6 * height and rng.random() < (0.15 if turns == 2 else 0.5):
        wide = int(height * rng.uniform(0.7, 1.6))
        page = page.part(int(rng.integers(0, width - wide + 1)), wide)
    return attrs.evolve(page, turns=turns)


def spanned(width: int, height: int, skew: float) -> tuple[int, int]:
    """Return width and height of the image that a page fits in when it lies askew by `skew` degrees."""
    turn = np.deg2rad(abs(skew))
    across, down = np.cos(turn), np.sin(turn)
    return round(width * across + height * down), round(height * across + width * down)


def _upright(chosen: str, rng: np.random.Generator) -> Scan:
    """Draw and scan one page of a kind."""
    _, layout, shape = LAYOUTS[chosen]
    height, width, unit = sheet_size(shape, rng)
    if layout is None:
        plane = wood(rng, height, width)
        nothing = np.zeros_like(plane)
        bilevel = bool(rng.random() < 0.4)
        return Scan(otsu(plane.astype(np.float32)) if bilevel else plane, bilevel, nothing, nothing, nothing)
    skew = float(rng.uniform(-10, 10)) if rng.random() < 0.08 else 0.0
    wide, high = spanned(width, height, skew)
    unit *= min(detection_scale(width, height), 1.0) / min(detection_scale(wide, high), 1.0)
    sheet = Sheet.blank(high, wide)
    left, top = (wide - width) / 2, (high - height) / 2
    layout(sheet, (left, top, left + width, top + height), rng, unit)
    if shape == "leaf" and rng.random() < 0.15:
        pictures.edge_bands(sheet, rng, unit)
    if rng.random() < 0.2 and not sheet.born_digital:
        _labels_and_seals(sheet, rng, unit)
    pitch = float(np.median([band.pitch for band in sheet.bands])) if sheet.bands else height / 8
    bilevel = bool(rng.random() < (0.75 if chosen in {"form", "foreword"} else 0.45))
    return scan(sheet, rng, unit, pitch, bilevel, skew)


def _labels_and_seals(sheet: Sheet, rng: np.random.Generator, unit: float) -> None:
    """Add what later hands put on pages: numbers, seals, pen strokes."""
    if rng.random() < 0.6:
        strip = labels.number(rng, float(rng.uniform(9, 28)) * unit)
        x = rng.choice([0.03, 0.9, 0.95]) * sheet.width
        stamp(sheet.marks, strip, x, rng.uniform(0.02, 0.9) * sheet.height)
    if rng.random() < 0.3:
        centre = (rng.uniform(0, sheet.width), rng.uniform(0, sheet.height))
        labels.seal(sheet, centre, float(rng.uniform(20, 60)) * unit, rng, unit)
    marks.scribbles(sheet, rng, unit, int(rng.integers(0, 4)))


def forget_lost_ink(labels: Gray, ink: Gray, plane: Gray) -> Gray:
    """Drop labels where the lines' ink did not survive fading and binarisation, or is drowned in black.

    A network asked to see what is not there learns noise. Where hardly any of the clean ink is left, or all the
    paper around it is black, the label becomes paper; where little is, it counts for nothing.

    Args:
        labels: classes `(H, W)`.
        ink: the lines' clean ink, 0–255, `(H, W)`.
        plane: what the network sees, 0 = ink, `(H, W)`.
    """
    rows = np.flatnonzero((labels == LINE).any(axis=1))
    if not rows.size:
        return labels
    expected = ((ink > 96) & (labels == LINE)).astype(np.float32)
    near = np.asarray(cv2.dilate(expected.astype(np.uint8), np.ones((3, 3), np.uint8)), np.float32)
    left = near * (plane == 0)
    inked = cv2.boxFilter(expected, -1, (61, 15)) > 0.02
    # A gap in the line shares the fate of the ink farther around it.
    share = np.where(inked, _share(left, expected, (61, 15)), _share(left, expected, (301, 15)))
    ground = 1 - near
    black = _share(ground * (plane == 0), ground, (61, 31))
    result = labels.copy()
    result[(labels == LINE) & ((share < 0.22) | (black > 0.6))] = IGNORED
    result[(labels == LINE) & ((share < 0.07) | (black > 0.85))] = PAPER
    return result


def _share(part: Real, whole: Real, window: tuple[int, int]) -> Real:
    """Return `part` as a share of `whole` within a window (width, height); 1 where there is nothing."""
    total = np.asarray(cv2.boxFilter(whole, -1, window), np.float32)
    share = np.asarray(cv2.boxFilter(part, -1, window), np.float32) / np.maximum(total, 1e-6)
    return np.where(total > 1e-4, share, np.float32(1.0))


def render(seed: int, kind: str | None = None) -> TrainingPage:
    """Render one training page through the detector's own scaling and binarisation."""
    return seen_page(*scanned(seed, kind))


def seen_page(kind: str, page: Scan) -> TrainingPage:
    """Return what the network sees of a scan, and what it should say: of turned writing, that it is paper."""
    stored = np.ascontiguousarray(np.rot90(page.plane, page.turns))
    plane = prepare(PageImage(stored, page.bilevel), PREPARATION).ink
    size = (plane.shape[1], plane.shape[0])
    labels, ink = (np.ascontiguousarray(np.rot90(part, page.turns)) for part in (page.labels, page.ink))
    labels = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    if page.turns:
        return TrainingPage(kind, plane, np.where(labels == LINE, BETWEEN, labels).astype(np.uint8))
    ink = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.uint8)
    return TrainingPage(kind, plane, forget_lost_ink(labels, ink, plane))
