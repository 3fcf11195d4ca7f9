"""Finding a volume's page images on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bec_core import ImageVolume, SettingsError, image_volumes
from bec_ldv1.artifacts.writing.errors import ExportError


def images_of(volume: str, names: Sequence[str], below: Path) -> ImageVolume:
    """What holds all of a volume's pages: a folder at or below ``below``, or a file that is a volume (a PDF).

    Page names such as ``0001.jpg`` may be those of many volumes: then it is the folder named like this one, as it is in
    the archive (``W22084-0886``) and in a person's own folders.

    Args:
        volume: the artifacts' name, ``{W_ID}-{I_ID}-{version}``.
        names: the pages' names; ``name.tif#2`` is a page of ``name.tif``.
        below: where to look.

    Raises:
        ExportError: there is none, or more than one; or a name is no file's.
    """
    if odd := [name for name in names if Path(name).name != name]:
        raise ExportError(f"{volume} has a page called {odd[0]!r}, which is no file's name")
    wanted = set(names)
    try:
        there, problems = image_volumes(below)
    except SettingsError as error:
        raise ExportError(str(error)) from None
    complete = [one for one in there if wanted <= one.names]
    if not complete:
        nearest = max(there, key=lambda one: len(wanted & one.names), default=None)
        place, held = (below, frozenset[str]()) if nearest is None else (nearest.place, nearest.names)
        missing = next(name for name in names if name not in held)
        unread = "".join(f"; {problem}" for problem in problems[:3])
        raise ExportError(
            f"no folder in {below} holds all pages of {volume}; {missing} is not in {place}{unread}"
        )
    named = [one for one in complete if _is_named(one.place, volume)]
    chosen = named if len(complete) > 1 else complete
    if len(chosen) != 1:
        others = ", ".join(str(one.place) for one in complete[:3])
        raise ExportError(
            f"more than one folder may hold the pages of {volume}: {others}; name the right one"
        )
    return chosen[0]


def _is_named(place: Path, volume: str) -> bool:
    """Whether a place's name is the end of ``{W_ID}-{I_ID}``; the archive drops the I of I0886."""
    ids = volume.rpartition("-")[0]
    work, _, number = place.name.rpartition("-")
    return any(f"-{ids}".endswith(end) for end in (f"-{place.name}", f"-{work}-I{number}", f"-{place.stem}"))
