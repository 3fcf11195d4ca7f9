"""A person's own scans: folders of images on this machine, without a manifest."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath

from attrs import define, field, frozen
from loguru import logger

from bec_core.archive.files import image_etags, pages_in_file, read_image
from bec_core.archive.paths import is_local_image_name, is_resource_fork, page_name
from bec_core.errors import InvalidMessage, ManifestMissing, SettingsError, StorageError
from bec_core.models import MARKER_NAME, Page, PageData, Volume, VolumeRef
from bec_core.source import SourceSetup, file_volume, id_of_parts, short_hash, stable_id
from bec_core.storage import folder_of_url
from bec_core.text import readable

_DIGITS = re.compile(r"(\d+)")


class LocalFolder:
    """The source whose name is the ``file://`` URL of the volume's folder.

    The pages are the image files directly in it, in natural order (``img2`` before ``img10``), hidden
    ones left out; of a TIFF with several pages each is one. The version is the MD5 of the files' names, sizes and
    times.
    """

    def find(self, place: str) -> list[VolumeRef]:
        """Every folder of images at or below ``place``: a path or its ``file://`` URL."""
        return list(find_volumes(folder_of_url(place) if place.startswith("file:") else Path(place)).volumes)

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
        names = dict.fromkeys(
            page_name(readable(name), number)
            for name, status in found
            for number in range(1, pages_in_file(folder / name, status) + 1)
        )
        pages = tuple(Page(index, name) for index, name in enumerate(names))
        times = [status.st_mtime for _, status in found]
        newest = datetime.fromtimestamp(max(times), UTC) if times else None
        return Volume(ref, digest.digest(), digest.hexdigest()[:6], pages, newest)

    def read_page(self, volume: Volume, page: Page) -> PageData:
        """See :meth:`~bec_core.source.Source.read_page`."""
        return read_image(_folder(volume.ref), page.filename)

    def page_etags(self, volume: Volume) -> Mapping[str, str]:
        """See :meth:`~bec_core.source.WithPageEtags.page_etags`: one look at the folder."""
        return image_etags(_folder(volume.ref), [page.filename for page in volume.pages])


def open_folders(setup: SourceSetup) -> LocalFolder:
    """The folders of this machine need nothing."""
    return LocalFolder()


@frozen
class Found:
    """The volumes of a place, and how many files by ending (``.txt``; or what kind of thing) are part of none."""

    volumes: tuple[VolumeRef, ...]
    left_out: Mapping[str, int] = field(factory=dict)


def find_volumes(folder: Path, *, skip: Path | None = None, files: Mapping[str, str] | None = None) -> Found:
    """Every folder at or below ``folder`` that directly holds images, and every file that a source makes a volume of.

    They are in natural order of the paths. ``w_id`` comes from the top folder's name, ``i_id`` from the path below it;
    both stay the same from run to run. Left out are hidden folders and files, what a disk server keeps for itself
    (``@eaDir``), ``skip`` (where the output goes) and what earlier runs wrote, and links that lead out of ``folder``;
    other links are followed, but no folder is visited twice. A folder below that can't be read is left out with a
    warning.

    Args:
        folder: where to look.
        skip: a folder that is not searched.
        files: the endings (small letters) of files that are volumes, with the source of each.

    Raises:
        SettingsError: ``folder`` is no folder, or it can't be read.
    """
    top = folder.resolve()
    if not top.is_dir():
        raise SettingsError(f"{folder} is not a folder")
    walk = _Walk(top, stable_id(top.name), skip.resolve() if skip else None, files or {})
    walk.go()
    walk.found.sort(key=lambda item: [natural_key(part) for part in item[0]])
    return Found(tuple(ref for _, ref in walk.found), dict(sorted(walk.left_out.items())))


@define
class _Walk:
    """One search of a folder and all below it."""

    top: Path
    w_id: str
    skip: Path | None
    files: Mapping[str, str]
    found: list[tuple[tuple[str, ...], VolumeRef]] = field(factory=list)
    left_out: Counter[str] = field(factory=Counter)
    _visited: set[tuple[int, int]] = field(factory=set)

    def go(self) -> None:
        pending: list[tuple[tuple[str, ...], Path]] = [((), self.top)]
        while pending:
            parts, here = pending.pop()
            try:
                below = self._visit(parts, here)
            except OSError as error:
                problem = f"{here} can't be read: {error.strerror or error}"
                if not parts:
                    raise SettingsError(problem) from None
                logger.warning("{} (left out)", problem)
                continue
            # last in, first out: the first in natural order is visited first, so it is the one kept of two links
            below.sort(key=lambda name: natural_key(name), reverse=True)
            pending += [((*parts, name), here / name) for name in below]

    def _visit(self, parts: tuple[str, ...], here: Path) -> list[str]:
        """Take what is a volume of one folder; the names of the folders in it that are to be visited."""
        status = here.stat()
        if (status.st_dev, status.st_ino) in self._visited or here.resolve() == self.skip:
            return []
        self._visited.add((status.st_dev, status.st_ino))
        with os.scandir(here) as scanned:
            entries = list(scanned)
        if _is_our_output({entry.name for entry in entries}):
            return []
        below, has_images = [], False
        for entry in entries:
            if _is_folder(entry):
                if entry.name.startswith(".") or entry.name in _OF_SERVERS:
                    continue
                if entry.is_symlink() and not self._is_inside(entry):
                    self.left_out[_LINKS] += 1
                else:
                    below.append(entry.name)
            elif is_resource_fork(entry.name):
                self.left_out["._*"] += 1
            elif not entry.name.startswith(".") and _status(entry):
                has_images |= self._take_file(parts, entry)
        if has_images:
            self.found.append((parts, VolumeRef(self.w_id, _i_id(self.w_id, parts), here.as_uri())))
        return below

    def _take_file(self, parts: tuple[str, ...], entry: os.DirEntry[str]) -> bool:
        """Whether a file is an image; one that some source takes is a volume, and others are counted."""
        if is_local_image_name(entry.name):
            return True
        ending = PurePath(entry.name).suffix.lower()
        if (source := self.files.get(ending)) is None:
            self.left_out[readable(ending) or _NO_ENDING] += 1
        elif entry.is_symlink() and not self._is_inside(entry):
            self.left_out[_LINKS] += 1
        else:
            own = (*parts, entry.name)
            i_id = _i_id(self.w_id, own)
            self.found.append((own, file_volume(source, Path(entry.path), w_id=self.w_id, i_id=i_id)))
        return False

    def _is_inside(self, entry: os.DirEntry[str]) -> bool:
        return Path(entry.path).resolve().is_relative_to(self.top)


_OF_SERVERS = frozenset({"@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "__MACOSX"})
"""Folders that Synology, QNAP, Windows and macOS make by themselves: previews, deleted files, attributes."""

_LINKS = "links out of the folder"
_NO_ENDING = "files without an ending"


def _is_our_output(names: set[str]) -> bool:
    """Whether a folder of these names is one that BEC wrote: a volume's artifacts, or its part of a report."""
    return MARKER_NAME in names or {"volume.json", "index.html"} <= names


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


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
        named = [e for e in entries if not e.name.startswith(".") and is_local_image_name(e.name)]
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
