"""The directories of a TIFF file: which of them is the page, and what they say of its samples.

TIFF 6.0, with its technical notes on subfile types, and BigTIFF. What is damaged reads as absent: whether the
file can be decoded is told by whoever decodes it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

SUBFILE: Final = 254
OLD_SUBFILE: Final = 255
WIDTH: Final = 256
HEIGHT: Final = 257
BITS: Final = 258
COMPRESSION: Final = 259
PHOTOMETRIC: Final = 262
STRIPS: Final = 273
ORIENTATION: Final = 274
SAMPLES: Final = 277
STRIP_BYTES: Final = 279
MAX_SAMPLE: Final = 281
PLANAR: Final = 284
TILES: Final = 324
TILE_BYTES: Final = 325
SAMPLE_FORMAT: Final = 339

_REDUCED_OR_MASK = 0b101  # bits 0 and 2 of NewSubfileType
_OLD_REDUCED = 2
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # BYTE, SHORT, LONG, LONG8
_OF_PIXELS = (WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, 266, SAMPLES, 278, PLANAR, 317, 322, 323)
"""The tags that tell how an image's samples lie, without where."""

_CCITT = (2, 3, 4)
"""Compressions whose encoders write no long runs of zero bytes, and whose decoder reads on behind a bad code."""
HOLE = 64
"""So many zero bytes where there can't be any are a hole."""


@attrs.frozen
class _Layout:
    """How numbers and directories are written: byte order, and the sizes of BigTIFF or of TIFF."""

    order: str
    big: bool

    @property
    def offset(self) -> str:
        return f"{self.order}{'Q' if self.big else 'I'}"

    @property
    def count(self) -> str:
        return f"{self.order}{'Q' if self.big else 'H'}"

    @property
    def entry(self) -> str:
        """Tag, type, number of values; the values or their offset follow."""
        return f"{self.order}{'HHQ' if self.big else 'HHI'}"

    @property
    def room(self) -> int:
        """Bytes for an offset, or for values that are no longer."""
        return 8 if self.big else 4


@attrs.frozen(eq=False)
class Directory:
    """One directory of a file; integers only.

    Attributes:
        data: the file.
        offset: where the directory begins.
        next_offset: where the next one does; 0 behind the last.
    """

    data: bytes
    offset: int
    next_offset: int
    _layout: _Layout
    _entries: Mapping[int, tuple[int, int, int]]  # tag to type, number of values, place of the values

    def numbers(self, tag: int) -> tuple[int, ...]:
        """A tag's values; none where it is absent, not of integers, or lies outside of the file."""
        kind, count, place = self._entries.get(tag, (0, 0, 0))
        letter = _INTEGERS.get(kind)
        if letter is None or place + count * struct.calcsize(f"<{letter}") > len(self.data):
            return ()
        return struct.unpack_from(f"{self._layout.order}{count}{letter}", self.data, place)

    def number(self, tag: int, default: int) -> int:
        """A tag's first value."""
        return next(iter(self.numbers(tag)), default)

    @property
    def is_page(self) -> bool:
        """Whether this is a page: neither a reduced copy of another image nor a mask."""
        reduced = self.number(OLD_SUBFILE, 0) == _OLD_REDUCED
        return not reduced and not self.number(SUBFILE, 0) & _REDUCED_OR_MASK

    @property
    def used_bits(self) -> int | None:
        """The bits of a sample that are in use, by BitsPerSample and MaxSampleValue; None if 16 and no word."""
        stored = self.number(BITS, 1)
        if stored != 16:
            return stored
        largest = self.number(MAX_SAMPLE, 0)
        return max(8, largest.bit_length()) if 0 < largest < 1 << 16 else None

    def has_hole(self) -> bool:
        """Whether a strip's or tile's data are interrupted by zero bytes that its compression never writes."""
        if self.number(COMPRESSION, 1) not in _CCITT:
            return False
        places = self.numbers(STRIPS) or self.numbers(TILES)
        lengths = self.numbers(STRIP_BYTES) or self.numbers(TILE_BYTES)
        for place, length in zip(places, lengths, strict=False):
            found = self.data.find(b"\0" * HOLE, place, place + length)
            if found >= 0 and self.data[found : place + length].strip(b"\0"):
                return True
        return False

    def as_file(self) -> bytes:
        """The file with this directory as its first one."""
        at = 8 if self._layout.big else 4
        head = self.data[:at] + struct.pack(self._layout.offset, self.offset)
        return head + self.data[len(head) :]

    def alone(self, changes: Mapping[int, Sequence[int]]) -> bytes:
        """The file with one directory, of this one's pixels, behind its data: not turned, with changed tags.

        Args:
            changes: tags and their values instead of this directory's.
        """
        tags = {tag: self.numbers(tag) for tag in (*_OF_PIXELS, STRIPS, STRIP_BYTES, TILES, TILE_BYTES)}
        tags = {tag: tuple(values) for tag, values in {**tags, **changes}.items() if values}
        layout, kind = self._layout, 16 if self._layout.big else 4
        start = len(self.data) + len(self.data) % 2
        body = struct.pack(layout.count, len(tags))
        values_at = (
            start + len(body) + len(tags) * (struct.calcsize(layout.entry) + layout.room) + layout.room
        )
        late = b""
        for tag, values in sorted(tags.items()):
            raw = struct.pack(f"{layout.order}{len(values)}{_INTEGERS[kind]}", *values)
            body += struct.pack(layout.entry, tag, kind, len(values))
            body += raw if len(raw) <= layout.room else struct.pack(layout.offset, values_at + len(late))
            late += b"" if len(raw) <= layout.room else raw
        padded = self.data.ljust(start, b"\0")
        file = padded + body + bytes(layout.room) + late
        return attrs.evolve(self, data=file, offset=start).as_file()


def directories(data: bytes) -> list[Directory]:
    """The directories of a file in their order, as far as they can be read."""
    layout = _Layout("<" if data[:1] == b"I" else ">", big=43 in data[2:4])
    found: dict[int, Directory] = {}
    try:
        (offset,) = struct.unpack_from(layout.offset, data, 8 if layout.big else 4)
        while offset and offset not in found:
            found[offset] = directory = _directory(data, offset, layout)
            offset = directory.next_offset
    except (struct.error, OverflowError):  # it leads out of the file
        pass
    return list(found.values())


def pages(found: Sequence[Directory]) -> list[Directory]:
    """Those of a file's directories that are pages; the largest image where all call themselves reduced."""
    whole = [directory for directory in found if directory.is_page]
    if whole or not found:
        return whole
    return [max(found, key=lambda directory: directory.number(WIDTH, 0) * directory.number(HEIGHT, 0))]


def _directory(data: bytes, offset: int, layout: _Layout) -> Directory:
    (count,) = struct.unpack_from(layout.count, data, offset)
    head, entries = struct.calcsize(layout.entry), {}
    at = offset + struct.calcsize(layout.count)
    for _ in range(count):
        tag, kind, values = struct.unpack_from(layout.entry, data, at)
        size = values * struct.calcsize(f"<{_INTEGERS.get(kind, 'Q')}")
        place = at + head
        if size > layout.room:
            (place,) = struct.unpack_from(layout.offset, data, place)
        entries[tag] = (kind, values, place)
        at += head + layout.room
    (next_offset,) = struct.unpack_from(layout.offset, data, at)
    return Directory(data, offset, next_offset, layout, entries)
