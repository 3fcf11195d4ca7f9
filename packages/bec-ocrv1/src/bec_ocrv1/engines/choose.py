"""From a job's config and a machine to an engine."""

from __future__ import annotations

import onnxruntime as ort  # type: ignore[import-untyped]  # onnxruntime ships no types
from loguru import logger

from bec_core import SettingsError, WorkerSetup
from bec_ocrv1.config import Ocrv1Config
from bec_ocrv1.reading import Recogniser

RESOURCE = "model"
"""The resource that names a field model's folder."""

_GPU, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def build_engine(setup: WorkerSetup) -> Recogniser:
    """The engine that the config means, loaded and tried.

    Raises:
        SettingsError: the engine, its model or a GPU is not here; the message says what is wrong or what to install.
    """
    config: Ocrv1Config = setup.config
    resource = setup.resources.get(RESOURCE)
    if resource is not None and config.model != "onnx":
        raise SettingsError(
            f'a resource "{RESOURCE}" is given ({resource.url}), and the job\'s config says model {config.model}: '
            f'say {{"model": "onnx"}} to read with it, or leave the resource out'
        )
    engine: Recogniser
    if config.model == "tesseract":
        from bec_ocrv1.engines.tesseract import find_tesseract

        if config.require_gpu:
            raise SettingsError("the job's config says require_gpu, and Tesseract runs on the CPU")
        engine = find_tesseract(config.lang)
    elif config.model == "onnx":
        from bec_ocrv1.engines.field.engine import open_field_model

        if resource is None:
            raise SettingsError(
                f'the job\'s config says model onnx, and no resource "{RESOURCE}" names its folder: '
                f'{{"resources": {{"{RESOURCE}": "/path or s3://…"}}}} in the config, or '
                f"--resource {RESOURCE}=/path for this worker"
            )
        engine = open_field_model(resource.path, resource.sha256, config, providers(config))
    else:
        from bec_ocrv1.box.recogniser import BoxRecogniser

        if config.require_gpu:
            raise SettingsError("the job's config says require_gpu, and the model in the box runs on the CPU")
        engine = BoxRecogniser.load(decoder=config.decoder, beam_width=config.beam_width)
    logger.info("engine {} ({}…) in {}", engine.name, engine.sha256[:8], engine.arithmetic)
    return engine


def providers(config: Ocrv1Config) -> list[str]:
    """What onnxruntime runs a model on, the first that works.

    Raises:
        SettingsError: the config requires a GPU, and this onnxruntime has none.
    """
    if config.use_gpu and _GPU in ort.get_available_providers():
        return [_GPU, _CPU]
    if config.require_gpu:
        raise SettingsError(
            "the job's config says require_gpu, and onnxruntime finds no GPU here: "
            "pip install 'bec-ocrv1[cuda]' on a machine with CUDA"
        )
    return [_CPU]
