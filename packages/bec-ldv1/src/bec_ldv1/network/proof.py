"""The proof at a start: what the model in the box makes of one tile must be what it made of it where it was measured.

A processor, a driver or a runtime that calculates wrongly would spoil a whole library without a word. A second runtime
is held against the first as well, whatever the model is. `proof.npz`
holds a tile of a rendered page (``ink``, one bit a pixel), the mean probability in each of its cells of 8 × 8 px in
float32 (``cells``), and the SHA-256 of the model that gave them (``model``). `training/make_proof.py` makes it.
"""

from __future__ import annotations

from importlib.resources import as_file, files

import attrs
import numpy as np
import numpy.typing as npt

from bec_core import SettingsError
from bec_ldv1.network.line_model import LineModel, Precision
from bec_ldv1.page.decode import Plane
from bec_ldv1.page.scale import TILE

CELL = 8

FARTHEST = {
    Precision.FLOAT32: 0.001,
    Precision.FLOAT16: 0.01,
    Precision.BFLOAT16: 0.05,
}
"""How far a cell may lie from float32's, by arithmetic: several times what was measured (docs/performance.md)."""


@attrs.frozen(eq=False)
class Proof:
    """A tile (uint8 512 × 512), what a model makes of it by cells (float32 64 × 64), and that model's SHA-256."""

    ink: Plane
    cells: npt.NDArray[np.float32]
    model: str

    @classmethod
    def shipped(cls) -> Proof:
        """The one in the wheel."""
        with as_file(files("bec_ldv1.network") / "weights" / "proof.npz") as path, np.load(path) as content:
            ink = np.unpackbits(content["ink"]).reshape(TILE, TILE) * np.uint8(255)
            return cls(ink, content["cells"].astype(np.float32), str(content["model"]))

    def holds(self, model: LineModel) -> None:
        """Look at the tile.

        Raises:
            SettingsError: the model, of which this is a proof, sees something else here.
        """
        if model.sha256 == self.model:
            self._compare(model, self.cells)

    def agrees(self, model: LineModel, known: LineModel) -> None:
        """Look at the tile by two runtimes of one arithmetic: this is a proof of any model's.

        Raises:
            SettingsError: the model sees something else than the known one.
        """
        self._compare(model, self._seen(known))

    def _seen(self, model: LineModel) -> npt.NDArray[np.float32]:
        return by_cells(model.probabilities(self.ink[None])[0])

    def _compare(self, model: LineModel, cells: npt.NDArray[np.float32]) -> None:
        farthest = float(np.abs(self._seen(model) - cells).max())
        if not farthest <= FARTHEST[model.precision]:
            raise SettingsError(
                f"the model {model.name} in {model.precision} on this machine's {model.device} by {model.runtime} "
                f"doesn't see what it should: probabilities are off by {farthest:.3f}, {FARTHEST[model.precision]} is "
                'allowed. Nothing was done; try another arithmetic or runtime ("precision", "runtime" in the job\'s '
                "config), or another release of the runtime or the driver"
            )


def by_cells(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean of each cell."""
    cells: npt.NDArray[np.float32] = probabilities.reshape(TILE // CELL, CELL, TILE // CELL, CELL).mean(
        (1, 3)
    )
    return cells
