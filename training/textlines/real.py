"""Real lines with their text, to train on beside rendered ones, or to watch."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import cv2
import numpy as np

from bec_ocrv1.box.body import RowNet, find_bodies, levelled
from bec_ocrv1.box.prepare import HEIGHT, Gray, scaled, stretched
from textlines.texts import ALPHABET, folded


@attrs.frozen(eq=False)
class RealLines:
    """Level line images, where their letters' bodies are, their labels, and their texts as transcribed."""

    images: list[Gray]
    bodies: list[tuple[float, float]]
    labels: list[str]
    texts: list[str]

    @staticmethod
    def documents(path: Path) -> list[str]:
        """Return the documents that a JSON-lines file has lines of."""
        rows = path.read_text(encoding="utf-8").splitlines()
        return list(dict.fromkeys(json.loads(row)["document"] for row in rows))

    @classmethod
    def load(cls, path: Path, net: RowNet, document: str | None = None) -> RealLines:
        """Read a JSON-lines file (`image`, `text`, `document`), or one document of it.

        Labels keep only what the network has classes for.
        """
        images, labels, texts = [], [], []
        for row in path.read_text(encoding="utf-8").splitlines():
            content = json.loads(row)
            if document is not None and content["document"] != document:
                continue
            image = cv2.imread(str(path.parent / content["image"]), cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise FileNotFoundError(path.parent / content["image"])
            images.append(stretched(np.asarray(image, np.uint8)))
            texts.append(content["text"])
            labels.append("".join(char for char in folded(content["text"]) if char in ALPHABET))
        level = [levelled(image, find_bodies(image, net)) for image in images]
        return cls(
            [image for image, _, _ in level], [(top, bottom) for _, top, bottom in level], labels, texts
        )

    def prepared(self) -> list[Gray]:
        """Return the lines as the network reads them."""
        return [scaled(image, *body) for image, body in zip(self.images, self.bodies, strict=True)]

    def batch(self, rng: np.random.Generator, count: int) -> tuple[list[Gray], list[str]]:
        """Return some lines, scaled and stretched a little differently each time, at one width."""
        chosen = [int(index) for index in rng.integers(0, len(self.images), count)]
        lines = []
        for index in chosen:
            top, bottom = self.bodies[index]
            body = bottom - top
            top += float(rng.normal(0, 0.05)) * body
            bottom = top + body * float(np.exp(rng.normal(0, 0.07)))
            image = self.images[index]
            stretch = float(np.clip(rng.normal(1, 0.08), 0.85, 1.2))
            size = (round(image.shape[1] * stretch), image.shape[0])
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
            lines.append(scaled(image, top, bottom))
        width = -(-max(line.shape[1] for line in lines) // 64) * 64
        return [padded(line, width) for line in lines], [self.labels[index] for index in chosen]


def padded(line: Gray, width: int) -> Gray:
    """Return a prepared line with paper to its right."""
    out = np.full((HEIGHT, width), 255, np.uint8)
    out[:, : line.shape[1]] = line
    return out
