"""TIFF files of layouts that Pillow doesn't write: separate planes, packed samples, subfile types, BigTIFF."""

import struct
import zlib
from collections.abc import Mapping, Sequence

import attrs
import numpy as np

SUBFILE, OLD_SUBFILE, PHOTOMETRIC, ORIENTATION, MAX_SAMPLE, TILE_WIDTH, TILE_HEIGHT = (
    254,
    255,
    262,
    274,
    281,
    322,
    323,
)
DEFLATE = 8


@attrs.frozen(eq=False)
class Picture:
    """One directory: samples (height × width, or height × width × 3), how they are stored, and more tags."""

    samples: np.ndarray
    bits: int = 8
    separate: bool = False
    compression: int = 1
    rows: int | None = None
    """Rows of a strip; all if None."""
    tile: int | None = None
    tags: Mapping[int, Sequence[int]] = {}


def tiff_file(*pictures: Picture, order: str = "<", big: bool = False) -> bytes:
    """A file with these directories one behind the other."""
    mark = {"<": b"II", ">": b"MM"}[order]
    offset, count = ("Q", "Q") if big else ("I", "H")
    head = (
        mark + struct.pack(order + "H", 43 if big else 42) + (struct.pack(order + "HH", 8, 0) if big else b"")
    )
    out = bytearray(head + struct.pack(order + offset, 0))
    link = len(head)
    for picture in pictures:
        parts = []
        for part in _parts(picture, order):
            parts.append((len(out), len(part)))
            out += part
        tags = {**_tags(picture), **picture.tags}
        at, length = (324, 325) if picture.tile else (273, 279)
        tags[at], tags[length] = [place for place, _ in parts], [size for _, size in parts]
        out += b"\0" * (len(out) % 2)
        struct.pack_into(order + offset, out, link, len(out))
        room = struct.calcsize("<" + offset)
        late_at = len(out) + struct.calcsize("<" + count) + len(tags) * (4 + 2 * room) + room
        body, late = struct.pack(order + count, len(tags)), b""
        for tag, values in sorted(tags.items()):
            raw = struct.pack(f"{order}{len(values)}I", *values)
            place = (
                raw.ljust(room, b"\0")
                if len(raw) <= room
                else struct.pack(order + offset, late_at + len(late))
            )
            late += b"" if len(raw) <= room else raw
            body += struct.pack(f"{order}HH{offset}", tag, 4, len(values)) + place
        link = len(out) + len(body)
        out += body + bytes(room) + late
    return bytes(out)


def packed(samples: np.ndarray, bits: int) -> bytes:
    """Rows of samples of so many bits, the highest bit first, each row begun with a byte."""
    rows = samples.reshape(len(samples), -1)
    split = np.unpackbits(rows.astype(">u2").view(np.uint8).reshape(len(rows), -1, 2), axis=2)[
        ..., 16 - bits :
    ]
    return np.packbits(split.reshape(len(rows), -1), axis=1).tobytes()


def _tags(picture: Picture) -> dict[int, Sequence[int]]:
    height, width, samples = np.atleast_3d(picture.samples).shape
    tags: dict[int, Sequence[int]] = {
        256: [width], 257: [height], 258: [picture.bits] * samples, 259: [picture.compression],
        PHOTOMETRIC: [2 if samples == 3 else 1], 277: [samples], 278: [picture.rows or height],
        284: [2 if picture.separate else 1],
    }  # fmt: skip
    if picture.tile:
        tags |= {TILE_WIDTH: [picture.tile], TILE_HEIGHT: [picture.tile]}
    return tags


def _parts(picture: Picture, order: str) -> list[bytes]:
    """The strips or tiles."""
    cube = np.atleast_3d(picture.samples)
    planes = [cube[..., number] for number in range(cube.shape[2])] if picture.separate else [cube]
    parts = []
    for plane in planes:
        if picture.tile is None:
            rows = picture.rows or len(plane)
            blocks = [plane[top : top + rows] for top in range(0, len(plane), rows)]
        else:
            side = picture.tile
            fill = [(0, -length % side) for length in plane.shape[:2]] + [(0, 0)] * (plane.ndim - 2)
            full = np.pad(plane, fill)
            blocks = [
                full[top : top + side, left : left + side]
                for top in range(0, full.shape[0], side)
                for left in range(0, full.shape[1], side)
            ]
        parts += [_bytes(block, picture.bits, order) for block in blocks]
    return [zlib.compress(part) for part in parts] if picture.compression == DEFLATE else parts


def _bytes(block: np.ndarray, bits: int, order: str) -> bytes:
    if bits in (8, 16):
        return block.astype(f"{order}u{bits // 8}").tobytes()
    return packed(block, bits)
