"""From a config and a machine to a running engine: device, precision, runtime, threads.

Only here is torch's absence met: the package is also installed without it, to read artifacts. So torch, and what
needs it, is imported when an engine is started.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
from loguru import logger

from bec_core import SettingsError
from bec_ldv1.config import Ldv1Config

if TYPE_CHECKING:
    from bec_ldv1.network.engine import Engine

_BFLOAT16_BATCH_TILES = 2
_CPU_BATCH_TILES = 1  # a core gains nothing by more; see docs/performance.md


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def start_engine(
    model_path: Path | None = None,
    config: Ldv1Config | None = None,
    pinned: Callable[[str], str] = lambda sha256: "",
) -> Engine:
    """Load the model and start an engine that suits this machine; also sets OpenCV's and torch's thread counts.

    Args:
        model_path: the checkpoint; None is the model in the box.
        config: default: the defaults.
        pinned: the arithmetic that a job's other workers run the model of this SHA-256 in; empty if there is none.

    Raises:
        CheckpointError: the model can't be used; the message says what was expected.
        SettingsError: torch is not installed, or OpenVINO where the config asks for it; the config requires a GPU
            and there is none; the job's other workers calculate in what this machine hasn't; or the model errs here.
    """
    _need_torch()
    import torch

    from bec_ldv1.network.arithmetic import choose_precision
    from bec_ldv1.network.checkpoint import read_model
    from bec_ldv1.network.engine import Engine
    from bec_ldv1.network.line_model import Precision
    from bec_ldv1.network.proof import Proof
    from bec_ldv1.network.runtime import on_cpu

    config = config or Ldv1Config()
    if config.compile_model and config.runtime == "openvino":
        raise SettingsError(
            'the job\'s config says "compile_model", which is torch\'s, and "runtime": "openvino"'
        )
    cv2.setNumThreads(1)  # the pages run side by side already
    on_gpu = config.use_gpu and torch.cuda.is_available()
    if config.require_gpu and not on_gpu:
        raise SettingsError("the job's config says require_gpu, and torch finds no GPU here")
    if config.use_gpu and not on_gpu:
        logger.info("no GPU here: line detection runs on the CPU")
    device, checkpoint = torch.device("cuda" if on_gpu else "cpu"), read_model(model_path)
    precision = choose_precision(
        device,
        is_box=checkpoint.is_box,
        wanted=config.precision,
        pinned=pinned(checkpoint.model.sha256),
    )
    if on_gpu:
        model = checkpoint.on(device, precision)
        Proof.shipped().holds(model)
        engine = Engine(
            model, batch_tiles=config.max_tiles_per_batch, max_tiles=4 * config.max_tiles_per_batch
        )
    else:
        torch.set_num_threads(1)  # one pass a core, instead of all cores for one pass
        if config.compile_model:
            model = checkpoint.on(device, precision)
            Proof.shipped().holds(model)
        else:
            model = on_cpu(checkpoint, precision, wanted=config.runtime, passes=cores())
        most = _BFLOAT16_BATCH_TILES if precision is Precision.BFLOAT16 else _CPU_BATCH_TILES
        engine = Engine(model, batch_tiles=min(most, config.max_tiles_per_batch), threads=cores())
    if config.compile_model:
        model.network.compile()
    logger.info("model {} ({}…): {}", model.name, model.sha256[:8], engine.in_words)
    return engine


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
