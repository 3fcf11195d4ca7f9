"""From a config and a machine to a running engine: device, precision, runtime, threads.

Only here is torch's absence met: the package is also installed without it, to read artifacts. So torch, and what
needs it, is imported when an engine is started.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
from loguru import logger

from bec_core import SettingsError, cores
from bec_ldv1.config import Ldv1Config

if TYPE_CHECKING:
    from bec_ldv1.network.engine import Engine
    from bec_ldv1.network.line_model import LineModel

_BFLOAT16_BATCH_TILES = 2
_CPU_BATCH_TILES = 1  # a core gains nothing by more; see docs/performance.md

Pinned = Callable[[str], str]
"""The arithmetic that a job's other workers run the model of this SHA-256 in; empty if there is none."""


def _nobody(_: str) -> str:
    return ""


def start_engine(
    model_path: Path | None = None,
    config: Ldv1Config | None = None,
    pinned: Pinned = _nobody,
    *,
    passes: int | None = None,
) -> Engine:
    """Load the model and start an engine that suits this machine; also sets OpenCV's and torch's thread counts.

    Args:
        model_path: the checkpoint; None is the model in the box.
        config: default: the defaults.
        pinned: what the job's other workers calculate in.
        passes: so many run side by side on a CPU; default: one for each core.

    Raises:
        CheckpointError: the model can't be used; the message says what was expected.
        SettingsError: torch is not installed, or OpenVINO where the config asks for it; the config requires a GPU
            and there is none; the job's other workers calculate in what this machine hasn't; or the model errs here.
    """
    config, passes = config or Ldv1Config(), passes or cores()
    model = choose_model(model_path, config, pinned, gpu=on_gpu(config), passes=passes)
    return engine_of(model, config, passes=passes)


def on_gpu(config: Ldv1Config) -> bool:
    """Whether a GPU does the work here.

    Raises:
        SettingsError: torch is not installed, or the config requires a GPU and there is none.
    """
    _need_torch()
    import torch

    found = config.use_gpu and torch.cuda.is_available()
    if config.require_gpu and not found:
        raise SettingsError("the job's config says require_gpu, and torch finds no GPU here")
    if config.use_gpu and not found:
        logger.info("no GPU here: line detection runs on the CPU")
    return found


def choose_model(
    model_path: Path | None, config: Ldv1Config, pinned: Pinned = _nobody, *, gpu: bool, passes: int
) -> LineModel:
    """The model, ready to run on a GPU or by what suits it and this CPU, and proved; else as `start_engine`."""
    import torch

    from bec_ldv1.network.arithmetic import choose_precision
    from bec_ldv1.network.checkpoint import read_model
    from bec_ldv1.network.proof import Proof
    from bec_ldv1.network.runtime import on_cpu

    if config.compile_model and config.runtime == "openvino":
        raise SettingsError(
            'the job\'s config says "compile_model", which is torch\'s, and "runtime": "openvino"'
        )
    cv2.setNumThreads(1)  # the pages run side by side already
    device, checkpoint = torch.device("cuda" if gpu else "cpu"), read_model(model_path)
    precision = choose_precision(
        device,
        is_box=checkpoint.is_box,
        wanted=config.precision,
        pinned=pinned(checkpoint.model.sha256),
    )
    if not gpu:
        torch.set_num_threads(1)  # one pass a core, instead of all cores for one pass
        if not config.compile_model:
            return on_cpu(checkpoint, precision, wanted=config.runtime, passes=passes)
    model = checkpoint.on(device, precision)
    Proof.shipped().holds(model)
    return model


def engine_of(model: LineModel, config: Ldv1Config, *, passes: int) -> Engine:
    """An engine for a chosen model; ``passes`` run side by side on a CPU."""
    from bec_ldv1.network.engine import Engine

    if model.device.type == "cuda":
        most = config.max_tiles_per_batch
        engine = Engine(model, batch_tiles=most, max_tiles=4 * most)
    else:
        engine = Engine(model, batch_tiles=cpu_batch_tiles(model, config), threads=passes)
    if config.compile_model:
        model.network.compile()
    logger.info("model {} ({}…): {}", model.name, model.sha256[:8], engine.in_words)
    return engine


def cpu_batch_tiles(model: LineModel, config: Ldv1Config) -> int:
    """How many tiles at most go through the model at once on a CPU."""
    from bec_ldv1.network.line_model import Precision

    most = _BFLOAT16_BATCH_TILES if model.precision is Precision.BFLOAT16 else _CPU_BATCH_TILES
    return min(most, config.max_tiles_per_batch)


def _need_torch() -> None:
    """Say how to install torch where it is missing."""
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise SettingsError(
            'line detection needs torch, which is not installed here: pip install "bec-ldv1[torch]" '
            "(reading its results, bec_ldv1.artifacts, works without)"
        ) from error
