"""Score the recogniser in the box on lines, and on whole pages whose lines a detector found.

    python training/evaluate_ocr.py --lines lines.jsonl --crops crops/pages --pages pages.jsonl

`--lines`: JSON lines of `image`, `text` and `document`. `--crops`: what `bec ldv1 export --crops` wrote of the pages,
with its `lines.jsonl`; `--pages` has the pages' texts, line by line.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from bec_ocrv1.box.recogniser import BoxRecogniser
from textlines.score import error_rate

Pairs = list[tuple[str, str]]


def read_lines(reader: BoxRecogniser, path: Path) -> dict[str, Pairs]:
    """Return truths and readings by document."""
    sets: dict[str, Pairs] = defaultdict(list)
    for row in path.read_text(encoding="utf-8").splitlines():
        content = json.loads(row)
        image = np.asarray(cv2.imread(str(path.parent / content["image"]), cv2.IMREAD_GRAYSCALE), np.uint8)
        sets[content["document"]].append((content["text"], reader.read([image])[0].text))
    return sets


def read_pages(reader: BoxRecogniser, crops: Path, pages: Path) -> dict[str, Pairs]:
    """Return truths and readings of whole pages by document."""
    read: dict[str, list[str]] = defaultdict(list)
    for row in (crops / "lines.jsonl").read_text(encoding="utf-8").splitlines():
        content = json.loads(row)
        image = np.asarray(cv2.imread(str(crops / content["crop"]), cv2.IMREAD_GRAYSCALE), np.uint8)
        read[content["image"]].append(reader.read([image])[0].text)
    sets: dict[str, Pairs] = defaultdict(list)
    for row in pages.read_text(encoding="utf-8").splitlines():
        content = json.loads(row)
        text = "\n".join(read[Path(content["image"]).name])
        sets[content["document"]].append(("\n".join(content["lines"]), text))
    return sets


def table(sets: dict[str, Pairs]) -> str:
    """Return error rates by document and of all, as they are and with a tsheg before a shad folded."""
    rows = {**sets, "all": [pair for pairs in sets.values() for pair in pairs]}
    return "\n".join(
        f"  {name:28} {len(pairs):4}  {error_rate(pairs):.4f}  folded {error_rate(pairs, fold_tsheg=True):.4f}"
        for name, pairs in rows.items()
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, greedy and with the beam."""
    parser = argparse.ArgumentParser(description="Score the recogniser in the box.")
    parser.add_argument("--lines", type=Path)
    parser.add_argument("--crops", type=Path)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--weights", type=Path, help="a folder of weights; default: those in the package")
    parser.add_argument("--beam", type=int, help="width of the beam; default: the weights' setting")
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    for decoder in ("greedy", "beam"):
        reader = BoxRecogniser.load(decoder=decoder, beam_width=args.beam, folder=args.weights)
        reader.read([np.full((40, 200), 255, np.uint8)])
        started = time.process_time()
        sets = read_lines(reader, args.lines) if args.lines else {}
        if args.crops and args.pages:
            sets |= read_pages(reader, args.crops, args.pages)
        print(f"{decoder}: {time.process_time() - started:.1f} s of one core")
        print(table(sets))


if __name__ == "__main__":
    main()
