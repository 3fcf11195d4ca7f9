"""Where a text is cut into syllables.

The boundaries are those of ``tibetan-wer`` 2, so that syllable error rates can be compared with those that
others report: white space (a line break too), tsheg, shad in all its forms, head marks and brackets. They
are dropped, not compared.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

BOUNDARIES = (
    "\u0f04-\u0f14"  # head marks, tsheg and its relatives, shads, gter tsheg
    "\u0f34"  # bsdus rtags
    "\u0f3a-\u0f3d"  # brackets
    "\u0fd0-\u0fd4"  # more head marks, nyis tsheg
    "\u0fd9\u0fda"  # mchan rtags
)
"""The characters beside white space that end a syllable, as the inside of a regular expression's class."""

_SYLLABLE = re.compile(rf"[^\s{BOUNDARIES}]+")


def syllables(lines: Sequence[str]) -> list[str]:
    """The syllables of a page's lines, in NFC, in reading order."""
    return _SYLLABLE.findall(unicodedata.normalize("NFC", "\n".join(lines)))
