"""A field model as an engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from bec_ocrv1.config import Ocrv1Config
from bec_ocrv1.ctc import Decoder
from bec_ocrv1.engines.field.ewts import to_unicode
from bec_ocrv1.engines.field.model_folder import Encoder, read_model_folder
from bec_ocrv1.engines.field.network import FieldNetwork, load_network
from bec_ocrv1.reading import GreyLine, Reading
from bec_ocrv1.text import recorded

_BEAM = 16
_SPACE = "§"  # how charsets write the space, where a decoder keeps the space itself for its blank


@frozen(eq=False)
class FieldEngine:
    """A `bec_ocrv1.reading.Recogniser`; its graph and decoder may be used by several threads at once."""

    name: str
    sha256: str
    arithmetic: str
    _network: FieldNetwork
    _decoder: Decoder
    _lines_per_batch: int

    def read(self, lines: Sequence[GreyLine]) -> list[Reading]:
        """The lines' texts, in their order.

        Raises:
            ModelFolderError: the graph can't be run.
        """
        found = map(self._decoder.decode, self._network.scores(lines, self._lines_per_batch))
        return [Reading(self._spelt(reading.text), reading.confidence) for reading in found]

    def close(self) -> None:
        """The graph goes with the engine."""

    def _spelt(self, text: str) -> str:
        plain = text.replace(_SPACE, " ")
        return recorded(to_unicode(plain) if self._network.model.encoder is Encoder.WYLIE else plain)


def open_field_model(folder: Path, sha256: str, config: Ocrv1Config, providers: Sequence[str]) -> FieldEngine:
    """Load the model of a folder and try it; ``sha256`` is the folder's.

    Raises:
        ModelFolderError: the folder or its model can't be used.
    """
    network = load_network(read_model_folder(folder), providers)
    return FieldEngine(
        name=network.model.name,
        sha256=sha256,
        arithmetic=network.arithmetic,
        network=network,
        decoder=Decoder(network.labels, beam=(config.beam_width or _BEAM) if config.decoder == "beam" else 1),
        lines_per_batch=config.lines_per_batch,
    )
