"""A field model as an engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from bec_ocrv1.config import Ocrv1Config
from bec_ocrv1.ctc import Decoder, beam_decoder, greedy_decoder
from bec_ocrv1.engines.field.ewts import to_unicode
from bec_ocrv1.engines.field.model_folder import Encoder, read_model_folder
from bec_ocrv1.engines.field.network import FieldNetwork, load_network
from bec_ocrv1.reading import GreyLine, Reading
from bec_ocrv1.text import recorded
