"""A network ready to look at tiles: where it runs, at which precision, and what its output means."""

from __future__ import annotations

import warnings
from enum import StrEnum

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from bec_ldv1.page.contours import Postprocess
from bec_ldv1.page.decode import Plane
from bec_ldv1.page.prepare import Preparation
from bec_ldv1.page.scale import TILE


class Precision(StrEnum):
    """The network's arithmetic. Batch norms stay in float32 at every precision."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"

    @property
    def dtype(self) -> torch.dtype:
        """Torch's type of that name."""
        dtype: torch.dtype = getattr(torch, self.value)
        return dtype


class Runtime(StrEnum):
    """What runs the network. Of one arithmetic they give the same but for rounding."""

    TORCH = "torch"
    OPENVINO = "openvino"


class BadOutput(ArithmeticError):
    """The network gave a logit that is not a number."""


@attrs.frozen(eq=False)
class LineModel:
    """A loaded network.

    Attributes:
        network: in evaluation mode, on `device`; n × inputs × h / cell × w / cell in [0, 1] to logits of one channel.
        channels: planes that the network expects, all the same: 1 or 3.
        name: what the model is called in logs and reports.
        sha256: of the file that it was loaded from, hex.
        postprocess: what its probabilities need.
        device: where it runs.
        precision: what it calculates in.
        runtime: what runs it.
        preparation: what it wants done to pages beyond the contract's numerics.
        step: heights and widths of the tiles that it takes are multiples of so many pixels.
        cell: the network is shown the cells of so many pixels a side as channels and answers once for each; 1 or 4.
    """

    network: nn.Module
    channels: int
    name: str
    sha256: str
    postprocess: Postprocess
    device: torch.device
    precision: Precision
    runtime: Runtime = Runtime.TORCH
    preparation: Preparation = Preparation()
    step: int = TILE
    cell: int = 1

    @property
    def inputs(self) -> int:
        """How many channels the network is shown."""
        return self.channels * self.cell**2

    def shown(self, tiles: Plane) -> torch.Tensor:
        """What the network is given for tiles (uint8 n × h × w, 255 is paper): n × inputs × h / cell × w / cell."""
        planes = torch.from_numpy(tiles).to(self.device)
        batch = (_by_cells(planes, self.cell).to(self.precision.dtype) / 255).expand(-1, self.inputs, -1, -1)
        return batch.contiguous(memory_format=torch.channels_last)

    def probabilities(self, tiles: Plane) -> npt.NDArray[np.float32]:
        """The probability of line for every pixel: n × h × w of uint8 (255 is paper) to float32.

        Raises:
            BadOutput: the network gave something that is no number.
            RuntimeError: torch failed (torch.OutOfMemoryError is one).
        """
        with torch.inference_mode():
            logits = self.network(self.shown(tiles)).float()
            if not torch.isfinite(logits.sum()):  # quicker than asking each
                raise BadOutput(f"the model {self.name} gave values that are not numbers")
            if self.cell > 1:
                logits = functional.interpolate(
                    logits, scale_factor=self.cell, mode="bilinear", align_corners=False
                )
            result: npt.NDArray[np.float32] = torch.sigmoid(logits)[:, 0].cpu().numpy()
            return result


_FOUR_PIXELS = torch.int32


def _by_cells(planes: torch.Tensor, size: int) -> torch.Tensor:
    """Planes (uint8 n × h × w) by cells of 1 or 4 pixels a side: n × size² × h / size × w / size, channels last.

    What `pixel_unshuffle` gives, in a tenth of its time: the pixels of a cell's row move as one number.
    """
    if size == 1:
        return planes.unsqueeze(1)
    rows = planes.contiguous().view(_FOUR_PIXELS)
    count, height, width = rows.shape
    cells = rows.reshape(count, height // size, size, width).transpose(2, 3).contiguous()
    return cells.view(torch.uint8).permute(0, 3, 1, 2)


def place(network: nn.Module, device: torch.device, precision: Precision) -> nn.Module:
    """Make a network ready: evaluation, channels-last, on the device, at the precision."""
    network = network.eval().requires_grad_(False).to(device=device, dtype=precision.dtype)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.float()
    return network


class _Whole(nn.Module):
    """A network without parts that torch can see.

    Of every part TorchScript would make a module of its own, with all that it has (0.1 s of a start), and freezing
    would resolve them again. So the weights come into the graph as constants; the frozen graph is the same.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = (network,)  # torch looks for parts in no tuple
        self.eval()

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        """The network's logits."""
        (network,) = self._network
        logits: torch.Tensor = network(tiles)
        return logits


def traced(model: LineModel) -> LineModel:
    """The model with its network as one frozen TorchScript graph, for tiles of every size that it takes.

    A pass is then one call without Python in between, so that passes in several threads, and the threads that
    decode pages, need not wait for each other at the interpreter's lock.
    """
    side = TILE // model.cell
    example = torch.zeros(1, model.inputs, side, side, dtype=model.precision.dtype, device=model.device)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes taken as constant: such a network's tiles have one size
        # check_trace would trace once more and import 500 modules to compare; our tests compare the graph's results
        graph = torch.jit.trace(  # type: ignore[no-untyped-call]  # torch has no types for it
            _Whole(model.network), example.contiguous(memory_format=torch.channels_last), check_trace=False
        )
        return attrs.evolve(model, network=torch.jit.freeze(graph))
