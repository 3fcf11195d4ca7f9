"""What a larger network says of crops: soft goals for a smaller one (Hinton et al. 2015, arXiv:1503.02531)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

from bec_ldv1.network.checkpoint import read_model
from linepages.cache import Crops
from linepages.ink import Gray
from linepages.learn import shown

TILES = 8
"""Tiles a pass."""


class Teacher:
    """A trained network, asked once for each set of crops; its answers stay in a folder."""

    def __init__(self, weights: Path, cache: Path) -> None:
        model = read_model(weights).model
        self._network = model.network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._folder = cache / f"taught-{model.sha256[:12]}"
        self._folder.mkdir(parents=True, exist_ok=True)

    @torch.no_grad()
    def answers(self, crops: Crops) -> Gray:
        """Its probabilities of line by cells, 255 for one: uint8 `(N, 128, 128)`.

        It sees each crop padded to a whole tile, and all of it, also where the smaller network will see a part.
        """
        path = self._folder / f"{hashlib.sha256(crops.ink.tobytes()).hexdigest()[:16]}.npy"
        if path.exists():
            return np.asarray(np.load(path))
        parts = []
        for first in range(0, len(crops), TILES):
            ink = np.unpackbits(crops.ink[first : first + TILES], axis=-1)
            planes = (1 - torch.from_numpy(ink).to(torch.bfloat16)).unsqueeze(1)
            with torch.autocast("cpu", torch.bfloat16):
                logits = self._network(shown(planes))
            parts.append((torch.sigmoid(logits.float())[:, 0] * 255).round().to(torch.uint8).numpy())
        taught = np.concatenate(parts)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, taught)
        partial.replace(path)
        return taught
