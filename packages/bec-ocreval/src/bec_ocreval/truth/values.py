"""The truth of one page, and where it was found."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

from attrs import frozen


@frozen
class TruthPage:
    """One page's true text.

    Attributes:
        lines: in reading order; none for a page that rightly has no text.
        images: what the page's image may be called, whole file names.
        stems: the same without their ending.
        folders: the folders that lead to it, from the top of the truth: some may name its volume.
        source: the file, and the line in it if it holds many pages; for messages.
    """

    lines: tuple[str, ...]
    images: frozenset[str]
    stems: frozenset[str]
    folders: tuple[str, ...]
    source: str


def image_names(image: str) -> tuple[tuple[str, ...], str]:
    """A path to an image, as people write them, in its folders and its file name.

    Names are in NFC, which those on some disks are not.
    """
    path = PurePosixPath(unicodedata.normalize("NFC", image.strip()).replace("\\", "/"))
    parts = [part for part in path.parts if part not in ("/", ".", "..")]
    return tuple(parts[:-1]), parts[-1] if parts else ""


def stem_of(filename: str) -> str:
    """A file name without its ending, in NFC; what stands before the last point."""
    return PurePosixPath(unicodedata.normalize("NFC", filename)).stem
