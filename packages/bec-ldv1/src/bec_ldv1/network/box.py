"""The compact line-segmentation network that ships with the job, in plain torch.

A text line is long and low, so what decides whether ink belongs to one is far to its left and right: the
network sees the page at 1/4 of its resolution at once, its pixels by cells as channels, and has a path down to 1/32,
where depthwise rows of 15 cells span a whole tile. Shape after U-Net (Ronneberger et al., 2015,
https://arxiv.org/abs/1505.04597).
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

CELL = 4
"""The network is shown cells of so many pixels a side as channels, and answers once for each."""

STRIDE = 32
"""Height and width of what it is shown must be multiples of so many pixels."""


class _ConvNormAct(nn.Sequential):
    """Convolution without bias, batch norm, ReLU; "same" padding."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class _ResidualBlock(nn.Module):
    """Two 3×3 convolutions added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _ConvNormAct(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `relu(x + f(x))`, shape unchanged."""
        result: torch.Tensor = self.second(self.first(x))
        return result.add_(x).relu_()


class _RowBlock(nn.Module):
    """A depthwise row (1×`reach`) and column (5×1), mixed by a 1×1 convolution, added to the input."""

    def __init__(self, channels: int, reach: int) -> None:
        super().__init__()
        self.row = nn.Conv2d(
            channels, channels, (1, reach), padding=(0, reach // 2), groups=channels, bias=False
        )
        self.column = nn.Conv2d(channels, channels, (5, 1), padding=(2, 0), groups=channels, bias=False)
        self.mix = _ConvNormAct(channels, channels, kernel=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` plus what its row and column say, shape unchanged."""
        mixed: torch.Tensor = self.mix(self.column(self.row(x)))
        return x + mixed


class BoxNet(nn.Module):
    """Line segmentation of binarised page tiles.

    Args:
        widths: channels at 1/4, 1/8, 1/16 and 1/32 of the input's resolution.
        blocks: residual blocks at each of these levels on the way down.
        reach: cells in the long depthwise rows (odd).
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (24, 48, 64, 96),
        blocks: tuple[int, int, int, int] = (0, 2, 2, 0),
        reach: int = 15,
    ) -> None:
        super().__init__()
        if reach % 2 == 0:
            raise ValueError(f"reach must be odd, got {reach}")
        # "1" as in the files of weights: a layer of no weights stood before it
        self.stem = nn.Sequential(OrderedDict([("1", _ConvNormAct(CELL * CELL, widths[0]))]))
        self.encoders = nn.ModuleList(
            nn.Sequential(
                *(_ResidualBlock(width) for _ in range(count)),
                *([_RowBlock(width, reach)] if level else []),
            )
            for level, (width, count) in enumerate(zip(widths, blocks, strict=True))
        )
        self.downs = nn.ModuleList(_ConvNormAct(upper, lower, stride=2) for upper, lower in pairwise(widths))
        self.bottom = nn.Sequential(_RowBlock(widths[-1], reach), _RowBlock(widths[-1], reach))
        self.laterals = nn.ModuleList(nn.Conv2d(lower, upper, 1) for upper, lower in pairwise(widths))
        self.decoders = nn.ModuleList(_ResidualBlock(width) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, cells: torch.Tensor) -> torch.Tensor:
        """Return line logits, one for each cell.

        Args:
            cells: `(N, CELL², H, W)` in [0, 1], 1 = white paper: the pixels of each cell, row by row, as
                `torch.nn.functional.pixel_unshuffle` orders them; H and W multiples of `STRIDE / CELL`.

        Returns:
            Logits `(N, 1, H, W)`; the probability of "line" is their sigmoid.

        Raises:
            ValueError: H or W is no such multiple.
        """
        height, width = (CELL * size for size in cells.shape[-2:])
        if height % STRIDE or width % STRIDE:
            raise ValueError(f"height and width must be multiples of {STRIDE} pixels, got {height}×{width}")
        # Ink as 1, so that zero padding inside the network means paper.
        x = self.stem(1.0 - cells)
        skips: list[torch.Tensor] = []
        for level, encoder in enumerate(self.encoders):
            x = encoder(x)
            if level < len(self.downs):
                skips.append(x)
                x = self.downs[level](x)
        x = self.bottom(x)
        for level in reversed(range(len(skips))):
            x = self.laterals[level](x)
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.decoders[level](x.add_(skips[level]))
        logits: torch.Tensor = self.head(x)
        return logits
