"""File names for what is exported, from image names that a stranger chose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]')
_LONGEST = 200  # bytes: file systems take 255, and a suffix and a number come behind


def file_stems(images: Sequence[str]) -> list[str]:
    """One name without a suffix per image, in the same order, no two alike in any case of letters.

    It is the image's name without its suffix; with it (``1.tif``) where two images differ in nothing else. What a
    file system might refuse becomes ``_``, and what then still comes twice is numbered.
    """
    plain = [_safe(PurePath(image).stem) for image in images]
    often: dict[str, int] = {}
    for stem in plain:
        often[stem.casefold()] = often.get(stem.casefold(), 0) + 1
    taken: set[str] = set()
    stems = []
    for image, stem in zip(images, plain, strict=True):
        wanted = stem if often[stem.casefold()] == 1 else _safe(image)
        name, number = wanted, 1
        while name.casefold() in taken:
            number += 1
            name = f"{wanted}~{number}"
        taken.add(name.casefold())
        stems.append(name)
    return stems


def _safe(name: str) -> str:
    short = _UNSAFE.sub("_", name).encode()[:_LONGEST].decode(errors="ignore")
    return short.strip(". ") or "page"
