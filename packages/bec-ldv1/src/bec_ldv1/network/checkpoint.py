"""Reading model files: the box model in the wheel, and checkpoints in the contract's format. Weights, never code."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import nn

from bec_ldv1.errors import CheckpointError
from bec_ldv1.network.arithmetic import choose_precision
from bec_ldv1.network.box import CELL, STRIDE, BoxNet
from bec_ldv1.network.deeplab import DeepLabV3Plus
from bec_ldv1.network.line_model import LineModel, Precision, place
from bec_ldv1.page.contours import Postprocess
from bec_ldv1.page.prepare import Preparation
from bec_ldv1.page.scale import TILE

BOX_FORMAT = "bec-box"
BOX_VERSION = 3
_WITHOUT_STEP = 2
"""Its models take whole tiles only."""
_WITHOUT_PREPARATION = 1
"""Nor had this one a preparation: its models want the contract's."""
_HEAD = "segmentation_head.0.weight"
_EXPECTED = (
    "expected a torch file {'state_dict': …} of segmentation_models_pytorch's "
    "DeepLabV3Plus(encoder_name='resnet34', classes=1), or a file of this package's training"
)
_SHOWN_KEYS = 5


@attrs.frozen(eq=False)
class Checkpoint:
    """A model file's content, which runs nowhere yet.

    Attributes:
        model: as on a CPU in float32, but not made ready to run.
        is_box: it is of this package's training, not in the contract's format.
    """

    model: LineModel
    is_box: bool

    def on(self, device: torch.device, precision: Precision) -> LineModel:
        """The model, ready to run there; the checkpoint is of no use any more."""
        network = place(self.model.network, device, precision)
        return attrs.evolve(self.model, network=network, device=device, precision=precision)


def load_model(path: Path | None = None, precision: Precision | None = None) -> LineModel:
    """Load a model and make it ready on the CPU, in the arithmetic that `choose_precision` chooses unless one is given.

    Raises:
        CheckpointError: as `read_model`.
    """
    checkpoint, cpu = read_model(path), torch.device("cpu")
    return checkpoint.on(cpu, precision or choose_precision(cpu, is_box=checkpoint.is_box))


def read_model(path: Path | None = None) -> Checkpoint:
    """Read a checkpoint in the contract's format or one like the box model; None is the model in the wheel.

    Raises:
        CheckpointError: there is no such file, or it is no model; says what was expected and what was found.
    """
    if path is None:
        with as_file(files("bec_ldv1.network") / "weights" / "box.pt") as box:
            return _load(box, "box")
    return _load(path, path.name)


def _load(path: Path, name: str) -> Checkpoint:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CheckpointError(f"can't read the model file {path}: {error.strerror}") from error
    content = _read(path)
    is_box = content.get("format") == BOX_FORMAT
    network: nn.Module
    if is_box:
        network, settings = _box(path, content)
    else:
        network, settings = _deeplab(path, content), _Settings()
    model = LineModel(
        network=network,
        channels=1 if is_box else 3,
        name=name,
        sha256=digest,
        postprocess=settings.postprocess,
        device=torch.device("cpu"),
        precision=Precision.FLOAT32,
        preparation=settings.preparation,
        step=settings.step,
        cell=CELL if is_box else 1,
    )
    return Checkpoint(model, is_box)


def _read(path: Path) -> Mapping[str, Any]:
    """The file's dictionary; torch reads tensors and plain values and refuses everything else."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is not a file of weights alone, and code in a model file is never run; {_EXPECTED}; "
            f"found: {_first_line(error)}"
        ) from error
    except Exception as error:  # torch.load raises nearly any type on a file of another kind
        raise CheckpointError(f"{path} is no model file; {_EXPECTED}; found: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is no model file; {_EXPECTED}; found a {type(content).__name__}")
    return content


def _first_line(error: Exception) -> str:
    """The beginning of what torch says, which can be a page long."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _state_dict(path: Path, content: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The weights by name, without the prefix that data-parallel training leaves."""
    state = content.get("state_dict")
    if not isinstance(state, dict) or not state:
        found = ", ".join(repr(key) for key in list(content)[:_SHOWN_KEYS]) or "nothing"
        raise CheckpointError(f"{path} has no 'state_dict'; {_EXPECTED}; found the keys {found}")
    plain = {str(key).removeprefix("module."): value for key, value in state.items()}
    for key, value in plain.items():
        if not isinstance(value, torch.Tensor):
            raise CheckpointError(f"{path}: {key} is a {type(value).__name__}; {_EXPECTED}")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {key} holds values that are not numbers; the file is damaged")
    return plain


def _deeplab(path: Path, content: Mapping[str, Any]) -> DeepLabV3Plus:
    state = _state_dict(path, content)
    head = state.get(_HEAD)
    if head is not None and head.ndim == 4 and head.shape[0] != 1:
        raise CheckpointError(f"{path} tells {head.shape[0]} classes apart; {_EXPECTED}")
    with torch.device("meta"):  # its random weights would take longer than reading the file
        network = DeepLabV3Plus()
    _fill(path, network, state)
    return network


@attrs.frozen
class _Settings:
    """What a model's file says beside its weights; the defaults are the contract's."""

    postprocess: Postprocess = Postprocess()
    preparation: Preparation = Preparation()
    step: int = TILE

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> _Settings:
        """Those of a file of this package's training; raises KeyError, TypeError or ValueError."""
        version = content["version"]
        step = TILE if version <= _WITHOUT_STEP else content["step"]
        if not isinstance(step, int) or step < STRIDE or step % STRIDE or TILE % step:
            raise ValueError(f"'step' must be a multiple of {STRIDE} that {TILE} is one of, got {step!r}")
        return cls(
            Postprocess(**content["postprocess"]),
            Preparation(**({} if version == _WITHOUT_PREPARATION else content["preparation"])),
            step,
        )


def _box(path: Path, content: Mapping[str, Any]) -> tuple[BoxNet, _Settings]:
    version = content.get("version")
    if version not in (_WITHOUT_PREPARATION, _WITHOUT_STEP, BOX_VERSION):
        raise CheckpointError(
            f"{path} has version {version!r} of the format {BOX_FORMAT}; "
            f"this bec-ldv1 reads {_WITHOUT_PREPARATION} to {BOX_VERSION}"
        )
    try:
        with torch.device("meta"):
            network = BoxNet(**content["architecture"])
        settings = _Settings.of(content)
    except (KeyError, TypeError, ValueError) as error:
        known = ", ".join(field.name for kind in (Postprocess, Preparation) for field in attrs.fields(kind))
        raise CheckpointError(
            f"{path}: its 'architecture', 'postprocess', 'preparation' or 'step' doesn't fit this bec-ldv1, whose "
            f"settings are {known}: {error}"
        ) from error
    _fill(path, network, _state_dict(path, content))
    return network, settings


def _fill(path: Path, network: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Give the weights to a network; every name and shape must fit (batch counters may be absent)."""
    wanted = network.state_dict()
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in wanted]
    shapes = [
        f"{key} is {tuple(state[key].shape)} instead of {tuple(value.shape)}"
        for key, value in wanted.items()
        if key in state and state[key].shape != value.shape
    ]
    problems = [
        f"{len(found)} {what} ({', '.join(found[:_SHOWN_KEYS])}{' …' if len(found) > _SHOWN_KEYS else ''})"
        for what, found in (
            ("names are missing", missing),
            ("names are unknown", unexpected),
            ("shapes differ", shapes),
        )
        if found
    ]
    if problems:
        raise CheckpointError(f"{path} doesn't fit the network: {'; '.join(problems)}; {_EXPECTED}")
    filled = {
        key: state[key].to(value.dtype) if key in state else torch.zeros((), dtype=value.dtype)
        for key, value in wanted.items()
    }
    network.load_state_dict(filled, assign=True)
