"""A field model's graph: checked against its description, then run.

A blank line goes through it when it is loaded, so that a wrong folder ends the worker before any volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort  # type: ignore[import-untyped]  # onnxruntime ships no types
from attrs import evolve, frozen

from bec_ocrv1.engines.field.model_folder import FieldModel, ModelFolderError
from bec_ocrv1.engines.field.prepare import Plane, prepared

Scores = npt.NDArray[np.float32]
"""A line's logits, time × classes."""

_FATAL_ONLY = 4
_NO_LINE = np.full((8, 8), 255, np.uint8)


@frozen(eq=False)
class FieldNetwork:
    """A loaded model; may be run by several threads at once.

    Attributes:
        model: its description, completed by what the graph says.
        classes: how many classes the graph has: those of the charset, or one more, its blank, in front of them.
        classes_last: its output is time × classes, not classes × time.
        batch: how many lines the graph takes at once; None is any number.
    """

    model: FieldModel
    classes: int
    classes_last: bool
    batch: int | None
    _session: ort.InferenceSession

    @property
    def labels(self) -> tuple[str, ...]:
        """What each class spells; class 0 is the blank, which spells nothing."""
        charset = self.model.charset
        return ("", *(charset if self.classes > len(charset) else charset[1:]))

    @property
    def arithmetic(self) -> str:
        """What it calculates in, and where if that is no CPU: a GPU's sums differ in the last digits."""
        provider = str(self._session.get_providers()[0]).removesuffix("ExecutionProvider")
        return "float32" if provider == "CPU" else f"float32 {provider}"

    def scores(self, lines: Sequence[Plane], at_once: int) -> list[Scores]:
        """The lines' scores, in their order; ``at_once`` lines go through a graph that takes any number.

        Raises:
            ModelFolderError: the graph can't be run.
        """
        found: list[Scores] = []
        step = self.batch or at_once
        for start in range(0, len(lines), step):
            part = list(lines[start : start + step])
            missing = [_NO_LINE] * ((self.batch or len(part)) - len(part))
            output = _outputs(self._session, self.model, [*part, *missing])[: len(part)]
            found += [one if self.classes_last else one.T for one in output]
        return found


def load_network(model: FieldModel, providers: Sequence[str]) -> FieldNetwork:
    """Load a model's graph and try it.

    Raises:
        ModelFolderError: the file is no ONNX model, or its graph is not what the description says.
    """
    try:
        session = _session(str(model.file), providers)
    except Exception as error:  # onnxruntime's own errors have no common base that it documents
        raise ModelFolderError(f"{model.file} can't be loaded as an ONNX model: {error}") from error
    model = evolve(
        model,
        input_layer=_tensor_name(model, "input_layer", session.get_inputs()),
        output_layer=_tensor_name(model, "output_layer", session.get_outputs()),
    )
    shape = next(tensor.shape for tensor in session.get_inputs() if tensor.name == model.input_layer)
    sizes = [size if isinstance(size, int) and size > 0 else None for size in shape]
    model = _with_input_sizes(model, sizes)
    classes, last = _axes(model, _outputs(session, model, [_NO_LINE] * (sizes[0] or 1))[0].shape)
    return FieldNetwork(model, classes, last, sizes[0], session)


def _session(path: str, providers: Sequence[str]) -> ort.InferenceSession:
    """A graph ready to run. One thread a call: pages are read side by side already, and order decides no sum."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _FATAL_ONLY
    return ort.InferenceSession(path, options, providers=list(providers))


def _tensor_name(model: FieldModel, key: str, tensors: Sequence[Any]) -> str:
    """The tensor that the description names, or the only one."""
    names = [str(tensor.name) for tensor in tensors]
    said: str | None = getattr(model, key)
    if said is None and len(names) == 1:
        return names[0]
    if said is None or said not in names:
        raise ModelFolderError(
            f"{model.file}: {key} is {'not said' if said is None else repr(said)}; the graph has {', '.join(names)}"
        )
    return said


def _with_input_sizes(model: FieldModel, sizes: list[int | None]) -> FieldModel:
    """The description, completed by the input's shape, which it must not contradict."""
    squeezed = len(sizes) == 3 if model.squeeze_channel_dim is None else model.squeeze_channel_dim
    axes = 3 if squeezed else 4
    where = f"{model.file}: the input {model.input_layer} is {_shown(sizes)}"
    if len(sizes) != axes or (not squeezed and sizes[1] not in (1, None)):
        wanted = "3 axes" if squeezed else "4 axes, the second of size 1"
        raise ModelFolderError(f"{where}; with squeeze_channel_dim {_yes(squeezed)} it must have {wanted}")
    width, height = sizes[-2:] if model.swap_hw else sizes[:-3:-1]
    return evolve(
        model,
        squeeze_channel_dim=squeezed,
        input_width=_side(model, where, "input_width", width),
        input_height=_side(model, where, "input_height", height),
    )


def _side(model: FieldModel, where: str, key: str, stated: int | None) -> int:
    """A side of the input as the folder or the graph says it; both must agree."""
    said: int | None = getattr(model, key)
    if said is not None and stated is not None and said != stated:
        raise ModelFolderError(f"{where}; {key} {said} with swap_hw {_yes(model.swap_hw)} does not fit")
    size = stated if said is None else said
    if size is None:
        raise ModelFolderError(f"{where}, and the folder does not say {key}")
    return size


def _axes(model: FieldModel, shape: tuple[int, ...]) -> tuple[int, bool]:
    """The number of classes, and whether their axis is the last of a line's output, which has this shape."""
    own = len(model.charset)
    counts = (own + 1,) if model.add_blank else (own + 1, own)
    for count in counts:
        for last in (True, False):
            if shape[1 if last else 0] == count:
                return count, last
    said = "not said" if model.add_blank is None else _yes(model.add_blank)
    raise ModelFolderError(
        f"{model.file}: the output {model.output_layer} is {_shown(shape)} a line; the charset of {own} with "
        f"add_blank {said} asks for {' or '.join(map(str, counts))} classes"
    )


def _outputs(
    session: ort.InferenceSession, model: FieldModel, lines: Sequence[Plane]
) -> npt.NDArray[np.float32]:
    """What the graph gives for lines: lines × two axes."""
    batch = np.stack([_tensor(model, line) for line in lines])
    try:
        (output,) = session.run([model.output_layer], {model.input_layer: batch})
        output = np.asarray(output, np.float32)
    except Exception as error:  # onnxruntime's own errors have no common base that it documents
        raise ModelFolderError(
            f"{model.file} can't be run on {_shown(batch.shape)} values: {error}"
        ) from error
    if output.ndim == 2 and len(batch) == 1:
        output = output[None]
    if output.ndim != 3 or len(output) != len(batch):
        raise ModelFolderError(
            f"{model.file}: the output {model.output_layer} is {_shown(output.shape)} for {len(batch)} lines, "
            f"neither lines × classes × time nor lines × time × classes"
        )
    return output


def _tensor(model: FieldModel, line: Plane) -> npt.NDArray[np.float32]:
    """A line as the graph takes it, without the axis of the batch."""
    assert model.input_width is not None
    assert model.input_height is not None
    values = prepared(line, model.input_width, model.input_height)
    if model.swap_hw:
        values = np.ascontiguousarray(values.T)
    return values if model.squeeze_channel_dim else values[None]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _shown(sizes: Sequence[int | None]) -> str:
    return " × ".join("any" if size is None else str(size) for size in sizes)
