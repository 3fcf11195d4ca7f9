"""The engine in the box: lines in, readings out, on a CPU with onnxruntime."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]

from bec_ocrv1.box.body import Reals, find_bodies, levelled
from bec_ocrv1.box.prepare import Gray, scaled, stretched
from bec_ocrv1.box.spacing import spaced
from bec_ocrv1.ctc import Decoder, LanguageModel
from bec_ocrv1.reading import GreyLine, Reading

NETWORK, FINDER, LANGUAGE, SETTINGS = "lines.onnx", "bodies.onnx", "letters.lm", "box.json"
"""Files of the weights' folder."""
STEP = 8
"""Columns of one frame of the network: lines are filled to a multiple of them."""


@attrs.frozen
class Settings:
    """What the weights were trained with and are decoded with.

    Attributes:
        alphabet: the network's classes after its blank (class 0), a character each.
        beam, weight, bonus: see `bec_ocrv1.ctc.Decoder`; chosen on rendered lines.
    """

    alphabet: str
    beam: int
    weight: float
    bonus: float


class BoxRecogniser:
    """Reads lines of Tibetan print.

    Args:
        networks: the line network's and the body finder's sessions.
        decoder: of the line network's classes.
        sha256: of all weights.
    """

    name = "box"
    arithmetic = "float32"

    def __init__(self, networks: tuple[Any, Any], decoder: Decoder, sha256: str) -> None:
        self._network, self._finder = networks
        self._decoder = decoder
        self.sha256 = sha256

    @classmethod
    def load(
        cls,
        *,
        decoder: str = "beam",
        beam_width: int | None = None,
        threads: int = 1,
        folder: Traversable | None = None,
    ) -> BoxRecogniser:
        """Load the weights that the package holds, or those of a folder.

        Args:
            decoder: "beam" (with the language model) or "greedy".
            beam_width: readings that the beam keeps; None: the setting that comes with the weights.
            threads: that one line is computed with.

        Raises:
            ValueError: there is no such decoder.
        """
        if decoder not in {"beam", "greedy"}:
            raise ValueError(f"there is no decoder {decoder!r}: it is beam or greedy")
        folder = folder if folder is not None else files("bec_ocrv1.box") / "weights"
        data = {name: (folder / name).read_bytes() for name in (NETWORK, FINDER, LANGUAGE, SETTINGS)}
        settings = Settings(**json.loads(data[SETTINGS]))
        digest = hashlib.sha256()
        for name in sorted(data):
            digest.update(data[name])
        width = 1 if decoder == "greedy" else beam_width or settings.beam
        with (folder / LANGUAGE).open("rb") as file:
            model = LanguageModel.load(file) if width > 1 else None
        return cls(
            (session(data[NETWORK], threads), session(data[FINDER], threads)),
            Decoder(
                ("", *settings.alphabet),
                beam=width,
                model=model,
                weight=settings.weight,
                bonus=settings.bonus,
            ),
            digest.hexdigest(),
        )

    def prepare(self, line: GreyLine) -> Gray | None:
        """Return a line as the network reads it; None: nothing is written there."""
        if min(line.shape) < 2:
            return None
        plain = stretched(line)
        if plain.min() == 255:
            return None
        return scaled(*levelled(plain, find_bodies(plain, self._rows)))

    def logits(self, line: Gray) -> npt.NDArray[np.float32]:
        """Return the network's scores of a prepared line, time × classes."""
        wide = -(-line.shape[1] // STEP) * STEP
        ink = np.zeros((1, 1, line.shape[0], wide), np.float32)
        ink[0, 0, :, : line.shape[1]] = (255 - line.astype(np.float32)) / 255
        return np.asarray(self._network.run(None, {"lines": ink})[0][0], np.float32)

    def read(self, lines: Sequence[GreyLine]) -> list[Reading]:
        """Return the lines' readings; each is the same whatever lines it is read with.

        An image without ink reads as nothing, with confidence 0.
        """
        return [self._read(line) for line in lines]

    def _read(self, line: GreyLine) -> Reading:
        ready = self.prepare(line)
        if ready is None:
            return Reading("", 0.0)
        decoded = self._decoder.decode(self.logits(ready))
        return Reading(spaced(unicodedata.normalize("NFC", decoded.text)), decoded.confidence)

    def close(self) -> None:
        """Nothing is held but memory."""

    def _rows(self, rows: Reals) -> Reals:
        return np.asarray(self._finder.run(None, {"rows": rows})[0], np.float32)


def session(network: bytes, threads: int) -> Any:
    """Return a session on the CPU for an ONNX network."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads would take the processor from other work while nothing is read.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
