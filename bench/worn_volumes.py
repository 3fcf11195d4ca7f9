"""Write volumes of hand-checked pages, each page several times as other scans of it might be, some of them spoilt.

    python bench/worn_volumes.py TRUTH.jsonl IMAGES OUT
    python bench/suspicion.py OUT

Each document that has a page of text makes a volume: first its own pages, then other scans of its pages of text, and
now and then a page of another document. `varied_pages` wears every page, `linepages.ruin` spoils some. One fixed
seed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))

import cv2
import numpy as np
from PIL import Image
from varied_pages import Scan, worn

from bec_ldv1.evaluation.images import PageSource, find_images
from bec_ldv1.evaluation.pages import PageLines, document_of
from bec_ldv1.evaluation.readers import read_pages
from linepages.ruin import RUINS, RuinedPage
from render_volumes import save

SPOILT = 0.12
STRANGERS = 0.05
TEXT = 4
"""A page of fewer lines is a title page or a cover: it stands once in its volume."""


def volumes(pages: list[PageLines]) -> dict[str, list[PageLines]]:
    """The pages of each document that has a page of text."""
    documents: dict[str, list[PageLines]] = defaultdict(list)
    for page in pages:
        documents[document_of(page.image)].append(page)
    return {name: own for name, own in documents.items() if any(len(p.regions) >= TEXT for p in own)}


def another_scan(page: PageLines, source: PageSource, rng: np.random.Generator) -> RuinedPage:
    """The page worn as `varied_pages` does it."""
    original = Scan.read(source)
    scan, matrix, _ = worn(original, rng)
    lines, margin = ([r.astype(np.float64) for r in regions] for regions in (page.regions, page.ignore))
    return RuinedPage(original.plane, original.bilevel, lines, margin).moved(scan.plane, matrix)


def main() -> None:
    """Write the volumes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pages", type=int, default=30, help="of each volume")
    options = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None
    cv2.setNumThreads(1)
    os.nice(5)
    pages = read_pages(options.truth)
    images = find_images(pages, options.images)
    for number, (name, own) in enumerate(sorted(volumes(pages).items())):
        folder = options.out / name
        folder.mkdir(parents=True, exist_ok=True)
        rows, text = [], [page for page in own if len(page.regions) >= TEXT]
        for index in range(options.pages):
            rng = np.random.default_rng((number, index))
            stranger, spoilt = rng.random() < STRANGERS, rng.random() < SPOILT
            usual = own[index] if index < len(own) else text[index % len(text)]
            page = pages[int(rng.integers(len(pages)))] if stranger else usual
            kind = "usual"
            scan = another_scan(page, images[page.name], rng)
            if spoilt:
                kind = str(rng.choice(list(RUINS)))
                scan = RUINS[kind](scan, rng)
            rows.append(save(folder, f"{index:04d}-{kind}-{Path(page.image).stem}.png", kind, scan))
        (folder / "lines.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        print(folder, flush=True)


if __name__ == "__main__":
    main()
