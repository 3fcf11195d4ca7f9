"""Decoding the output of networks trained with CTC: greedily, or by a beam with a language model of characters.

>>> decoder = Decoder(classes=["", "ཀ", "་"], blank=0)
>>> decoder.decode(logits)  # time × classes
Decoded(text='ཀ་', confidence=0.93)

The beam is compiled by numba. Of what can be installed, `fast-ctc-decode` takes no language model, `pyctcdecode` is a
loop in Python that wants words (22–43 ms a line where this takes a few), and `flashlight-text` needs KenLM, which comes
without wheels and has to be compiled by whoever installs it.
"""

from bec_ocrv1.ctc.decoder import Decoded, Decoder
from bec_ocrv1.ctc.ngram import LanguageModel

__all__ = ["Decoded", "Decoder", "LanguageModel"]
