"""Reading one page's object, with what can go wrong told as a page error."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

from bec_core.errors import ObjectNotFound, PageError, StorageError
from bec_core.models import PageData
from bec_core.storage.base import InvalidKey, ObjectTooLarge, Store

MAX_PAGE_BYTES = 512 * 1024 * 1024
"""The largest page that is read: a bound on memory, four times an uncompressed A3 page at 600 dpi in colour."""


def read_object(store: Store, key: str) -> PageData:
    """The object's bytes and etag.

    Raises:
        PageError: of stage ``fetch``: missing, larger than :data:`MAX_PAGE_BYTES`, a name that no object
            can have (never retryable), or a store that failed (retryable).
    """
    with fetching():
        found = store.get(key, max_bytes=MAX_PAGE_BYTES)
    etag = found.etag or hashlib.md5(found.data, usedforsecurity=False).hexdigest()
    return PageData(found.data, etag, found.uri)


def listed_etags(store: Store, folder: str) -> dict[str, str]:
    """The etags of the objects directly in a folder, by name, as :func:`read_object` tells them.

    Raises:
        StorageError: the store can't be asked.
    """
    listed = store.list(folder, recursive=False)
    return {info.key.rpartition("/")[2]: info.etag for info in listed if info.etag}


@contextlib.contextmanager
def fetching() -> Iterator[None]:
    """What goes wrong in a store, as an error of the page that is fetched."""
    try:
        yield
    except InvalidKey as error:
        raise PageError(f"{error}: rename the file", stage="fetch", error_type="InvalidKey") from error
    except (ObjectNotFound, ObjectTooLarge, StorageError) as error:
        raise PageError(
            str(error), stage="fetch", error_type=type(error).__name__, retryable=error.retryable
        ) from error
