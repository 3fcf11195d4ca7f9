"""What earlier attempts kept of a task, ready to be taken page by page: on disk, with its index in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from loguru import logger

from bec_core.errors import ObjectNotFound, StorageError
from bec_core.worker.parts.form import KeptPage, from_bytes
from bec_core.worker.parts.place import PartsFolder


@frozen
class Place:
    """Where on the shelf a page's value lies, and what is known of it."""

    name: str
    etag: str
    ms: Mapping[str, float]
    offset: int
    size: int


class Shelf:
    """The pages of parts that are of the same work. Only one part at a time is in memory.

    Args:
        folder: where the file without a name lies that the values wait in; None: the system's.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - close() closes it
        self._end = 0
        self._places: dict[tuple[int, str, int], Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    def fill(self, parts: PartsFolder, identity: Mapping[str, Any], check: Callable[[], None]) -> None:
        """Take what lies in ``parts`` and is of this work; the rest is left where it is, with a word in the log.

        ``check`` is called before each part and may raise to give up.
        """
        others = 0
        for key in parts.keys():  # noqa: SIM118 - it is no mapping
            check()
            try:
                of, pages = from_bytes(parts.store.get(key).data)
            except ObjectNotFound:
                continue  # its task was done meanwhile
            except (StorageError, ValueError) as error:
                logger.warning("{} can't be used, its pages are done anew: {}", key, error)
                continue
            if of != identity:
                others += 1
                continue
            for page in pages:
                self._put(page)
        if others:
            logger.info(
                "{} part(s) of an earlier attempt are of another recipe, input or request and stay unused",
                others,
            )

    def _put(self, page: KeptPage) -> None:
        os.pwrite(self._file.fileno(), page.value, self._end)
        place = Place(page.name, page.etag, page.ms, self._end, len(page.value))
        self._places[page.map, page.returns, page.index] = place
        self._end += place.size

    def find(self, map_number: int, returns: str, index: int) -> Place | None:
        """Where the page's value lies; None: it was not kept."""
        return self._places.get((map_number, returns, index))

    def read(self, place: Place) -> bytes:
        """The value that lies there."""
        return os.pread(self._file.fileno(), place.size, place.offset)

    def close(self) -> None:
        """Drop it."""
        self._file.close()
