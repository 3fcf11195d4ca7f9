"""Which engine a config means, and what is said where it can't be had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from bec_core import ResourceFile, SettingsError, WorkerSetup
from bec_core.job_config import structure_config
from bec_ocrv1.config import Ocrv1Config
from bec_ocrv1.engines.choose import build_engine, providers
from support.bar_volumes import LATIN
from support.field_models import write_model, written
from support.tibetan_lines import LINE, TEXT, distance


def setup(folder: Path | None = None, **config: object) -> WorkerSetup:
    typed, _ = structure_config(config, Ocrv1Config)
    resources = {} if folder is None else {"model": ResourceFile(folder, "5a" * 32, f"file://{folder}")}
    return WorkerSetup(typed, resources=resources)


@pytest.mark.parametrize("decoder", ["beam", "greedy"])
def test_the_model_in_the_box_is_the_default_and_reads(decoder: str) -> None:
    engine = build_engine(setup(decoder=decoder))
    with Image.open(LINE) as image:
        line = np.asarray(image.convert("L"))
    (reading,) = engine.read([line])
    assert engine.name == "box"
    assert len(engine.sha256) == 64
    assert distance(reading.text, TEXT) < 0.1 * len(TEXT)
    assert reading.confidence > 0.7
    engine.close()


def test_a_field_model_is_read_from_its_resource(tmp_path: Path) -> None:
    engine = build_engine(setup(write_model(tmp_path, LATIN), model="onnx"))
    assert engine.sha256 == "5a" * 32
    assert engine.read([written("bde", LATIN)])[0].text == "བདེ"


def test_a_field_model_without_its_resource_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r'model onnx, and no resource "model" names its folder.*--resource model='
    ):
        build_engine(setup(model="onnx"))


@pytest.mark.parametrize("model", ["box", "tesseract"])
def test_a_resource_that_no_engine_would_read_is_refused(tmp_path: Path, model: str) -> None:
    with pytest.raises(SettingsError, match=f'a resource "model" is given .*says model {model}'):
        build_engine(setup(tmp_path, model=model))


def test_a_gpu_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    assert providers(Ocrv1Config(model="onnx")) == both
    assert providers(Ocrv1Config(model="onnx", use_gpu=False)) == both[1:]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both[1:])
    assert providers(Ocrv1Config(model="onnx")) == both[1:]
    with pytest.raises(
        SettingsError, match=r"require_gpu, and onnxruntime finds no GPU here: .*bec-ocrv1\[cuda\]"
    ):
        providers(Ocrv1Config(model="onnx", require_gpu=True))


def test_the_box_needs_no_gpu() -> None:
    with pytest.raises(SettingsError, match="the model in the box runs on the CPU"):
        build_engine(setup(require_gpu=True))


@pytest.mark.parametrize(
    "config",
    [
        {"model": "easter2"},
        {"lang": "../bod"},
        {"lang": "bod+"},
        {"lang": "a//b"},
        {"lang": "-l"},
        {"decoder": "best"},
        {"beam_width": 1},
        {"beam_width": 1000},
        {"lines_per_batch": 0},
    ],
)
def test_a_wrong_config_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(Exception, match=next(iter(config))):
        structure_config(config, Ocrv1Config)


def test_the_guides_example_is_a_config() -> None:
    config, _ = structure_config({"model": "tesseract", "lang": "bod"}, Ocrv1Config)
    assert (config.model, config.lang, config.beam_width) == ("tesseract", "bod", None)
    assert structure_config({"beam_width": None, "lang": "bod+script/Tibetan"}, Ocrv1Config)
