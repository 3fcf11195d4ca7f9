"""EWTS, the field's Latin spelling of Tibetan, to Unicode."""

from __future__ import annotations

from functools import cache

import pyewts  # type: ignore[import-untyped]  # pyewts ships no types


def to_unicode(text: str) -> str:
    """The text in Tibetan script; a space is the tsheg. What is no EWTS stays as it is.

    A model's mistakes are no markup: brackets and backslashes, which quote in EWTS, are left out.
    """
    plain = text.translate({ord(mark): None for mark in "[]\\"}).strip()
    if plain.startswith("M"):
        # pyewts 1.0 means to spell it "m", and loses all but one letter of the rest of the line
        plain = f"m{plain[1:]}"
    return str(_converter().toUnicode(plain))


@cache
def _converter() -> pyewts.pyewts:
    """One for all threads: converting changes nothing in it."""
    return pyewts.pyewts()
