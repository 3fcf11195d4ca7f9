"""Text that a PDF file has and does not show, for searching and copying.

The letters are those in the picture, so the fonts have none: every character is an empty glyph that knows its Unicode.
Such fonts hold 255 characters each, and there are as many of them as a volume needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import frozen

from bec_ocrv1.artifacts import Point
from bec_ocrv1.export.pdf_file import PdfFile

_CODES = 255
_WIDTH = 500  # of a glyph, in thousandths of the font's size
_SPAN = 100  # codes in one block of a map, as its format wants it


@frozen
class PlacedText:
    """A line's text and where it lies, in points of the page from its lower left corner.

    Attributes:
        text: what it says.
        start: the lower left corner of its box, in the direction of reading.
        length, height: of its box.
        angle: radians, counter-clockwise.
    """

    text: str
    start: Point
    length: float
    height: float
    angle: float


class HiddenFonts:
    """The fonts of a file, which grow with the characters that are asked for."""

    def __init__(self, file: PdfFile) -> None:
        self._file = file
        self._codes: dict[str, int] = {}
        self.number = file.reserve()

    def show(self, placed: Sequence[PlacedText]) -> bytes:
        """The instructions that lay texts on a page."""
        parts = ["BT 3 Tr"]
        for one in placed:
            if one.text and one.length > 0 and one.height > 0:
                parts += self._line(one)
        return " ".join([*parts, "ET"]).encode("ascii")

    def finish(self) -> None:
        """Write the fonts; to be called once, at the end."""
        letters = list(self._codes)
        empty = self._file.add_stream(f"{_WIDTH} 0 0 0 {_WIDTH} 1000 d1".encode("ascii"))
        fonts = [
            self._font(letters[start : start + _CODES], empty) for start in range(0, len(letters), _CODES)
        ]
        named = " ".join(f"/F{index} {number} 0 R" for index, number in enumerate(fonts))
        self._file.put(self.number, f"<< {named} >>")

    def _line(self, placed: PlacedText) -> list[str]:
        across, up = math.cos(placed.angle), math.sin(placed.angle)
        natural = len(placed.text) * _WIDTH / 1000 * placed.height
        x, y = placed.start
        parts = [
            f"{100 * placed.length / natural:.3f} Tz",
            f"{across:.5f} {up:.5f} {-up:.5f} {across:.5f} {x:.2f} {y:.2f} Tm",
        ]
        font, codes = None, ""
        for character in placed.text:
            index = self._codes.setdefault(character, len(self._codes))
            if index // _CODES != font:
                if codes:
                    parts.append(f"<{codes}> Tj")
                font, codes = index // _CODES, ""
                parts.append(f"/F{font} {placed.height:.2f} Tf")
            codes += f"{index % _CODES + 1:02X}"
        return [*parts, f"<{codes}> Tj"]

    def _font(self, letters: Sequence[str], empty: int) -> int:
        names = " ".join("/g" for _ in letters)
        widths = " ".join(str(_WIDTH) for _ in letters)
        unicode_map = self._file.add_stream(_unicode_map(letters))
        return self._file.add(
            f"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 {_WIDTH} 1000] /FontMatrix [0.001 0 0 0.001 0 0] "
            f"/CharProcs << /g {empty} 0 R >> /Encoding << /Type /Encoding /Differences [1 {names}] >> "
            f"/FirstChar 1 /LastChar {len(letters)} /Widths [{widths}] /Resources << >> "
            f"/ToUnicode {unicode_map} 0 R >>"
        )


def _unicode_map(letters: Sequence[str]) -> bytes:
    """What each code means."""
    rows = [
        f"<{code:02X}> <{letter.encode('utf-16-be', 'replace').hex().upper()}>"
        for code, letter in enumerate(letters, start=1)
    ]
    blocks = [rows[start : start + _SPAN] for start in range(0, len(rows), _SPAN)]
    listed = "\n".join(f"{len(block)} beginbfchar\n{chr(10).join(block)}\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <FF> endcodespacerange\n{listed}\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end"
    ).encode("ascii")
