"""OpenVINO as a runtime of a network on a CPU: the traced graph, compiled for tiles one by one.

OpenVINO is an extra (``bec-ldv1[openvino]``). It is imported here only, and without its converter's package, whose
import tells its maker over the network that somebody uses it; the frontend that reads TorchScript is another one.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import attrs
import torch
from torch import nn

from bec_core import SettingsError
from bec_ldv1.network.line_model import LineModel, Precision, Runtime
from bec_ldv1.page.scale import TILE

_REPORTS = "openvino.tools.ovc"
_HINTS = {Precision.FLOAT32: "f32", Precision.BFLOAT16: "bf16"}


def is_installed() -> bool:
    """Whether OpenVINO is there; it is not imported."""
    return find_spec("openvino") is not None


def by_openvino(model: LineModel, precision: Precision, *, passes: int) -> LineModel:
    """The model, run by OpenVINO.

    Args:
        model: traced, in float32, on the CPU; the weights' memory is shared with it.
        precision: what to calculate in.
        passes: how many threads ask at the same time, each of which gets a core.

    Raises:
        SettingsError: this OpenVINO can't run it.
    """
    try:
        network = _Compiled(model, precision, passes)
    except (ImportError, RuntimeError) as error:
        raise SettingsError(f"OpenVINO can't run the model {model.name} here: {error}") from error
    return attrs.evolve(model, network=network, precision=precision, runtime=Runtime.OPENVINO)


class _Compiled(nn.Module):
    """Tiles to logits, as the network that it was made of.

    A program of a fixed size is some 5 % faster than one for any, so whole tiles have their own. Each thread has
    requests of its own, and each request a stream of one thread; the streams share the weights.
    """

    def __init__(self, model: LineModel, precision: Precision, passes: int) -> None:
        super().__init__()
        openvino = openvino_module()
        graph = _converted(openvino, model.network)
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": passes,
            "INFERENCE_NUM_THREADS": passes,
            "ENABLE_CPU_PINNING": False,  # the cores are shared with what decodes pages
        }
        self._side = TILE // model.cell
        shapes = {"whole": [1, model.inputs, self._side, self._side]}
        if model.step < TILE:
            shapes["other"] = [1, model.inputs, -1, -1]
        core = openvino.Core()
        self._programs: dict[str, Any] = {}
        for name, shape in shapes.items():
            fixed = graph.clone()
            fixed.reshape(shape)
            self._programs[name] = core.compile_model(fixed, "CPU", settings)
        self._own = threading.local()

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        """The logits n × 1 × h × w in float32 of n × inputs × h × w."""
        planes = tiles.float().contiguous()
        return torch.cat([self._one(planes[n : n + 1]) for n in range(len(planes))])

    def _one(self, tile: torch.Tensor) -> torch.Tensor:
        name = "whole" if tile.shape[-2:] == (self._side, self._side) else "other"
        if not hasattr(self._own, name):
            setattr(self._own, name, self._programs[name].create_infer_request())
        (logits,) = getattr(self._own, name).infer({0: tile.numpy()}, share_inputs=True).values()
        return torch.from_numpy(logits)


def openvino_module() -> ModuleType:
    """The module ``openvino``, imported without what reports on its user."""
    if "openvino" not in sys.modules:
        sys.modules[_REPORTS] = None  # type: ignore[assignment]  # so it counts as not installed, which openvino allows
    try:
        return import_module("openvino")
    finally:
        if sys.modules.get(_REPORTS, True) is None:
            del sys.modules[_REPORTS]


def _converted(openvino: ModuleType, graph: nn.Module) -> Any:
    """The graph as OpenVINO's, for tiles of no size yet."""
    decoders = import_module("openvino.frontend.pytorch.ts_decoder")
    frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
    decoder = decoders.TorchScriptPythonDecoder(graph)  # must live until it is converted
    converted = frontend.convert(frontend.load(decoder))
    (tiles,) = converted.inputs
    tiles.get_node().set_element_type(openvino.Type.f32)
    converted.validate_nodes_and_infer_types()
    return converted
