"""A PDF file, written object by object: only the objects' places are held."""

from __future__ import annotations

import zlib
from typing import BinaryIO


class PdfFile:
    """Writes PDF 1.4 to a stream; objects are numbered from 1."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._places: list[int | None] = []
        self._at = 0
        self._write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")

    def reserve(self) -> int:
        """The number of an object that is put later."""
        self._places.append(None)
        return len(self._places)

    def put(self, number: int, body: str) -> None:
        """Write a reserved object: a dictionary or an array."""
        self._object(number, body.encode("ascii"))

    def add(self, body: str) -> int:
        """Write an object; its number."""
        number = self.reserve()
        self.put(number, body)
        return number

    def add_stream(self, data: bytes, entries: str = "", *, packed: bool = False) -> int:
        """Write a stream with more ``entries`` for its dictionary, compressed unless it is ``packed``; its number."""
        number = self.reserve()
        if not packed:
            data = zlib.compress(data, 9)
            entries += " /Filter /FlateDecode"
        head = f"<< /Length {len(data)} {entries} >>\nstream\n".encode("ascii")
        self._object(number, head + data + b"\nendstream")
        return number

    def finish(self, catalog: int, information: int) -> None:
        """Write the table of the objects; all that were reserved must have been put."""
        begin = self._at
        rows = ["0000000000 65535 f \n"]
        for place in self._places:
            assert place is not None
            rows.append(f"{place:010d} 00000 n \n")
        size = len(rows)
        self._write(f"xref\n0 {size}\n{''.join(rows)}".encode("ascii"))
        trailer = f"trailer\n<< /Size {size} /Root {catalog} 0 R /Info {information} 0 R >>\n"
        self._write(f"{trailer}startxref\n{begin}\n%%EOF\n".encode("ascii"))

    def _object(self, number: int, body: bytes) -> None:
        self._places[number - 1] = self._at
        self._write(b"%d 0 obj\n" % number + body + b"\nendobj\n")

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._at += len(data)


def text_string(text: str) -> str:
    """A string of any characters, as PDF writes it outside of pages."""
    return f"<FEFF{text.encode('utf-16-be', 'replace').hex().upper()}>"
