"""A sheet of pages that the detector gets wrong: true lines green, found ones red, the error in words below.

    python training/render_pages.py --pages 250 --seed 2200000000 --out rendered
    python bench/wrong_pages.py rendered docs/images/wrong-pages.webp [--pages 10]

A page is wrong when its lines are not exactly the true ones, by the rules of `bec ldv1 evaluate`. Of each kind of page
the first ones are taken, kind after kind, so that the sheet shows how it fails, not how often.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bec_ldv1.evaluation.metrics import PageScore, score_page
from bec_ldv1.evaluation.pages import PageLines
from bec_ldv1.evaluation.readers import read_pages
from bec_ldv1.network.engine import Engine
from bec_ldv1.network.setup import start_engine
from bec_ldv1.page.detect import detect_page
from bec_ldv1.record.whole_lines import page_details

CELL, COLUMNS = (620, 420), 2
CAPTION, GAP = 22, 14
TRUE, FOUND = (0, 150, 0), (220, 0, 0)


def wrong_pages(folder: Path, engine: Engine) -> Iterator[tuple[PageLines, PageLines, PageScore]]:
    """The folder's wrong pages: what is true, what was found, and how they compare."""
    for page in read_pages(folder / "lines.jsonl"):
        seen = page_details(detect_page((folder / page.image).read_bytes(), engine))
        found = PageLines(page.image, page.size, tuple(line.polygon for line in seen.lines))
        score = score_page(page, found)
        if score.count_error or score.matched != score.truth_lines:
            yield page, found, score


def in_words(page: PageLines, score: PageScore) -> str:
    """The page's kind and what is wrong."""
    counts = {
        "missed": score.missed,
        "too many": score.spurious,
        "merged": score.merged,
        "split": score.split,
    }
    errors = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return f"{page.script}: {score.truth_lines} lines, {errors or 'ends'}"


def cell(folder: Path, page: PageLines, found: PageLines, caption: str) -> Image.Image:
    """One page with both kinds of outlines, as large as a cell allows."""
    with Image.open(folder / page.image) as image:
        plane = np.asarray(image.convert("RGB")).copy()
    scale = min(CELL[0] / plane.shape[1], (CELL[1] - CAPTION) / plane.shape[0])
    small = cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for regions, colour, width in ((page.regions, TRUE, 2), (found.regions, FOUND, 1)):
        for region in regions:
            points: NDArray[np.int32] = np.rint(np.asarray(region, np.float64) * scale).astype(np.int32)
            cv2.polylines(small, [points], True, colour, width, cv2.LINE_AA)
    made = Image.new("RGB", (CELL[0], small.shape[0] + CAPTION + GAP), "white")
    made.paste(Image.fromarray(small), ((CELL[0] - small.shape[1]) // 2, CAPTION))
    ImageDraw.Draw(made).text((6, 4), caption, "black", ImageFont.load_default(14))
    return made


def spread(
    pages: Sequence[tuple[PageLines, PageLines, PageScore]], number: int
) -> list[tuple[PageLines, PageLines, PageScore]]:
    """The first of each kind, then the second of each …"""
    kinds = defaultdict(list)
    for one in pages:
        kinds[one[0].script].append(one)
    rounds = zip_longest(*kinds.values())
    return [one for row in rounds for one in row if one is not None][:number]


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages_dir", type=Path, metavar="PAGES")
    parser.add_argument("out", type=Path)
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    with start_engine(options.model) as engine:
        chosen = spread(list(wrong_pages(options.pages_dir, engine)), options.pages)
    cells = []
    for n, (page, found, score) in enumerate(chosen):
        caption = f"{n + 1}. {in_words(page, score)}"
        cells.append(cell(options.pages_dir, page, found, caption))
        print(caption, page.image)
    rows = [cells[n : n + COLUMNS] for n in range(0, len(cells), COLUMNS)]
    heights = [max(one.height for one in row) for row in rows]
    sheet = Image.new("RGB", (COLUMNS * CELL[0], sum(heights)), "white")
    for row, top in zip(rows, np.cumsum([0, *heights]).tolist(), strict=False):
        for column, one in enumerate(row):
            sheet.paste(one, (column * CELL[0], top))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(options.out, quality=60, method=6)


if __name__ == "__main__":
    main()
