"""Write rendered pages as image files with their true lines, to judge a detector on pages it never saw.

    python training/render_pages.py --pages 300 --seed 2000000000 --out pages
    bec ldv1 evaluate --truth pages/lines.jsonl --images pages

`lines.jsonl` gives each line's region from the gap above to the gap below. Lines whose ink the scan lost are in
`margin`, where detections don't count; `script` is the page's kind, by which `evaluate` groups its figures. Pages
that lie turned are stored turned, and their lines with them.
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

from linepages.ink import LINE, Gray
from linepages.page import scanned, seen_page
from linepages.scan import Scan

STEP = 24
"""Distance of a region's points in pixels."""
KEPT = 0.5
"""A line of whose label less than this share is left after binarisation is not asked for."""


def outline(region: Gray) -> list[list[int]]:
    """Return the outline of a region that runs left to right: its upper edge, then its lower one backwards."""
    columns = np.flatnonzero(region.any(axis=0))
    chosen = np.unique([*columns[::STEP], columns[-1]])
    upper = [[int(x), int(np.argmax(region[:, x]))] for x in chosen]
    lower = [[int(x), int(region.shape[0] - np.argmax(region[::-1, x]))] for x in chosen[::-1]]
    return upper + lower


def turned(points: list[list[int]], scan: Scan) -> list[list[int]]:
    """Return points of the upright page where they lie on the page as stored."""
    height, width = scan.plane.shape
    for turn in range(scan.turns):
        across = height if turn % 2 else width
        points = [[y, across - x] for x, y in points]
    return points


def write_page(folder: Path, seed: int) -> str:
    """Render one page into `folder`; return its row of `lines.jsonl`."""
    cv2.setNumThreads(1)
    kind, scan = scanned(seed)
    seen = seen_page(kind, attrs.evolve(scan, turns=0))
    size = (seen.plane.shape[1], seen.plane.shape[0])
    small = np.asarray(cv2.resize(scan.regions, size, interpolation=cv2.INTER_NEAREST))
    asked = np.asarray(cv2.resize(scan.labels, size, interpolation=cv2.INTER_NEAREST)) == LINE
    rows: dict[str, list[dict[str, list[list[int]]]]] = {"lines": [], "margin": []}
    for number in range(1, int(scan.regions.max()) + 1):
        body = asked & (small == number)
        if body.any():
            kept = float((seen.labels[body] == LINE).mean()) >= KEPT
            region = turned(outline(scan.regions == number), scan)
            rows["lines" if kept else "margin"].append({"polygon": region})
    name = f"{kind.replace(' ', '-')}-{seed}.png"
    image = Image.fromarray(np.rot90(scan.plane, scan.turns))
    (image.convert("1") if scan.bilevel else image).save(folder / name)
    width, height = image.size
    return json.dumps({"image": name, "size": [width, height], "script": kind, **rows})


def main() -> None:
    """Render the pages and write their rows."""
    parser = argparse.ArgumentParser(description="Write rendered pages and their true lines.")
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--seed", type=int, default=2_000_000_000, help="first page's seed")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=3)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    seeds = range(args.seed, args.seed + args.pages)
    with (
        multiprocessing.get_context("spawn").Pool(args.processes, initializer=os.nice, initargs=(5,)) as pool,
        (args.out / "lines.jsonl").open("w", encoding="utf-8") as file,
    ):
        for row in pool.imap(partial(write_page, args.out), seeds):
            print(row, file=file, flush=True)


if __name__ == "__main__":
    main()
