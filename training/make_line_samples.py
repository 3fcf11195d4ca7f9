"""Render the lines that the recogniser's tests read: `python training/make_line_samples.py tests/ocrv1/box/lines`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np

from linepages.fonts import load_faces
from linepages.ink import Pen
from textlines import faults
from textlines.render import Manner, set_line
from textlines.texts import split

TEXTS = [
    "བཀྲ་ཤིས་བདེ་ལེགས་ཕུན་སུམ་ཚོགས། །རྟག་ཏུ་བདེ་བ་ཐོབ་པར་ཤོག །",
    "༄༅། །སངས་རྒྱས་ཆོས་དང་ཚོགས་ཀྱི་མཆོག་རྣམས་ལ། །བྱང་ཆུབ་བར་དུ་བདག་ནི་སྐྱབས་སུ་མཆི། །",
    "སེམས་ཅན་ཐམས་ཅད་བདེ་བ་དང་བདེ་བའི་རྒྱུ་དང་ལྡན་པར་གྱུར་ཅིག །",
]
FACES = ["Jomolhari-alpha3c-0605331.ttf", "Monlam Uni OuChan2.ttf", "DDC_Uchen.ttf"]
BODIES = [15, 24, 40]
PRINT = Manner(1.0, (0.0, 0.0), 0.6, 0.2, 0.0, 0.0, 0.0, 0.0)


def main() -> None:
    """Write the images, and their texts as JSON lines."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    faces = {face.path.name: face for face in load_faces()["uchen"]}
    rows = []
    for number, (text, name, body) in enumerate(zip(TEXTS, FACES, BODIES, strict=True), 1):
        rng = np.random.default_rng(number)
        pen = Pen(faces[name], body)
        canvas = np.zeros((6 * body, 50 * body), np.uint8)
        headline = 2 * body
        words = [*split(text + " "), ""]
        drawn, end = set_line(canvas, pen, words, body, headline - pen.body_top, PRINT, rng)
        line = np.ascontiguousarray(canvas[:, : int(end) + body])
        around = np.zeros_like(line)
        measures = (line.shape[1], float(headline), float(headline + body))
        image = faults.worn(line, around, measures, rng, level_only=False) if number > 1 else 255 - line
        cv2.imwrite(str(folder / f"{number}.png"), image[body // 2 : -body // 2])
        rows.append(json.dumps({"image": f"{number}.png", "text": drawn}, ensure_ascii=False) + "\n")
    (folder / "lines.jsonl").write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
