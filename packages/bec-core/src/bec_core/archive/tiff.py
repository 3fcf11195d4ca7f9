"""The pages of a multi-page TIFF, and each as a TIFF file of its own, byte for byte as it was encoded.

TIFF 6.0 (Adobe 1992) and BigTIFF (libtiff's design): a chain of directories, each a table of entries whose longer
values, strips and tiles lie anywhere in the file. A page's file is its directory without what points to other
directories, with its values and its strips or tiles moved. Directories that are a page's reduced image or its
mask are no pages.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from attrs import field, frozen

ReadAt = Callable[[int, int], bytes]
"""Bytes of the file: offset, size; fewer at its end."""

_MOST_DIRECTORIES = 65_535
_LIKELY = 2048  # bytes: as long as a scan's directory is, so that one look shows it whole
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

_NEW_SUBFILE_TYPE, _SUBFILE_TYPE = 254, 255
_REDUCED, _MASK = 1, 4  # bits of the first
_OLD_REDUCED = 2  # a value of the second
_PIECES = (
    (273, 279),
    (324, 325),
    (513, 514),
)  # offsets and sizes: of strips, tiles, an old-style JPEG's stream
_ELSEWHERE = frozenset({
    330, 34665, 34853, 40965,  # directories of their own: sub-images, Exif, GPS, interoperability
    288, 289,  # unused parts of the file
    519, 520, 521,  # an old-style JPEG's tables, which its stream has too
})  # fmt: skip
_COMPRESSION, _OLD_JPEG, _OLD_JPEG_STREAM = 259, 6, 513


class TiffError(Exception):
    """A file's structure is none of TIFF's, or lacks what a page needs."""


@frozen
class _Entry:
    """One entry: its values as they are stored."""

    tag: int
    type: int
    count: int
    value: bytes = field(repr=False)


@frozen
class _Layout:
    """How the file writes numbers: byte order, and classic or BigTIFF."""

    order: str
    big: bool

    @property
    def offset(self) -> str:
        return "Q" if self.big else "I"

    @property
    def offset_type(self) -> int:
        return 16 if self.big else 4

    def unpack(self, form: str, data: bytes) -> tuple[int, ...]:
        try:
            return struct.unpack(self.order + form, data[: struct.calcsize(self.order + form)])
        except struct.error:
            raise TiffError("the file ends within a directory") from None

    def pack(self, form: str, *values: int) -> bytes:
        return struct.pack(self.order + form, *values)


def page_directories(read: ReadAt) -> list[int]:
    """Where the directories of the pages lie, in their order.

    The chain is followed as far as it leads: a loop or an end within a directory ends it. So a file that is no TIFF has
    none.
    """
    start = read(0, _LIKELY)
    pages: list[int] = []
    try:
        layout, offset = _header(start)
        seen = set[int]()
        while offset and offset not in seen and len(seen) < _MOST_DIRECTORIES:
            seen.add(offset)
            kinds, following = _kinds_and_next(layout, read, start, offset)
            if _is_page(kinds):
                pages.append(offset)
            offset = following
    except TiffError:
        return pages
    return pages


def page_file(read: ReadAt, directory: int, *, max_bytes: int) -> bytes:
    """The page of this directory as a file of its own.

    Raises:
        TiffError: something that it needs is not there, or it would be larger than ``max_bytes``.
    """
    layout, _ = _header(read(0, 16))
    budget = _Budget(read, max_bytes)
    entries = {
        entry.tag: entry for entry in _entries(layout, budget, directory) if entry.tag not in _ELSEWHERE
    }
    compression = entries.get(_COMPRESSION)
    if compression and _OLD_JPEG_STREAM not in entries and _numbers(layout, compression)[:1] == (_OLD_JPEG,):
        raise TiffError("it is an old-style JPEG in pieces, whose tables can't be moved: save it anew")
    out = bytearray(_new_header(layout))
    for offsets_tag, sizes_tag in _PIECES:
        if offsets_tag in entries:
            moved = _move_pieces(layout, budget, entries, (offsets_tag, sizes_tag), out)
            entries[offsets_tag] = moved
    if not any(tag in entries for tag, _ in _PIECES):
        raise TiffError("it has no strips and no tiles")
    return _with_directory(layout, out, sorted(entries.values(), key=lambda entry: entry.tag))


class _Budget:
    """Reads what lies in the file, and not more than allowed."""

    def __init__(self, read: ReadAt, left: int) -> None:
        self._read = read
        self._left = left

    def __call__(self, offset: int, size: int) -> bytes:
        if size > self._left:
            raise TiffError("the page is larger than a page may be")
        self._left -= size
        data = self._read(offset, size)
        if len(data) < size:
            raise TiffError(f"the file ends {size - len(data):,} bytes before its image data does")
        return data


def _header(start: bytes) -> tuple[_Layout, int]:
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        raise TiffError("it is no TIFF file")
    layout = _Layout(order, big=False)
    (version,) = layout.unpack("H", start[2:])
    if version == 42:
        return layout, layout.unpack("I", start[4:])[0]
    layout = _Layout(order, big=True)
    if version != 43 or layout.unpack("HH", start[4:]) != (8, 0):
        raise TiffError("it is no TIFF file")
    return layout, layout.unpack("Q", start[8:])[0]


def _new_header(layout: _Layout) -> bytes:
    mark = b"II" if layout.order == "<" else b"MM"
    rest = layout.pack("HHHQ", 43, 8, 0, 0) if layout.big else layout.pack("HI", 42, 0)
    return mark + rest


def _kinds_and_next(layout: _Layout, read: ReadAt, start: bytes, offset: int) -> tuple[dict[int, int], int]:
    """The kinds that a directory says it is of, and where the next one lies.

    ``start`` is the file's beginning; one more look shows most directories whole.
    """
    looks: tuple[Callable[[], bytes], ...] = (
        lambda: start[offset:],
        lambda: read(offset, _LIKELY),
        lambda: read(offset, _directory_size(layout, read, offset)),
    )
    for look in looks:
        if (found := _look(layout, look())) is not None:
            return found
    raise TiffError("the file ends within a directory")


def _look(layout: _Layout, data: bytes) -> tuple[dict[int, int], int] | None:
    """The kinds of a directory and where the next one lies; None if ``data`` does not have it whole."""
    counted, entry, _ = _forms(layout)
    at, size = struct.calcsize("<" + counted), struct.calcsize("<" + entry)
    if len(data) < at:
        return None
    end = at + layout.unpack(counted, data)[0] * size
    if len(data) < end + struct.calcsize("<" + layout.offset):
        return None
    kinds = {}
    for place in range(at, end, size):
        tag, type_, _, _ = layout.unpack(entry, data[place : place + size])
        if tag in (_NEW_SUBFILE_TYPE, _SUBFILE_TYPE):
            kinds[tag] = _inline(layout, type_, data[place : place + size])
    return kinds, layout.unpack(layout.offset, data[end:])[0]


def _forms(layout: _Layout) -> tuple[str, str, int]:
    """How a directory's count and an entry are written, and how long a value may be that stands in the entry."""
    return ("Q", "HHQQ", 8) if layout.big else ("H", "HHII", 4)


def _inline(layout: _Layout, type_: int, entry: bytes) -> int:
    form = _INTEGERS.get(type_)
    return layout.unpack(form, entry[-_forms(layout)[2] :])[0] if form else 0


def _directory_size(layout: _Layout, read: ReadAt, offset: int) -> int:
    counted, entry, _ = _forms(layout)
    (number,) = layout.unpack(counted, read(offset, struct.calcsize("<" + counted)))
    if number > _MOST_DIRECTORIES:
        raise TiffError("a directory has more entries than one can have")
    return (
        struct.calcsize("<" + counted)
        + number * struct.calcsize("<" + entry)
        + struct.calcsize("<" + layout.offset)
    )


def _is_page(kinds: dict[int, int]) -> bool:
    reduced = kinds.get(_NEW_SUBFILE_TYPE, 0) & (_REDUCED | _MASK)
    return not reduced and kinds.get(_SUBFILE_TYPE) != _OLD_REDUCED


def _entries(layout: _Layout, read: ReadAt, directory: int) -> Iterator[_Entry]:
    counted, form, room = _forms(layout)
    data = read(directory, _directory_size(layout, read, directory))
    size = struct.calcsize("<" + form)
    at = struct.calcsize("<" + counted)
    for place in range(at, len(data) - struct.calcsize("<" + layout.offset), size):
        tag, type_, count, _ = layout.unpack(form, data[place:])
        length = _SIZES.get(type_, 0) * count
        stored = data[place + size - room : place + size]
        if not length:
            continue  # of a type that nobody knows, so nobody needs it
        value = stored[:length] if length <= room else read(layout.unpack(layout.offset, stored)[0], length)
        yield _Entry(tag, type_, count, value)


def _numbers(layout: _Layout, entry: _Entry) -> tuple[int, ...]:
    form = _INTEGERS.get(entry.type)
    if form is None:
        raise TiffError(f"its tag {entry.tag} holds no numbers")
    return layout.unpack(f"{entry.count}{form}", entry.value)


def _move_pieces(
    layout: _Layout, read: ReadAt, entries: dict[int, _Entry], tags: tuple[int, int], out: bytearray
) -> _Entry:
    """Copy the strips or tiles behind ``out``; the entry of their new offsets. A piece of no size stays one."""
    offsets = _numbers(layout, entries[tags[0]])
    if tags[1] not in entries:
        raise TiffError(f"it does not say how long its image data is (tag {tags[1]})")
    sizes = _numbers(layout, entries[tags[1]])
    if len(offsets) != len(sizes):
        raise TiffError(f"it has {len(offsets)} pieces of image data, and {len(sizes)} sizes of them")
    moved = []
    for offset, size in zip(offsets, sizes, strict=True):
        moved.append(len(out) if size else 0)
        if size:
            out += read(offset, size)
            out += b"\0" * (len(out) % 2)
    return _Entry(
        tags[0], layout.offset_type, len(moved), layout.pack(f"{len(moved)}{layout.offset}", *moved)
    )


def _with_directory(layout: _Layout, out: bytearray, entries: list[_Entry]) -> bytes:
    """``out`` with long values and the directory behind it, and the header's pointer to that."""
    counted, _, room = _forms(layout)
    table = bytearray(layout.pack(counted, len(entries)))
    for entry in entries:
        table += layout.pack("HH" + layout.offset, entry.tag, entry.type, entry.count)
        if len(entry.value) <= room:
            table += entry.value.ljust(room, b"\0")
        else:
            out += b"\0" * (-len(out) % 8)
            table += layout.pack(layout.offset, len(out))
            out += entry.value
    table += layout.pack(layout.offset, 0)
    out += b"\0" * (-len(out) % 8)
    at = 8 if layout.big else 4
    pointer = layout.pack(layout.offset, len(out))
    out[at : at + len(pointer)] = pointer
    return bytes(out + table)
