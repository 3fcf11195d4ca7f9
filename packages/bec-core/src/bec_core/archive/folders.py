"""A person's own scans: folders of images on this machine, without a manifest."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from loguru import logger

from bec_core.archive.pages import read_object
from bec_core.archive.paths import is_image_name
from bec_core.errors import InvalidMessage, ManifestMissing, SettingsError, StorageError
from bec_core.models import Page, PageData, Volume, VolumeRef
from bec_core.source import SourceSetup, file_volume, id_of_parts, short_hash, stable_id
from bec_core.storage import FileStore, folder_of_url
from bec_core.text import readable

_DIGITS = re.compile(r"(\d+)")


class LocalFolder:
    """The source whose name is the ``file://`` URL of the volume's folder.

    The pages are the image files directly in it, in natural order (``img2`` before ``img10``), hidden
    ones left out. The version is the MD5 of their names, sizes and times.
    """

    def find(self, place: str) -> list[VolumeRef]:
        """Every folder of images at or below ``place``: a path or its ``file://`` URL."""
        return find_volumes(folder_of_url(place) if place.startswith("file:") else Path(place))

    def resolve(self, ref: VolumeRef) -> Volume:
        """See :meth:`~bec_core.source.Source.resolve`."""
        folder = _folder(ref)
        try:
            found = _images(folder)
        except (FileNotFoundError, NotADirectoryError):
            raise ManifestMissing(f"{ref}: there is no folder {folder}") from None
        except OSError as error:
            raise StorageError(f"{folder}: {error.strerror or error}") from error
        digest = hashlib.md5(usedforsecurity=False)
        for name, status in found:
            digest.update(
                f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape")
            )
        # a name that no object can have is a page all the same: reading it fails, and says so
        names = dict.fromkeys(readable(name) for name, _ in found)
        pages = tuple(Page(index, name) for index, name in enumerate(names))
        times = [status.st_mtime for _, status in found]
        newest = datetime.fromtimestamp(max(times), UTC) if times else None
        return Volume(ref, digest.digest(), digest.hexdigest()[:6], pages, newest)

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """See :meth:`~bec_core.source.Source.read_page`."""
        return read_object(FileStore(_folder(volume.ref), create=False), page.filename)


def open_folders(setup: SourceSetup) -> LocalFolder:
    """The folders of this machine need nothing."""
    return LocalFolder()


def find_volumes(
    folder: Path, *, skip: Path | None = None, files: Mapping[str, str] | None = None
) -> list[VolumeRef]:
    """Every folder at or below ``folder`` that directly holds images, and every file that a source makes a volume of.

    They are in natural order of the paths. ``files`` has the endings of such files (small letters) with the source.

    ``w_id`` comes from the top folder's name, ``i_id`` from the path below it; both stay the same from
    run to run. Hidden folders and ``skip`` (where the output goes) are left out; linked folders are
    followed, but no folder is visited twice. A folder below that can't be read is left out with a warning.

    Raises:
        SettingsError: ``folder`` is no folder, or it can't be read.
    """
    top = folder.resolve()
    if not top.is_dir():
        raise SettingsError(f"{folder} is not a folder")
    w_id = stable_id(top.name)
    left_out = skip.resolve() if skip else None
    visited: set[tuple[int, int]] = set()
    found: list[tuple[tuple[str, ...], VolumeRef]] = []
    pending: list[tuple[tuple[str, ...], Path]] = [((), top)]
    while pending:
        parts, here = pending.pop()
        try:
            status = here.stat()
            if (status.st_dev, status.st_ino) in visited or here.resolve() == left_out:
                continue
            visited.add((status.st_dev, status.st_ino))
            if _images(here):
                found.append((parts, VolumeRef(w_id, _i_id(w_id, parts), here.as_uri())))
            inside = [p for p in here.iterdir() if not p.name.startswith(".")]
            below = [p for p in inside if p.is_dir()]
            for path in inside:
                if (source := (files or {}).get(path.suffix.lower())) and path.is_file():
                    own = (*parts, path.name)
                    found.append((own, file_volume(source, path, w_id=w_id, i_id=_i_id(w_id, own))))
        except OSError as error:
            problem = f"{here} can't be read: {error.strerror or error}"
            if not parts:
                raise SettingsError(problem) from None
            logger.warning("{} (left out)", problem)
            continue
        # last in, first out: the first in natural order is visited first, so it is the one kept of two links
        pending += [
            ((*parts, p.name), p) for p in sorted(below, key=lambda p: natural_key(p.name), reverse=True)
        ]
    found.sort(key=lambda item: [natural_key(part) for part in item[0]])
    return [ref for _, ref in found]


def natural_key(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """A sort key by which ``img2`` comes before ``img10``; numbers come before letters."""
    parts = _DIGITS.split(name)
    return tuple(
        (0, int(part), "") if number % 2 else (1, 0, part.casefold())
        for number, part in enumerate(parts)
        if part
    ), name


def _folder(ref: VolumeRef) -> Path:
    try:
        return folder_of_url(ref.source)
    except SettingsError as error:
        raise InvalidMessage(f"{ref}: {error}") from None


def _images(folder: Path) -> list[tuple[str, os.stat_result]]:
    """The image files directly in ``folder`` in natural order; dangling links are not files."""
    with os.scandir(folder) as entries:
        named = [e for e in entries if not e.name.startswith(".") and is_image_name(e.name)]
    found = [(entry.name, status) for entry in named if (status := _status(entry))]
    return sorted(found, key=lambda item: natural_key(item[0]))


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """The file's status; None for what is no file: gone since, a dangling link or a link to itself."""
    try:
        return entry.stat() if entry.is_file() else None
    except OSError:
        return None


def _i_id(w_id: str, parts: tuple[str, ...]) -> str:
    if not parts:
        return w_id
    i_id = id_of_parts(parts)
    if i_id == w_id:  # the top folder has this one
        i_id = f"{i_id}-{short_hash(parts[0])}"
    return i_id
