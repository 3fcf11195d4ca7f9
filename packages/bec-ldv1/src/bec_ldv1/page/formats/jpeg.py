"""Whether a JPEG's data are all there, which libjpeg knows and Pillow doesn't tell.

Where entropy-coded data end early libjpeg leaves the remaining blocks at zero, which is mid grey, and says so in a
warning that Pillow drops. So a picture that ends in such a block is looked at again: bytes put in before the end
of its data change the picture if, and only if, the decoder still wanted some. ITU-T T.81, annexes B, F and G.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile

import attrs
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]

HOLE = 64
"""So many zero bytes in a row are no picture, unless the code for zero bits says "all flat"."""

SECTOR = 512
"""Disks lose whole sectors."""

SEQUENTIAL = (0xC0, 0xC1)
PROGRESSIVE = 0xC2
USUAL = (*SEQUENTIAL, PROGRESSIVE)
END = b"\xff\xd9"

_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")  # neither a stuffed byte nor a restart
_SCAN_OR_END = re.compile(rb"\xff[\xd9\xda]")
_ZEROS = re.compile(rb"\0+")
_LOUD = b"".join(bytes(range(1, 251, 2)) + bytes((0xFF, 0xD0 + number)) for number in range(8))
"""Bytes that decode to something else than flat blocks, with all restart markers: one of them may be waited for."""


@attrs.frozen
class Structure:
    """What a JPEG's header says.

    Attributes:
        frame: the marker of the frame, SOF0 (0xC0) to SOF15.
        bits: of a sample.
        first_scan: where the first SOS marker stands.
        data_start: where the entropy-coded data behind it begin.
        zeros_are_flat: zero bits mean blocks like the one before, so that long runs of them are natural.
    """

    frame: int
    bits: int
    first_scan: int
    data_start: int
    zeros_are_flat: bool


def structure(data: bytes) -> Structure | None:
    """The header's facts; None where it doesn't lead to a scan."""
    frame, bits, at = 0, 0, 2
    first_symbols: list[int] = []
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if marker == 0xDA:
            return Structure(frame, bits, at, at + 2 + length, not any(first_symbols)) if frame else None
        if marker == 0xC4:
            first_symbols += _first_symbols(body)
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC8, 0xCC) and body:
            frame, bits = marker, body[0]
        at += 2 + length
    return None


def has_end(data: bytes, header: Structure) -> bool:
    """Whether an end-of-image marker follows the first scan's beginning."""
    return data.find(END, header.data_start) >= 0


def with_end(data: bytes) -> bytes:
    """The file with the end-of-image marker that it lacks."""
    return data + (END[1:] if data.endswith(END[:1]) else END)


def is_complete(data: bytes, header: Structure, plane: Plane, decode: Callable[[bytes], Plane]) -> bool:
    """Whether the data of a decoded picture are all there.

    Args:
        data: the file, with an end marker.
        header: of it.
        plane: what it was decoded to, the stored raster.
        decode: makes such a plane of a file.
    """
    if has_hole(data, header):
        return False
    if header.frame == PROGRESSIVE:
        return has_all_scans(data, header)
    return not _ends_grey(plane) or not wants_more(data, header, plane, decode)


def wants_more(data: bytes, header: Structure, plane: Plane, decode: Callable[[bytes], Plane]) -> bool:
    """Whether more data at the end of the (last) scan would change the picture."""
    scan = header.data_start
    if header.frame == PROGRESSIVE:
        scan = _scans(data, header)[-1]
    marker = _MARKER.search(data, scan)
    end = len(data) if marker is None else marker.start()
    return not np.array_equal(plane, decode(data[:end] + _LOUD + (data[end:] or END)))


def has_all_scans(data: bytes, header: Structure) -> bool:
    """Whether a progressive file's scans bring every bit of every coefficient of the first component (the luma)."""
    lacking = dict.fromkeys(range(64), 13)
    first = data[header.first_scan + 5]
    for at in _scans(data, header):
        number = data[at + 2] if at + 2 < len(data) else 0
        components, spectrum = data[at + 3 : at + 3 + 2 * number : 2], data[at + 3 + 2 * number :][:3]
        if len(spectrum) == 3 and first in components:
            lacking.update(dict.fromkeys(range(spectrum[0], spectrum[1] + 1), spectrum[2] & 0xF))
    return not any(lacking.values())


def has_hole(data: bytes, header: Structure) -> bool:
    """Whether zero bytes stand where a part of the data was lost.

    Zero bits decode to coefficients that no picture has, many in a row; unless they are the codes for "as before"
    and "end of block", or belong to a progressive scan. Then a hole is known by its edges, which are sectors'.
    """
    sharp = header.frame not in SEQUENTIAL or header.zeros_are_flat
    least = bytes(SECTOR if sharp else HOLE)
    start = data.find(least, header.data_start)
    if start < 0 or data.find(END, header.data_start, start) >= 0:
        return False  # none, or padding behind the picture
    while start >= 0:
        stop = _behind_zeros(data, start)
        if stop < len(data) and (not sharp or _is_sectors(start, stop)):
            return True
        start = data.find(least, stop)
    return False


def _behind_zeros(data: bytes, start: int) -> int:
    """Where the zero bytes that begin at `start` end."""
    found = _ZEROS.match(data, start)
    return found.end() if found else start


def _scans(data: bytes, header: Structure) -> list[int]:
    """Where the scans' headers stand, of those before the end marker."""
    found = _SCAN_OR_END.finditer(data, header.first_scan)
    return [scan.end() for scan in takewhile(lambda one: one[0] != END, found)]


def _is_sectors(start: int, stop: int) -> bool:
    """Whether a run of zeros is one of whole sectors; a neighbouring byte may be zero by itself."""
    return -start % SECTOR <= 2 and stop % SECTOR <= 2


def _ends_grey(plane: Plane) -> bool:
    """Whether the last block is flat and neither black nor white: what libjpeg leaves there without data.

    Of luma that is 128; inks make other greys of it.
    """
    rows, columns = (side - 1 & ~7 for side in plane.shape)
    block = plane[rows:, columns:]
    return bool(block.min() == block.max() and 32 <= block[0, 0] <= 136)


def _first_symbols(tables: bytes) -> list[int]:
    """The symbol of the first code, which is of zero bits, of each table in a DHT segment."""
    symbols, at = [], 0
    while at + 17 < len(tables):
        symbols.append(tables[at + 17])
        at += 17 + sum(tables[at + 1 : at + 17])
    return symbols
