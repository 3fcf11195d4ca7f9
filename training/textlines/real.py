"""Real lines with their text, to train on beside rendered ones, or to watch."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import cv2
import numpy as np

from bec_ocrv1.box.body import BodyFinder
from bec_ocrv1.box.prepare import HEIGHT, Gray, prepared
from textlines.texts import ALPHABET, folded


@attrs.frozen(eq=False)
class RealLines:
    """Line images, where their letters' bodies are, and their labels."""

    images: list[Gray]
    bodies: list[tuple[float, float]]
    labels: list[str]

    @classmethod
    def load(cls, path: Path, finder: BodyFinder) -> RealLines:
        """Read a JSON-lines file (`image`, `text`); labels keep only what the network has classes for."""
        images, labels = [], []
        for row in path.read_text(encoding="utf-8").splitlines():
            content = json.loads(row)
            image = cv2.imread(str(path.parent / content["image"]), cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise FileNotFoundError(path.parent / content["image"])
            images.append(np.asarray(image, np.uint8))
            labels.append("".join(char for char in folded(content["text"]) if char in ALPHABET))
        return cls(images, [finder.find(image) for image in images], labels)

    def batch(self, rng: np.random.Generator, count: int) -> tuple[list[Gray], list[str]]:
        """Return some lines, scaled and stretched a little differently each time, at one width."""
        chosen = [int(index) for index in rng.integers(0, len(self.images), count)]
        lines = []
        for index in chosen:
            top, bottom = self.bodies[index]
            body = bottom - top
            middle = (top + bottom) / 2 + float(rng.normal(0, 0.06)) * body
            body *= float(np.exp(rng.normal(0, 0.07)))
            image = self.images[index]
            stretch = float(np.clip(rng.normal(1, 0.08), 0.85, 1.2))
            size = (round(image.shape[1] * stretch), image.shape[0])
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
            lines.append(prepared(image, middle - body / 2, middle + body / 2))
        width = -(-max(line.shape[1] for line in lines) // 64) * 64
        return [padded(line, width) for line in lines], [self.labels[index] for index in chosen]


def padded(line: Gray, width: int) -> Gray:
    """Return a prepared line with paper to its right."""
    out = np.full((HEIGHT, width), 255, np.uint8)
    out[:, : line.shape[1]] = line
    return out
