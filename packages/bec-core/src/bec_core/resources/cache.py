"""What came from elsewhere, kept by its hash. Workers that start at once fetch once; nothing half-fetched has a name.

::

    cache/{sha256}/{name}     a file or folder, whole
    cache/seen/{url's hash}   what an s3:// URL without a hash gave last: the objects' state, and the hash
    cache/locks/…             one for each place, held while it is fetched
    cache/new-{lock}-…        what is being fetched
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from loguru import logger

from bec_core.errors import SettingsError
from bec_core.job import Resource, ResourceFile
from bec_core.resource_place import ResourcePlace
from bec_core.resources.fetch import fetch_https, fetch_s3, state_of
from bec_core.resources.hashes import file_sha256, folder_sha256
from bec_core.storage import S3Options

_POLL_S = 0.1
_SAY_AFTER_S = 2.0


class ResourceCache:
    """Resources from elsewhere, in a folder of this machine.

    Args:
        folder: made when something is fetched.
        s3: how to reach S3.
    """

    def __init__(self, folder: Path, s3: S3Options) -> None:
        self._folder = folder
        self._s3 = s3

    def get(self, resource: Resource, place: ResourcePlace) -> ResourceFile:
        """The resource, fetched if it is not here.

        Raises:
            SettingsError: it is not there, is another one than its hash says, or can't be kept.
            StorageError: the service that has it is in trouble.
        """
        if resource.folder and place.kind == "https":
            raise SettingsError(
                f"resource {resource.name} is a folder, which https can't give: name a path or an s3:// prefix"
            )
        try:
            if place.sha256 and (kept := self._kept(place.sha256, place, resource)):
                return kept
            with self._alone(place):
                return self._get_alone(resource, place)
        except OSError as error:
            raise SettingsError(
                f"resource {resource.name}: {error.filename or self._folder} can't be used: {error.strerror or error}"
                " (BEC_HOME says where resources are kept)"
            ) from error

    def _get_alone(self, resource: Resource, place: ResourcePlace) -> ResourceFile:
        sha256, state = place.sha256, ""
        if sha256 is None:
            state = state_of(place.location, self._s3, folder=resource.folder)
            sha256 = self._seen(place, state)
        if sha256 and (kept := self._kept(sha256, place, resource)):
            return kept
        found = self._fetch(resource, place)
        if place.sha256 is None:
            self._remember(place, state, found.sha256)
        return found

    def _fetch(self, resource: Resource, place: ResourcePlace) -> ResourceFile:
        """Fetch it beside its place, and give it its name when it is whole and right."""
        began = time.monotonic()
        logger.info("fetching resource {} from {}", resource.name, place.location)
        new = self._folder / f"new-{_key(place)}-{uuid.uuid4().hex}"
        (new / "it").mkdir(parents=True)
        try:
            target = new / "it" / place.name
            if place.kind == "https":
                digest = fetch_https(place.location, target)
            else:
                if resource.folder:
                    target.mkdir()
                digest = fetch_s3(place.location, self._s3, target, folder=resource.folder)
            if place.sha256 not in (None, digest):
                raise SettingsError(
                    f"resource {resource.name}: {place.location} has the SHA-256 {digest}, not {place.sha256}"
                )
            home = self._folder / digest
            try:
                (new / "it").rename(home)
            except OSError:
                if not home.is_dir():
                    raise
                self._put_beside(target, home)  # it is there by another name, or damaged
        finally:
            shutil.rmtree(new, ignore_errors=True)
        logger.info("resource {}: {}… in {:.1f} s", resource.name, digest[:12], time.monotonic() - began)
        return ResourceFile(self._folder / digest / place.name, digest, place.location)

    def _put_beside(self, made: Path, home: Path) -> None:
        there = home / made.name
        if there.is_dir():
            shutil.rmtree(there)
        made.replace(there)

    def _kept(self, sha256: str, place: ResourcePlace, resource: Resource) -> ResourceFile | None:
        """What is kept under this hash, if it still has it."""
        path = self._folder / sha256 / place.name
        if not (path.is_dir() if resource.folder else path.is_file()):
            return None
        if (folder_sha256(path) if resource.folder else file_sha256(path)) != sha256:
            logger.warning("{} is damaged: fetching it anew", path)
            return None
        return ResourceFile(path, sha256, place.location)

    # -- what a URL without a hash gave ---------------------------------------------------------------

    def _seen(self, place: ResourcePlace, state: str) -> str | None:
        try:
            said = json.loads((self._folder / "seen" / _hash(place.location)).read_text())
            return str(said["sha256"]) if said["state"] == state else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _remember(self, place: ResourcePlace, state: str, sha256: str) -> None:
        path = self._folder / "seen" / _hash(place.location)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{uuid.uuid4().hex}")
        beside.write_text(json.dumps({"url": place.location, "state": state, "sha256": sha256}))
        beside.replace(path)

    # -- one at a time --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _alone(self, place: ResourcePlace) -> Iterator[None]:
        """Be the only one on this machine that fetches from the place; what a killed one left is removed."""
        lock = self._folder / "locks" / _key(place)
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            began, said = time.monotonic(), False
            while not _locked(descriptor):
                if not said and time.monotonic() - began > _SAY_AFTER_S:
                    logger.info("waiting for another process that fetches {}", place.location)
                    said = True
                time.sleep(_POLL_S)
            for left in self._folder.glob(f"new-{_key(place)}-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _key(place: ResourcePlace) -> str:
    return (place.sha256 or _hash(place.location))[:32]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
