"""Where pages come from and where artifacts go: can they be read, and written as they must be?"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import attrs

from bec_core.admin.doctor.check import Check, ok, trouble, warning
from bec_core.artifacts import probe
from bec_core.artifacts.probe import StoreUnfit
from bec_core.errors import BecError, StorageRefused
from bec_core.settings import Settings
from bec_core.storage import S3Options, folder_of_url, open_store


def impatient(options: S3Options) -> S3Options:
    """The same service, asked as one who does not want to wait."""
    return attrs.evolve(
        options,
        connect_timeout_s=3.0,
        read_timeout_s=8.0,
        request_timeout_s=10.0,
        max_retries=1,
        retry_timeout_s=10.0,
    )


def artifacts(settings: Settings, s3: S3Options) -> Iterator[Check]:
    """Can an object be created, not created twice, not replaced by the wrong etag, and read?"""
    store = open_store(settings.dest_location, s3=impatient(s3))
    try:
        warnings = probe(store, key=f".bec/probe/doctor-{socket.gethostname()}-{os.getpid()}")
    except StoreUnfit as error:
        yield trouble("artifacts", str(error))
        return
    except BecError as error:
        yield trouble(
            "artifacts", str(error), "BEC_DEST_S3_BUCKET or BEC_DEST_URL; the rights that docs/iam lists"
        )
        return
    for words in warnings:
        yield warning("artifacts", words)
    yield ok("artifacts", f"{settings.dest_location} can be written and read, and honours conditional writes")


def source(settings: Settings, s3: S3Options) -> Iterator[Check]:
    """Can the archive be read?"""
    url = settings.source_location
    bad = warning if settings.is_local else trouble  # one's own folders need no archive
    if url.startswith("file://") and not folder_of_url(url).is_dir():
        yield bad(
            "archive",
            f"{folder_of_url(url)} is no folder",
            "BEC_SOURCE_URL; your own folders need no archive",
        )
        return
    try:
        open_store(url, s3=impatient(s3)).list("", recursive=False)
    except StorageRefused as error:
        yield bad(
            "archive", str(error), "grant s3:ListBucket and s3:GetObject (docs/iam); is the region right?"
        )
    except BecError as error:
        yield bad(
            "archive", str(error), "BEC_SOURCE_S3_BUCKET or BEC_SOURCE_URL; your own folders need no archive"
        )
    else:
        yield ok("archive", f"{url} can be read")
