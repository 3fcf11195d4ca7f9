"""Pages drawn for measuring: lines of strokes that hang from head lines as Tibetan letters do; nothing is copied.

Three kinds, as libraries have them: pechas (3,600 × 900 px, JPEG), portraits (1,800 × 2,800 px, JPEG), and bilevel
scans (6,000 to 12,000 px wide, TIFF with CCITT G4). Each page is drawn anew from its number, so the same number is the
same page everywhere.
"""

from __future__ import annotations

import os
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from bec_core.archive import is_image_name

Plane = npt.NDArray[np.uint8]

_G4_WIDTHS = (12_000, 9_000, 6_000)


def drawn(width: int, height: int, lines: int, seed: int) -> Plane:
    """A page of so many lines: uint8 height × width, 0 is ink and 255 paper."""
    chance = np.random.default_rng(seed)
    page = np.full((height, width), 255, np.uint8)
    margin, pitch = round(0.06 * width), height / (lines + 1)
    letter = 0.30 * pitch  # the height of a letter's body
    for line in range(lines):
        top = (line + 0.75) * pitch
        x = margin + letter * chance.random()
        while x < width - margin - 3 * letter:
            for _ in range(chance.integers(1, 4)):
                _letter(page, x, top, letter, chance)
                x += letter * 0.95
            _stroke(page, x, top + 0.15 * letter, x + 0.06 * letter, top + 0.3 * letter, letter)  # the tsheg
            x += letter * (0.45 if chance.random() < 0.9 else 1.6)
    return page


def _letter(page: Plane, x: float, top: float, size: float, chance: np.random.Generator) -> None:
    """A head line, stems that hang from it, at times a bow, a vowel sign above, a letter below."""
    _stroke(page, x, top, x + 0.8 * size, top, size)
    for at in chance.choice([0.1, 0.4, 0.7], size=chance.integers(1, 4), replace=False):
        _stroke(page, x + at * size, top, x + at * size, top + size * chance.uniform(0.5, 1.4), size)
    if chance.random() < 0.6:
        middle = round(x + 0.4 * size), round(top + 0.65 * size)
        cv2.ellipse(
            page, middle, (round(0.3 * size), round(0.25 * size)), 0, 0, 300, 0, max(1, round(0.1 * size))
        )
    if chance.random() < 0.35:
        _stroke(page, x + 0.2 * size, top - 0.5 * size, x + 0.6 * size, top - 0.25 * size, size)


def _stroke(page: Plane, x0: float, y0: float, x1: float, y1: float, size: float) -> None:
    ends = (round(x0), round(y0)), (round(x1), round(y1))
    cv2.line(page, *ends, 0, max(1, round(0.13 * size)))


def scanned(page: Plane, seed: int) -> Plane:
    """The page as a grey scan has it: paper that is darker to one side, soft strokes, a sensor's noise."""
    chance = np.random.default_rng(seed)
    height, width = page.shape
    paper = np.linspace(*chance.uniform(190, 235, 2), width, dtype=np.float32)[None]
    ink = cv2.GaussianBlur(page, (0, 0), 1.0).astype(np.float32) / 255
    grey = 40 + (paper - 40) * ink + chance.normal(0, 4, (height, width)).astype(np.float32)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def draw_page(folder: Path, number: int) -> Path:
    """Draw the page of this number (from 0) into a file of the folder."""
    kind, again = number % 3, number // 3
    if kind == 2:
        width = _G4_WIDTHS[again % len(_G4_WIDTHS)]
        page = drawn(width, width // 5, 6, number)
        path = folder / f"drawn{number:04}.tif"
        Image.fromarray(page).convert("1").save(path, compression="group4")
        return path
    size = (3_600, 900, 6) if kind == 0 else (1_800, 2_800, 22)
    path = folder / f"drawn{number:04}.jpg"
    Image.fromarray(scanned(drawn(*size, number), number)).save(path, quality=85)
    return path


def distinct_pages(folder: Path, source: Path | None, number: int) -> list[Path]:
    """So many different pages: those of ``source`` (all, if it has fewer), or pages drawn into ``folder``.

    Raises:
        SystemExit: there is no page in ``source``.
    """
    if source is None:
        return [draw_page(folder, one) for one in range(number)]
    found = sorted(path for path in source.rglob("*") if is_image_name(path.name))
    if not found:
        raise SystemExit(f"no image in {source}: name a folder of scans")
    return found[:: max(1, len(found) // number)][:number]


def make_volume(folder: Path, distinct: list[Path], pages: int) -> None:
    """A volume of so many pages, made of links to these, over and over."""
    folder.mkdir()
    for number, path in enumerate(islice(cycle(distinct), pages), 1):
        place = folder / f"{number:05}{path.suffix.lower()}"
        try:
            os.link(path, place)
        except OSError:  # another disk
            place.write_bytes(path.read_bytes())
