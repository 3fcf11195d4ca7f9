"""Finding a volume's page images on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bec_ldv1.artifacts.writing.errors import ExportError


def images_of(volume: str, names: Sequence[str], below: Path) -> Path:
    """The folder at or below ``below`` that directly holds all of a volume's pages.

    Page names such as ``0001.jpg`` may be those of many volumes: then it is the folder named like this one, as it is in
    the archive (``W22084-0886``) and in a person's own folders.

    Args:
        volume: the artifacts' name, ``{W_ID}-{I_ID}-{version}``.
        names: the pages' file names.
        below: where to look.

    Raises:
        ExportError: there is none, or more than one; or a name is no file's.
    """
    if odd := [name for name in names if Path(name).name != name]:
        raise ExportError(f"{volume} has a page called {odd[0]!r}, which is no file's name")
    wanted = set(names)
    complete, most, best = [], -1, below
    for folder in sorted([below, *(path for path in below.rglob("*") if path.is_dir())]):
        held = sum((folder / name).is_file() for name in wanted)
        if held == len(wanted):
            complete.append(folder)
        elif held > most:
            most, best = held, folder
    if not complete:
        missing = next(name for name in names if not (best / name).is_file())
        raise ExportError(f"no folder in {below} holds all pages of {volume}; {missing} is not in {best}")
    named = [folder for folder in complete if _is_named(folder.name, volume)]
    chosen = named if len(complete) > 1 else complete
    if len(chosen) != 1:
        others = ", ".join(map(str, complete[:3]))
        raise ExportError(
            f"more than one folder may hold the pages of {volume}: {others}; name the right one"
        )
    return chosen[0]


def _is_named(folder: str, volume: str) -> bool:
    """Whether a folder's name is the end of ``{W_ID}-{I_ID}``; the archive drops the I of I0886."""
    ids = volume.rpartition("-")[0]
    work, _, number = folder.rpartition("-")
    return any(f"-{ids}".endswith(end) for end in (f"-{folder}", f"-{work}-I{number}"))
