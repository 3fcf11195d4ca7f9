"""A volume as its job's plugin draws it: the plugin's own report of that volume alone, drawn when somebody looks.

Drawing takes a moment a page, so a page that shows it says how far it is. What is drawn is kept in a private folder
until the process ends, the volumes looked at last; another result of a volume is drawn anew.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from attrs import frozen
from loguru import logger

from bec_core.admin.marks import StandingResult
from bec_core.admin.reports import VolumeReport, write_volume_report
from bec_core.admin.session import Session
from bec_core.models import Job

_KEPT = 40
_AT_ONCE = 2
_AGAIN_S = 60.0
_HEAD = 4096  # a policy is looked for in so many bytes at the beginning of a file
_META = re.compile(r'<meta http-equiv="Content-Security-Policy"\s+content="([^"]*)"', re.IGNORECASE)
_HASH = re.compile(r"'sha256-[A-Za-z0-9+/=]{44}'")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".css": "text/css",
}
"""The kinds of files that a report may have; others are not given out."""


@frozen
class Drawing:
    """How far the drawing of a volume is.

    Attributes:
        key: names it in addresses.
        drawn: so many pictures are there.
        report: what is there when it is complete; None before.
        trouble: why there will be none; None if all is well.
    """

    key: str
    drawn: int
    report: VolumeReport | None
    trouble: Exception | None


class Drawings:
    """Draws volumes in threads of its own.

    Args:
        session: the services.
        kept: so many volumes are kept.
    """

    def __init__(self, session: Session, *, kept: int = _KEPT) -> None:
        self._session = session
        self._kept = kept
        self._folder = Path(tempfile.mkdtemp(prefix="bec-serve-"))  # nobody else may look into it
        self._pool = ThreadPoolExecutor(_AT_ONCE, "bec-serve-draw")
        self._lock = threading.Lock()
        self._begun: OrderedDict[str, Future[VolumeReport]] = OrderedDict()
        self._failed: dict[str, float] = {}

    def of(self, job: Job, result: StandingResult) -> Drawing:
        """The drawing of a job's result of a volume; it is begun when it is asked for first."""
        named = f"{job.id}/{result.volume_id}/{result.version}/{result.result}"
        key = hashlib.sha256(named.encode()).hexdigest()[:32]
        with self._lock:
            future = self._begun.get(key)
            if future is None or self._worth_another_try(key):
                future = self._pool.submit(self._draw, key, job, result)
            self._begun[key] = future
            self._begun.move_to_end(key)
            self._forget_oldest()
        done = future.done()
        trouble = future.exception() if done else None
        return Drawing(
            key,
            0 if done else sum(1 for _ in (self._folder / key).glob("*/thumbs/*")),
            future.result() if done and trouble is None else None,
            trouble if isinstance(trouble, Exception) else None,
        )

    def file(self, key: str, name: str) -> Path | None:
        """A file of a drawing; None if there is none, or none that may be given out."""
        with self._lock:
            if key not in self._begun:
                return None
        folder = (self._folder / key).resolve()
        found = (folder / name).resolve()
        if not found.is_relative_to(folder) or found.suffix not in _TYPES or not found.is_file():
            return None
        return found

    def close(self) -> None:
        """End the threads and remove everything."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _worth_another_try(self, key: str) -> bool:
        """Whether drawing failed a while ago: the store or the archive may be there again."""
        failed = self._failed.get(key)
        if failed is None or time.monotonic() - failed < _AGAIN_S:
            return False
        del self._failed[key]
        return True

    def _draw(self, key: str, job: Job, result: StandingResult) -> VolumeReport:
        folder = self._folder / key
        try:
            return write_volume_report(self._session, job, result.ref, folder)
        except Exception as error:
            self._failed[key] = time.monotonic()
            shutil.rmtree(folder, ignore_errors=True)
            logger.warning("{} of job {} can't be drawn: {}", result.ref, job.name, error)
            raise

    def _forget_oldest(self) -> None:
        for key in [key for key, future in self._begun.items() if future.done()][: -self._kept]:
            del self._begun[key]
            self._failed.pop(key, None)
            shutil.rmtree(self._folder / key, ignore_errors=True)


def headers_of(file: Path) -> dict[str, str]:
    """The headers of a drawing's file. A page may run the scripts whose hashes its own policy names, and nothing else.

    The policy stands at the file's beginning, in the plugin's template, before anything that comes from a volume.
    """
    headers = {"content-type": _TYPES[file.suffix], "cache-control": "private, max-age=600"}
    if file.suffix != ".html":
        return headers
    with file.open("rb") as opened:
        found = _META.search(opened.read(_HEAD).decode("utf-8", "replace"))
    hashes = " ".join(_HASH.findall(found[1].replace("&#39;", "'"))) if found else ""
    headers["content-security-policy"] = (
        f"default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; script-src {hashes or repr('none')};"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    return headers
