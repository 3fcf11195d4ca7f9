"""Getting a resource from elsewhere: a file by https, a file or folder from S3. What comes is hashed on its way."""

from __future__ import annotations

import hashlib
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO

from bec_core.errors import ObjectNotFound, SettingsError, StorageError
from bec_core.resources.hashes import is_hidden, listing_sha256
from bec_core.storage import S3Options, Store, check_key, open_store

_TIMEOUT_S = 30.0
_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.5
_AT_ONCE = 8


def fetch_https(url: str, to: Path) -> str:
    """Write what the URL gives into a new file; its SHA-256. What may pass is tried again.

    Raises:
        SettingsError: the server refuses, or there is no such file.
        StorageError: it can't be reached.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with _opener().open(
                urllib.request.Request(url, headers={"User-Agent": "bec"}), timeout=_TIMEOUT_S
            ) as answer:
                announced = answer.headers.get("Content-Length")
                digest = _write(iter(lambda: answer.read(1 << 20), b""), to)
            if announced is not None and to.stat().st_size != int(announced):
                raise HTTPException(f"{to.stat().st_size:,} of {int(announced):,} bytes came")
            return digest
        except urllib.error.HTTPError as error:
            with error:
                if error.code < 500 and error.code not in (408, 429):
                    raise SettingsError(f"{url}: the server says {error.code} {error.reason}") from error
                trouble: Exception = error
        except (OSError, HTTPException, ValueError) as error:
            trouble = error
        if attempt < _ATTEMPTS:
            time.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
    raise StorageError(f"{url} can't be had: {getattr(trouble, 'reason', None) or trouble}") from trouble


class _HttpsAlone(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never out of https."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise SettingsError(f"{req.full_url} leads to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_HttpsAlone())


def store_of(url: str, s3: S3Options) -> tuple[Store, str]:
    """The bucket of an ``s3://`` URL, and the key in it."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return open_store(f"s3://{bucket}", s3=s3), key.strip("/")


def state_of(url: str, s3: S3Options, *, folder: bool) -> str:
    """What tells whether an object (or a folder's objects) changed: names, sizes and etags.

    Raises:
        SettingsError: there is none.
    """
    store, key = store_of(url, s3)
    if not folder:
        try:
            found = [store.head(key)]
        except ObjectNotFound as error:
            raise SettingsError(f"{url}: there is no such object") from error
    else:
        found = [one for one in store.list(key) if not is_hidden(one.key.removeprefix(f"{key}/"))]
        if not found:
            raise SettingsError(f"{url}: there is no object below it")
    listed = "\n".join(f"{one.key} {one.size} {one.etag}" for one in found)
    return hashlib.sha256(listed.encode()).hexdigest()


def fetch_s3(url: str, s3: S3Options, to: Path, *, folder: bool) -> str:
    """Write an object into a new file, or the objects below a key into a new folder; its hash.

    Raises:
        SettingsError: there is none.
        StorageError: S3 is in trouble.
    """
    store, key = store_of(url, s3)
    if not folder:
        try:
            return _write(store.chunks(key), to)
        except ObjectNotFound as error:
            raise SettingsError(f"{url}: there is no such object") from error
    names = [name for one in store.list(key) if not is_hidden(name := one.key.removeprefix(f"{key}/"))]
    if not names:
        raise SettingsError(f"{url}: there is no object below it")

    def fetch(name: str) -> tuple[str, str]:
        path = to / check_key(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return name, _write(store.chunks(f"{key}/{name}"), path)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="bec-resource") as pool:
        return listing_sha256(list(pool.map(fetch, names)))


def _write(pieces: Iterable[bytes] | Iterator[bytes], to: Path) -> str:
    digest = hashlib.sha256()
    with to.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
