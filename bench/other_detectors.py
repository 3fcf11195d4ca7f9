"""Run a text-line detector of another project over the pages of a truth, for ``bec ldv1 evaluate --predictions``.

    python bench/other_detectors.py DETECTOR TRUTH.jsonl IMAGES OUT

Start it in an environment of its own that holds the detector (each brings its weights in its package) and
Pillow; nothing of this project is imported. It writes ``OUT/DETECTOR.jsonl`` (the regions as they come) and
``OUT/DETECTOR-joined.jsonl`` (pieces on one row joined to lines) and prints the time per page.
What was installed, and the results, are in ``docs/evaluation.md``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

Polygon = list[tuple[float, float]]
Strip = list[tuple[float, float, float]]
"""A region as (x, top, bottom), left to right."""

Find = Callable[[Image.Image], list[Polygon]]

COLUMNS = 17
"""Columns at which the outline of a region is taken."""

JOIN_OVERLAP = 0.4
"""Pieces are on one row when their facing ends share this part of the lower one's height."""


def rapidocr() -> Find:
    """RapidOCR 3: the DBNet of PP-OCR that its wheel holds, with its own settings."""
    import numpy as np
    from rapidocr import RapidOCR

    engine = RapidOCR()

    def find(image: Image.Image) -> list[Polygon]:
        found = engine(np.asarray(image)[:, :, ::-1], use_det=True, use_cls=False, use_rec=False)
        return [] if found.boxes is None else [[(float(x), float(y)) for x, y in box] for box in found.boxes]

    return find


def rapidocr_v4() -> Find:
    """``rapidocr-onnxruntime``: the DBNet of PP-OCRv4 (mobile), with its own settings."""
    import numpy as np
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR()

    def find(image: Image.Image) -> list[Polygon]:
        boxes, _ = engine(np.asarray(image)[:, :, ::-1], use_det=True, use_cls=False, use_rec=False)
        return [[(float(x), float(y)) for x, y in box] for box in boxes or []]

    return find


def tesseract() -> Find:
    """Tesseract's page layout analysis (no network, no language data): its text lines, sheared to their baselines."""
    import tesserocr

    kinds = {tesserocr.PT.FLOWING_TEXT, tesserocr.PT.HEADING_TEXT, tesserocr.PT.PULLOUT_TEXT}
    kinds |= {tesserocr.PT.TABLE, tesserocr.PT.CAPTION_TEXT}
    level = tesserocr.RIL.TEXTLINE

    def find(image: Image.Image) -> list[Polygon]:
        api = tesserocr.PyTessBaseAPI(init=False)
        try:
            api.InitForAnalysePage()
            api.SetPageSegMode(tesserocr.PSM.AUTO_ONLY)
            api.SetImage(image)
            layout = api.AnalyseLayout()
            lines = [] if layout is None else tesserocr.iterate_level(layout, level)
            return [
                _sheared(line.BoundingBox(level), line.Baseline(level))
                for line in lines
                if line.BlockType() in kinds
            ]
        finally:
            api.End()

    return find


def kraken() -> Find:
    """Kraken's baseline segmentation with the model in its package."""
    import torch

    # torchvision's compiled operators don't load beside a torch built for the CPU alone. Segmentation uses none
    # of them; declaring the two that its import looks up lets the rest of the package be imported.
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from kraken import blla

    def find(image: Image.Image, keep: object = operators) -> list[Polygon]:
        lines = blla.segment(image).lines
        return [[(float(x), float(y)) for x, y in line.boundary] for line in lines if line.boundary]

    return find


def kraken_padded() -> Find:
    """The same on the page at the top of an upright sheet: kraken scales every page to one height, which makes
    the letters of a pecha leaf many times larger than those of the pages it learnt from."""
    find = kraken()

    def padded(image: Image.Image) -> list[Polygon]:
        width, height = image.size
        sheet = Image.new(
            "RGB", (width, max(height, round(1.4 * width))), image.resize((1, 1)).getpixel((0, 0))
        )
        sheet.paste(image, (0, 0))
        return [line for line in find(sheet) if min(y for _, y in line) < height]

    return padded


DETECTORS: dict[str, Callable[[], Find]] = {
    "rapidocr": rapidocr,
    "rapidocr-v4": rapidocr_v4,
    "tesseract": tesseract,
    "kraken": kraken,
    "kraken-padded": kraken_padded,
}


def _sheared(
    box: tuple[int, int, int, int], baseline: tuple[tuple[int, int], tuple[int, int]] | None
) -> Polygon:
    """The bounding box of a slanting line as a parallelogram along its baseline."""
    left, top, right, bottom = box
    rise = 0 if baseline is None else baseline[1][1] - baseline[0][1]
    if abs(rise) >= bottom - top:
        rise = 0
    down, up = max(rise, 0), max(-rise, 0)
    return [(left, top + up), (right, top + down), (right, bottom - up), (left, bottom - down)]


def strip_of(polygon: Polygon) -> Strip | None:
    """The topmost and lowest y of a polygon at some columns; None where it is less than a pixel wide."""
    left, right = min(x for x, _ in polygon), max(x for x, _ in polygon)
    if right - left < 1:
        return None
    strip: Strip = []
    for number in range(COLUMNS):
        x = left + 0.25 + (right - left - 0.5) * number / (COLUMNS - 1)
        ys = [
            y0 + (y1 - y0) * (x - x0) / (x1 - x0)
            for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True)
            if x0 != x1 and min(x0, x1) <= x <= max(x0, x1)
        ]
        strip.append((x, min(ys), max(ys)))
    return strip


def join(polygons: list[Polygon]) -> list[Polygon]:
    """Pieces on one row as one line, however wide the gap; upright pieces (side titles) are left out.

    Left to right, a piece continues the line whose right end shares most rows with the piece's left end.
    """
    strips = [s for s in map(strip_of, polygons) if s is not None]
    strips = [s for s in strips if s[-1][0] - s[0][0] > 0.5 * max(b - t for _, t, b in s)]
    lines: list[Strip] = []
    for strip in sorted(strips, key=lambda s: s[0][0]):
        best = max(lines, key=lambda line: _shared(line, strip), default=None)
        if best is None or _shared(best, strip) < JOIN_OVERLAP:
            lines.append(list(strip))
        else:
            end = best[-1][0]
            best.extend(column for column in strip if column[0] > end)
    lines.sort(key=lambda line: sum(t + b for _, t, b in line) / len(line))
    return [[(x, t) for x, t, _ in line] + [(x, b) for x, _, b in reversed(line)] for line in lines]


def _shared(line: Strip, piece: Strip) -> float:
    """The part of the lower one's height that the piece's left half shares with the end of the line; 0 when the
    piece begins well inside the line, so that lines lying on each other stay two."""
    if piece[0][0] < line[-1][0] - 0.5 * (piece[-1][0] - piece[0][0]):
        return 0.0
    (top, bottom), (top2, bottom2) = (_middle(line[-COLUMNS // 2 :]), _middle(piece[: COLUMNS // 2]))
    return (min(bottom, bottom2) - max(top, top2)) / max(1.0, min(bottom - top, bottom2 - top2))


def _middle(columns: Strip) -> tuple[float, float]:
    return statistics.median(t for _, t, _ in columns), statistics.median(b for _, _, b in columns)


def main() -> None:
    """Write both files of predictions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("detector", choices=DETECTORS)
    parser.add_argument("truth", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    try:
        find = DETECTORS[options.detector]()
    except ImportError as error:
        parser.error(f"{options.detector} can't be imported in this environment ({error}); install it first")
    options.out.mkdir(parents=True, exist_ok=True)
    files = [options.out / f"{options.detector}{kind}.jsonl" for kind in ("", "-joined")]
    seconds: list[float] = []
    with files[0].open("w", encoding="utf-8") as plain, files[1].open("w", encoding="utf-8") as joined:
        for row in map(json.loads, options.truth.read_text(encoding="utf-8").splitlines()):
            with Image.open(options.images / row["image"]) as opened:
                image = opened.convert("RGB")
            started = time.perf_counter()
            lines = find(image)
            seconds.append(time.perf_counter() - started)
            for file, polygons in ((plain, lines), (joined, join(lines))):
                text = [{"polygon": polygon} for polygon in polygons if len(polygon) > 2]
                print(
                    json.dumps({"image": row["image"], "size": image.size, "lines": text}),
                    file=file,
                    flush=True,
                )
    print(
        f"{len(seconds)} pages, {statistics.mean(seconds):.2f} s each (median {statistics.median(seconds):.2f})"
    )


if __name__ == "__main__":
    main()
