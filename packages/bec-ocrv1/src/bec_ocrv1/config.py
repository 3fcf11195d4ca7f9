"""The config of an ocrv1 job."""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen, validators

from bec_core import between, option

_LANGUAGES = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_/-]*(\+[A-Za-z0-9_][A-Za-z0-9_/-]*)*")


def _check_languages(_: object, __: object, value: str) -> None:
    """Language names become arguments of a program and parts of paths."""
    if not _LANGUAGES.fullmatch(value) or "//" in value:
        raise ValueError(f"{value!r} names no language")


@frozen(kw_only=True)
class Ocrv1Config:
    """Which engine reads the lines, and how its output becomes text."""

    model: Literal["box", "tesseract", "onnx"] = option(
        "box",
        "The engine: the model in the box, the program Tesseract, or a model in the field's ONNX format, "
        'which the resource "model" names.',
        allowed="box, tesseract or onnx",
    )
    lang: str = option(
        "bod",
        "Tesseract's language, several joined by '+'; the other engines' models know theirs.",
        allowed="names of Tesseract's languages",
        validator=_check_languages,
    )
    decoder: Literal["beam", "greedy"] = option(
        "beam",
        "How the network's output becomes text: the most probable text by a beam search (the model in the box "
        "with its language model), or the most probable class of every step. Tesseract has a decoder of its own.",
        allowed="beam or greedy",
    )
    beam_width: int | None = option(
        None,
        "How many texts the beam search keeps; null: as many as suit the model in the box, 16 for another model.",
        validator=validators.optional(validators.and_(validators.ge(2), validators.le(256))),
        allowed="2 to 256, or null",
    )
    use_gpu: bool = option(
        True, "Run a model of the field's on a GPU, where onnxruntime has one.", results=False
    )
    require_gpu: bool = option(
        False, "Refuse to start without one; the other engines run on the CPU.", results=False
    )
    lines_per_batch: int = option(
        8, "Lines of a page that go through a model of the field's at once.", results=False, **between(1, 256)
    )
