"""Make the sample volumes in `samples/`: a pecha in colour and a modern book in black and white.

    python training/make_samples.py

The same pages come out every time (with the same fonts and Pillow). `samples/lines.jsonl` says where their lines are,
`samples/truth/{W_ID}/{I_ID}/{page}.txt` what they say.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import attrs
import cv2
import numpy as np
from PIL import Image

from bec_core.archive import MANIFEST_NAME, volume_folder
from linepages import labels, pictures
from linepages.bend import Bend, bend_maps
from linepages.fonts import load_faces
from linepages.ink import Gray, Hand, Pen, Sheet, stamp
from linepages.paper import fine_noise, smooth_noise
from linepages.text import TextStream, vocabulary
from linepages.writing import Style, text_block

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
PECHA = SAMPLES / volume_folder("W1BEC1", "I0001")
MODERN = SAMPLES / volume_folder("W1BEC1", "I0002")
PAPER_COLOUR, INK_COLOUR, RED = (236, 222, 192), (52, 42, 38), (168, 52, 40)
HANDWRITING = Hand(slant=-0.05, size=0.05, lift=0.04, spacing=0.06)


@attrs.frozen
class Leaf:
    """One sample leaf: how many lines, in which face, by hand or printed, how it lies on the scanner."""

    name: str
    lines: int
    face: str
    handwritten: bool = False
    pictures: bool = False
    bend: Bend = Bend()


LEAVES = (
    Leaf("0001.jpg", 1, "Jomolhari"),
    Leaf("0002.jpg", 4, "DDC_Uchen", pictures=True),
    Leaf("0003.jpg", 6, "Jomolhari", bend=Bend(angle=1.6)),
    Leaf("0004.jpg", 6, "DDC_Uchen", bend=Bend(bow=34.0, waves=((5.0, 1.5, 0.6),))),
    Leaf("0005.jpg", 5, "Dutsa2", handwritten=True),
)


def style_of(
    face_name: str, pitch: float, share: float, handwritten: bool, rng: np.random.Generator
) -> Style:
    """Return a style with a face chosen by its file's name."""
    face = next(f for faces in load_faces().values() for f in faces if face_name in f.path.name)
    pen = Pen(face, pitch * share, reach=(0.9, 1.4, 0.5) if handwritten else None)
    hand = HANDWRITING if handwritten else Hand()
    stream = TextStream(rng, vocabulary(rng, 70, stacks=0.05), gap=1.4)
    return Style(pen, hand, stream, pitch, 0.04 * pen.body if handwritten else 0.0, handwritten)


def bent(sheet: Sheet, bend: Bend, rng: np.random.Generator) -> tuple[Gray, Gray, list[list[list[int]]]]:
    """Return the sheet's lines and marks as they lie on the scanner, and the lines' outlines there."""
    maps = bend_maps(bend, sheet.height, sheet.width, rng)
    lines = np.asarray(cv2.remap(sheet.lines, *maps, cv2.INTER_LINEAR), np.uint8)
    other = np.asarray(cv2.remap(sheet.marks, *maps, cv2.INTER_LINEAR), np.uint8)
    polygons = []
    for band in sheet.bands:
        mask = np.zeros((sheet.height, sheet.width), np.uint8)
        cv2.fillPoly(mask, [band.polygon(0.2 * band.height())], 255)
        mask = np.asarray(cv2.remap(mask, *maps, cv2.INTER_NEAREST), np.uint8)
        columns = np.flatnonzero(mask.any(axis=0))
        chosen = np.unique(np.linspace(columns[0], columns[-1], 9).astype(int))
        upper = [[int(x), int(np.flatnonzero(mask[:, x])[0])] for x in chosen]
        lower = [[int(x), int(np.flatnonzero(mask[:, x])[-1])] for x in reversed(chosen)]
        polygons.append(upper + lower)
    # Reading order: from the top, by each line's left end.
    return lines, other, sorted(polygons, key=lambda polygon: polygon[0][1])


def leaf_sheet(leaf: Leaf, rng: np.random.Generator) -> Sheet:
    """Lay out a sample leaf of 2,200 × 470 px."""
    sheet = Sheet.blank(470, 2200)
    left, right, top, bottom = 190.0, 2010.0, 62.0, 408.0
    pitch = (bottom - top) / max(leaf.lines, 4)
    style = style_of(leaf.face, pitch, 0.32 if leaf.handwritten else 0.4, leaf.handwritten, rng)
    for inset in (0, 9):
        box = (
            round(left) - 26 - inset,
            round(top) - 12 - inset,
            round(right) + 26 + inset,
            round(bottom) + 12 + inset,
        )
        cv2.rectangle(sheet.marks, box[:2], box[2:], 255, 3)
    if leaf.pictures:
        size = bottom - top
        pictures.picture(sheet, (left - 10, top + 4, left + size, bottom - 4), rng, 1.0)
        pictures.picture(sheet, (right - size, top + 4, right + 10, bottom - 4), rng, 1.0)
        left, right = left + size + 20, right - size - 20
    if leaf.lines == 1:
        middle = (top + bottom - pitch) / 2
        text_block(sheet, style, (left + 500, middle, right - 500, middle + pitch), 1, rng, opening=True)
    else:
        text_block(sheet, style, (left, top, right, bottom), leaf.lines, rng, opening=leaf.pictures)
        side = Pen(style.pen.face, 17)
        labels.side_title(sheet, (95, top, 140, bottom), side, rng)
    return sheet


def colour(lines: Gray, other: Gray, rng: np.random.Generator) -> Gray:
    """Return ink and red rules on old paper, `(H, W, 3)` RGB."""
    height, width = lines.shape
    page = np.ones((height, width, 3), np.float32) * np.array(PAPER_COLOUR, np.float32)
    page *= smooth_noise(rng, height, width, 180, 0.94, 1.02)[:, :, None]
    page += fine_noise(rng, height, width, 1.5, 0.8)[:, :, None]
    for mask, tone in ((other, RED), (lines, INK_COLOUR)):
        cover = (cv2.GaussianBlur(mask, (0, 0), 0.7).astype(np.float32) / 255 * 0.93)[:, :, None]
        page = np.asarray(page * (1 - cover) + np.array(tone, np.float32) * cover, np.float32)
    return np.clip(page, 0, 255).astype(np.uint8)


def book_sheet(number: int, rng: np.random.Generator) -> Sheet:
    """Lay out a sample book page of 1,240 × 1,754 px; the last one is blank."""
    sheet = Sheet.blank(1754, 1240)
    if number == 4:
        return sheet
    style = style_of("Monlam Uni OuChan2", 72, 0.36, False, rng)
    count = (12, 20, 18)[number - 1]
    top = 520.0 if number == 1 else 180.0
    text_block(sheet, style, (150, top, 1090, 1600), count, rng, opening=number == 1)
    if number == 1:
        title = style_of("Monlam Uni OuChan2", 110, 0.36, False, rng)
        text_block(sheet, title, (400, 260, 900, 370), 1, rng)
    else:
        cv2.line(sheet.marks, (150, 150), (1090, 150), 255, 2)
        labels.small_note(sheet, Pen(style.pen.face, 16), 480, 135, 300, rng)
    strip = labels.number(np.random.default_rng(5), 20)
    stamp(sheet.marks, strip, 610, 1650)
    return sheet


def main() -> None:
    """Write both volumes and where their lines are."""
    records: list[dict[str, object]] = []
    for volume in (PECHA, MODERN):
        volume.mkdir(parents=True, exist_ok=True)
    for index, leaf in enumerate(LEAVES):
        rng = np.random.default_rng(100 + index)
        sheet = leaf_sheet(leaf, rng)
        lines, other, polygons = bent(sheet, leaf.bend, rng)
        path = PECHA / leaf.name
        Image.fromarray(colour(lines, other, rng)).save(path, quality=58, optimize=True)
        records.append(_record(path, lines, polygons))
        write_truth("I0001", path, sheet)
    for number in range(1, 5):
        rng = np.random.default_rng(220 + number)
        sheet = book_sheet(number, rng)
        lines, other, polygons = bent(sheet, Bend(), rng)
        path = MODERN / f"{number:04}.tif"
        write_truth("I0002", path, sheet)
        ink = np.maximum(lines, other) > 110
        Image.fromarray(~ink).save(path, compression="group4", dpi=(150, 150))
        records.append(_record(path, lines, polygons))
    text = "".join(json.dumps(record) + "\n" for record in records)
    (SAMPLES / "lines.jsonl").write_text(text, encoding="utf-8")
    for volume in (PECHA, MODERN):
        write_manifest(volume)


def write_truth(i_id: str, image: Path, sheet: Sheet) -> None:
    """Write what a page's lines say, one a line, from the top; a page without lines has an empty file."""
    path = SAMPLES / "truth" / "W1BEC1" / i_id / f"{image.stem}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = sorted(sheet.bands, key=lambda band: band.points[0][1])
    path.write_text("".join(f"{band.text}\n" for band in bands), encoding="utf-8")


def write_manifest(folder: Path) -> None:
    """Write the volume's `dimensions.json` as the archive has it: gzip-compressed, pages in reading order."""
    entries = []
    for path in sorted(folder.glob("0*")):
        with Image.open(path) as image:
            entries.append({"filename": path.name, "width": image.width, "height": image.height})
    (folder / MANIFEST_NAME).write_bytes(gzip.compress(json.dumps(entries).encode(), mtime=0))


def _record(path: Path, plane: Gray, polygons: list[list[list[int]]]) -> dict[str, object]:
    """Return a page's line in `lines.jsonl`."""
    return {
        "image": path.relative_to(SAMPLES).as_posix(),
        "size": [plane.shape[1], plane.shape[0]],
        "lines": [{"polygon": polygon} for polygon in polygons],
    }


if __name__ == "__main__":
    main()
