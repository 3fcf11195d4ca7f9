"""Write rendered volumes with their true lines, to see which of their wrong pages the suspicion score finds.

    python training/render_volumes.py --volumes 12 --seed 1 --out volumes
    python bench/suspicion.py volumes

Each volume is a folder with `lines.jsonl`, as `render_pages.py` writes it, its pages in order: one layout, hand and
scanner throughout, with title pages, blank ones, forms and other layouts among them, some pages scanned otherwise and
some spoilt (`linepages.ruin`). `script` says what was done to a page.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from functools import partial
from pathlib import Path

import attrs
import cv2
import numpy as np
from PIL import Image

from linepages import layouts, marks
from linepages.ink import LINE, Gray, Sheet
from linepages.page import scanned, seen_page, sheet_size
from linepages.ruin import RUINS, Points, RuinedPage
from linepages.scan import Scan, scan
from linepages.text import TextStream, vocabulary
from linepages.writing import Style, make_style, text_block
from render_pages import KEPT, outline

LEAST_INK = 0.002
"""Share of a line's region in black and white that is ink; less is nothing but specks."""
SPECIAL = ("title", "blank", "empty", "wood", "form", "foreword", "leaf", "book")
"""Kinds of page that stand among a volume's usual ones."""


@attrs.frozen
class Document:
    """What a volume's usual pages have in common. Lengths are in sheet pixels, the box is that of the text."""

    shape: str
    size: tuple[int, int]
    unit: float
    box: marks.Box
    lines: int
    framed: bool
    bilevel: bool
    style: int
    scanner: int


def document(seed: int) -> Document:
    """Draw a volume's layout whose scanner keeps the lines, as those of libraries do."""
    rng = np.random.default_rng(seed)
    while True:
        drawn = _drawn_document(rng)
        if not true_page("leaf", usual_page(drawn, np.random.default_rng(seed), other_scan=False)).margin:
            return drawn


def _drawn_document(rng: np.random.Generator) -> Document:
    """Any layout: leaves more often than books' pages."""
    shape = str(rng.choice(["leaf", "portrait"], p=[0.7, 0.3]))
    height, width, unit = sheet_size(shape, rng)
    inset_x = float(rng.uniform(0.04, 0.12)) * width
    inset_y = float(rng.uniform(0.06, 0.16)) * height
    return Document(
        shape,
        (height, width),
        unit,
        (inset_x, inset_y, width - inset_x, height - inset_y),
        int(rng.integers(4, 9) if shape == "leaf" else rng.integers(14, 36)),
        bool(rng.random() < 0.5),
        bool(rng.random() < 0.4),
        int(rng.integers(2**32)),
        int(rng.integers(2**32)),
    )


def _style(of: Document, page: np.random.Generator) -> Style:
    """The document's hand, with other words on each page."""
    rng = np.random.default_rng(of.style)
    pitch = (of.box[3] - of.box[1]) / of.lines
    style = make_style(rng, pitch, umeh=bool(rng.random() < (0.5 if of.shape == "leaf" else 0.2)))
    stacks, gap = float(rng.uniform(0.02, 0.3)), float(rng.uniform(0.5, 2.0))
    return attrs.evolve(style, stream=TextStream(page, vocabulary(page, 70, stacks=stacks), gap=gap))


def usual_page(of: Document, rng: np.random.Generator, *, other_scan: bool) -> Scan:
    """One of the document's usual pages; `other_scan` has it scanned unlike the others."""
    sheet = Sheet.blank(*of.size)
    style = _style(of, rng)
    count = of.lines if rng.random() < 0.96 else int(rng.integers(1, of.lines + 1))
    if of.framed:
        pad = 0.6 * style.pen.body
        x0, y0, x1, y1 = of.box
        look = np.random.default_rng(of.style)
        marks.frame(sheet, (x0 - 2 * pad, y0 - pad, x1 + 2 * pad, y1 + pad), look, of.unit)
    text_block(sheet, style, of.box, count, rng, opening=bool(rng.random() < 0.1))
    if of.shape == "leaf":
        layouts.sides(sheet, of.box, style, rng, of.unit)
    scanner = rng if other_scan else np.random.default_rng(of.scanner)
    return scan(sheet, scanner, of.unit, style.pitch, of.bilevel)


def true_page(kind: str, page: Scan) -> RuinedPage:
    """A scan with its true lines; those whose ink was lost don't count."""
    seen = seen_page(kind, page)
    size = (seen.plane.shape[1], seen.plane.shape[0])
    small = np.asarray(cv2.resize(page.regions, size, interpolation=cv2.INTER_NEAREST))
    asked: Gray = np.asarray(cv2.resize(page.labels, size, interpolation=cv2.INTER_NEAREST))
    rows: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for number in range(1, int(page.regions.max()) + 1):
        body = (asked == LINE) & (small == number)
        if body.any():
            kept = float((seen.labels[body] == LINE).mean()) >= KEPT
            rows[0 if kept else 1].append(np.array(outline(page.regions == number), np.float64))
    return RuinedPage(page.plane, page.bilevel, rows[0], rows[1])


def fate(rng: np.random.Generator) -> str:
    """What becomes of a page: nearly always nothing."""
    draw = rng.random()
    if draw < 0.84:
        return "usual"
    if draw < 0.88:
        return "other scan"
    return str(rng.choice(SPECIAL) if draw < 0.94 else rng.choice(list(RUINS)))


def write_page(folder: Path, of: Document, seed: tuple[int, int]) -> str:
    """Render one page into `folder`; return its row of `lines.jsonl`."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    kind = fate(rng)
    if kind in SPECIAL:
        _, upright = scanned(int(rng.integers(2**31, 2**32)), kind)
        page = true_page(kind, attrs.evolve(upright, turns=0))
    else:
        page = true_page("leaf", usual_page(of, rng, other_scan=kind != "usual"))
    if kind in RUINS:
        page = RUINS[kind](page, rng)
    return save(folder, f"{seed[1]:04d}-{kind.replace(' ', '-')}.png", kind, page)


def has_ink(page: RuinedPage, points: Points) -> bool:
    """Whether anything of a line is left: a threshold may wipe it away, and nobody is asked for what is not there."""
    if not page.bilevel:
        return True
    region = np.zeros(page.plane.shape, np.uint8)
    cv2.fillPoly(region, [np.rint(points).astype(np.int32)], 1)
    return bool((page.plane[region > 0] == 0).mean() >= LEAST_INK) if region.any() else False


def save(folder: Path, name: str, kind: str, page: RuinedPage) -> str:
    """Write the page's image; return its row of `lines.jsonl`."""
    image = Image.fromarray(page.plane)
    (image.convert("1") if page.bilevel else image).save(folder / name)
    height, width = page.plane.shape
    there = [has_ink(page, points) for points in page.lines]
    lines = [points for points, ink in zip(page.lines, there, strict=True) if ink]
    gone = [points for points, ink in zip(page.lines, there, strict=True) if not ink]
    regions = {
        key: [{"polygon": points.round(1).tolist()} for points in some]
        for key, some in (("lines", lines), ("margin", [*page.margin, *gone]))
    }
    return json.dumps({"image": name, "size": [width, height], "script": kind, **regions})


def main() -> None:
    """Render the volumes."""
    parser = argparse.ArgumentParser(description="Write rendered volumes and their true lines.")
    parser.add_argument("--volumes", type=int, default=12)
    parser.add_argument("--pages", type=int, default=40, help="of each volume")
    parser.add_argument("--seed", type=int, default=1, help="first volume's seed")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(
        args.processes, initializer=os.nice, initargs=(10,)
    ) as pool:
        for seed in range(args.seed, args.seed + args.volumes):
            folder = args.out / f"volume-{seed:04d}"
            folder.mkdir(parents=True, exist_ok=True)
            rows = pool.imap(
                partial(write_page, folder, document(seed)), [(seed, n) for n in range(args.pages)]
            )
            (folder / "lines.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
            print(folder, flush=True)


if __name__ == "__main__":
    main()
