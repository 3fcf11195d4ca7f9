"""A line of Tibetan print and its text: drawn with the font DDC Uchen (SIL Open Font License 1.1)."""

from __future__ import annotations

from pathlib import Path

from rapidfuzz.distance import Levenshtein

LINE = Path(__file__).parent.parent / "ocrv1" / "data" / "line.png"
TEXT = "བཀྲ་ཤིས་བདེ་ལེགས་ཕུན་སུམ་ཚོགས། །རྟག་ཏུ་བདེ་བ་ཐོབ་པར་ཤོག །"


def distance(one: str, other: str) -> int:
    """Edits between two texts, spaces left out."""
    return Levenshtein.distance("".join(one.split()), "".join(other.split()))
