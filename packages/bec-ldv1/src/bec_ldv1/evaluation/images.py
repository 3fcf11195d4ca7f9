"""The image of each page of a truth: a file below a folder, or a page in a file of several, as ``bec run`` names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs

from bec_core import SettingsError, image_volumes
from bec_ldv1.evaluation.pages import Names, PageLines, TruthError, composed


@attrs.frozen
class PageSource:
    """Where a page's image is.

    Attributes:
        place: what to call it in messages: the file, or ``name.tif#2`` beside it.
        read: gives its bytes; raises PageError or OSError.
    """

    place: Path
    read: Callable[[], bytes] = attrs.field(repr=False, eq=False)


def find_images(truth: Sequence[PageLines], folder: Path) -> dict[str, PageSource]:
    """The image of each page, by its name: at the truth's own path under ``folder``, else anywhere below it.

    Raises ``TruthError`` that names the pages whose image is not there, or is there twice.
    """
    below: dict[str, list[PageSource]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            below.setdefault(composed(path.name), []).append(PageSource(path, path.read_bytes))
    found = _found(truth, below, folder)
    missing = [page for page in truth if page.name not in found]
    if missing:
        found |= _found(missing, _in_files(folder), folder)
        missing = [page for page in missing if page.name not in found]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        names = ", ".join(page.image for page in missing[:3])
        raise TruthError(f"no image in {folder} for {names}{more}; say where with --images")
    return found


def _found(
    truth: Sequence[PageLines], below: Mapping[str, list[PageSource]], folder: Path
) -> dict[str, PageSource]:
    """The image of each page that has one among those ``below``, which are told by name."""
    names = Names(below)
    found = {}
    for page in truth:
        sources = [source for name in names.meant_by(page.name) for source in below[name]]
        if len(sources) > 1:
            sources = [source for source in sources if source.place == folder / page.image] or sources
        if len(sources) > 1:
            places = f"{len(sources)} places, such as {sources[0].place}"
            raise TruthError(f"{page.image} is in {folder} at {places}")
        if sources:
            found[page.name] = sources[0]
    return found


def _in_files(folder: Path) -> dict[str, list[PageSource]]:
    """The pages that are no files of their own, by name."""
    try:
        volumes, _ = image_volumes(folder)
    except SettingsError:  # nothing in the folder is a volume: then the pages are named as missing
        return {}
    inside: dict[str, list[PageSource]] = {}
    for volume in volumes:
        for name in sorted(volume.names):
            place = volume.place / name
            if not place.exists():
                inside.setdefault(composed(name), []).append(PageSource(place, partial(volume.read, name)))
    return inside
