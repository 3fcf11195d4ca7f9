"""Spaces, which the network doesn't see: they follow from the shads."""

from __future__ import annotations

import re

_PHRASE_END = re.compile("([།༔])(?=[^༔༽])")


def spaced(text: str) -> str:
    """Return a text with a space after every shad that something follows, as printed texts set it.

    >>> spaced("བཤད།།དེ་ནི་")
    'བཤད། །དེ་ནི་'
    """
    text = re.sub("།(?=.)", "། ", text)
    # A phrase that ends in two shads has its space between them.
    text = re.sub("། ། (?=[^།])", "། །", text)
    return re.sub("༔(?=.)", "༔ ", text)
