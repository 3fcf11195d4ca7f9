"""The network: a prepared line in, for every four columns the scores of its classes out.

The height folds away in three convolutions on a quarter-size map; what follows is one-dimensional: depthwise and
pointwise convolutions at an eighth of the width, and a head that answers twice per frame.
"""

from __future__ import annotations

from typing import Any

import attrs
import torch
from torch import Tensor, nn

from bec_ocrv1.box.prepare import HEIGHT

CELL = 4
STEP = 4
"""Columns of the line per answer."""


@attrs.frozen
class Shape:
    """The network's measures."""

    classes: int
    front: tuple[int, int, int] = (40, 80, 112)
    width: int = 320
    blocks: int = 10
    reach: int = 9

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Shape:
        """Return the shape that was stored as a dictionary."""
        return cls(**{key: tuple(value) if key == "front" else value for key, value in stored.items()})


def _conv(inside: int, outside: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
    )


class Block(nn.Module):
    """A residual block along the line: depthwise, then pointwise."""

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.along = nn.Conv2d(width, width, (1, reach), padding=(0, reach // 2), groups=width, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.mix = nn.Conv2d(width, width, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with what its surroundings add."""
        # Going back through a depthwise convolution takes twice as long in half precision, on CPUs.
        with torch.autocast("cpu", enabled=False):
            y = self.norm(self.along(x.float()))
        return x + torch.relu(self.norm2(self.mix(y)))


class LineNet(nn.Module):
    """Line `(B, 1, HEIGHT, W)`, ink 1 on paper 0, W a multiple of 8 → logits `(B, W / 4, classes)`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        a, b, c = shape.front
        self.shape = shape
        self.unshuffle = nn.PixelUnshuffle(CELL)
        self.front = nn.Sequential(_conv(CELL * CELL, a, (1, 1)), _conv(a, b, (2, 1)), _conv(b, c, (2, 2)))
        rows = HEIGHT // CELL // 4
        self.fold = nn.Sequential(
            nn.Conv2d(c, shape.width, (rows, 1), bias=False),
            nn.BatchNorm2d(shape.width),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.Sequential(*(Block(shape.width, shape.reach) for _ in range(shape.blocks)))
        self.drop = nn.Dropout(0.1)
        self.head = nn.Conv2d(shape.width, 2 * shape.classes, 1)

    def forward(self, line: Tensor) -> Tensor:
        """Return the logits."""
        x = self.fold(self.front(self.unshuffle(line)))
        x = self.head(self.drop(self.blocks(x)))
        batch, _, _, frames = x.shape
        return (
            x.reshape(batch, 2, self.shape.classes, frames)
            .permute(0, 3, 1, 2)
            .reshape(batch, 2 * frames, self.shape.classes)
        )
