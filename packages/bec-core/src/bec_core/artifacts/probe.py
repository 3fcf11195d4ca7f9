"""Trying a store before any volume is computed: can it be written, and does it refuse what it must refuse?"""

from __future__ import annotations

import re
import uuid

from bec_core.errors import BecError, ObjectChanged, SettingsError, StorageRefused
from bec_core.storage import Store

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+|^\.+$")


class StoreUnfit(SettingsError):
    """The store can't hold a job's results safely; the message says what to grant or to change."""


def probe(store: Store, *, key: str) -> tuple[str, ...]:
    """Create an object, create it again (must be refused), swap it with a wrong etag (must be refused), delete it.

    One ``key`` for each process that lives at the same time, outside every job's folder; what an earlier probe left
    there is used again.

    Returns:
        Warnings: a store may refuse to delete (many roles have no such right).

    Raises:
        StoreUnfit: it can't be written or read, or takes writes that it must refuse.
        StorageError: it is in trouble that may pass.
    """
    key = "/".join(_UNFIT.sub("-", part) for part in key.split("/"))
    where = store.uri(key)
    data, other = uuid.uuid4().hex.encode(), uuid.uuid4().hex.encode()
    etag = _write(store, key, data, where)
    if _accepts(store, key, other, None, where):
        raise StoreUnfit(
            f"{where} could be created twice: the store ignores If-None-Match, so two workers could overwrite each"
            " other's results; use a store with conditional writes"
        )
    if _accepts(store, key, other, "0" * 32, where):
        raise StoreUnfit(
            f"{where} could be replaced although it had changed: the store ignores If-Match, so two workers could"
            " overwrite each other's results; use a store with conditional writes"
        )
    try:
        right = store.get(key)
        if right.data != data:
            raise StoreUnfit(f"{where} was written, but reads otherwise: the store is not consistent")
        store.swap(key, other, if_etag=right.etag or etag)
    except StorageRefused as error:
        raise StoreUnfit(f"{where} can't be read and replaced: {error} (grant s3:GetObject)") from error
    try:
        store.delete(key)
    except BecError as error:
        return (f"{where} can't be deleted ({error}); it is used again by the next probe",)
    return ()


def _write(store: Store, key: str, data: bytes, where: str) -> str | None:
    """Create the object, or replace what an earlier probe left."""
    try:
        return store.put_new(key, data)
    except ObjectChanged:
        pass
    except StorageRefused as error:
        raise StoreUnfit(
            f"{where} can't be written: {error} (does the bucket exist in this region, and may we s3:PutObject there?)"
        ) from error
    try:
        return store.swap(key, data, if_etag=store.head(key).etag)
    except StorageRefused as error:
        raise StoreUnfit(
            f"{where} can't be written again: {error} (grant s3:PutObject and s3:GetObject)"
        ) from error


def _accepts(store: Store, key: str, data: bytes, etag: str | None, where: str) -> bool:
    try:
        store.swap(key, data, if_etag=etag)
    except ObjectChanged:
        return False
    except StorageRefused as error:
        raise StoreUnfit(f"{where}: a conditional write was refused: {error}") from error
    return True
