"""The store of ``s3://``: obstore against S3 or anything that speaks its protocol."""

from __future__ import annotations

import builtins
import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from attrs import frozen
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from bec_core.errors import ObjectChanged, ObjectNotFound, SettingsError, StorageError, StorageRefused
from bec_core.storage.base import (
    CHUNK,
    Body,
    FileBody,
    ObjectInfo,
    ObjectTooLarge,
    Store,
    StoredObject,
    check_key,
)
from bec_core.storage.s3_large import LARGEST, LargeWriter, MayPass

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutMode
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import S3Config
    from obstore.store import S3Store as ObstoreS3

T = TypeVar("T")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_IN_MEMORY = 16 << 20  # a file up to this size is written as bytes are
_STATUS = re.compile(r"status code: (\d{3} [\w ]+\w)")


@frozen
class S3Options:
    """How to reach S3 and how long to be patient; times in seconds.

    ``endpoint_url`` replaces AWS's endpoint (an ``http://`` one is allowed because it was named);
    ``path_style`` asks for ``endpoint/bucket/key`` (default: with an endpoint of one's own). A request
    that brings no byte for ``read_timeout_s`` counts as dead; one that failed for a reason that may pass
    (500, 503 SlowDown, a lost connection, a time-out) is repeated with growing pauses, ``max_retries``
    times and no longer than ``retry_timeout_s``. Credentials come by AWS's standard chain (environment,
    profile, container, instance role).
    """

    region: str | None = None
    endpoint_url: str | None = None
    path_style: bool | None = None
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    request_timeout_s: float = 300.0
    max_retries: int = 8
    retry_timeout_s: float = 120.0
    first_pause_s: float = 0.2
    max_pause_s: float = 10.0


class S3Store(Store):
    """Objects below ``s3://bucket/prefix``; one instance serves any number of threads."""

    def __init__(self, bucket: str, prefix: str, options: S3Options) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._options = options
        self._store = _connect(bucket, options, retries=options.max_retries)
        # A conditional write is repeated by us, not by obstore: only we can tell "somebody else was
        # first" from "my own first attempt got through and its answer was lost".
        self._store_once = _connect(bucket, options, retries=0)
        self._large = LargeWriter(bucket, options)

    @property
    def url(self) -> str:
        """``s3://bucket`` or ``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def etags_are_md5(self) -> bool:
        """Yes: every object of ours is written in one part and the archive's contract says so."""
        return True

    def uri(self, key: str) -> str:
        """The object's ``s3://`` URL."""
        return f"s3://{self._bucket}/{self._path(key)}"

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject:
        """See :meth:`Store.get`; a body shorter than announced is repeated, then a StorageError."""
        uri, path = self.uri(key), self._path(key)

        def read() -> StoredObject:
            result = self._store.get(path)
            meta = result.meta
            if max_bytes is not None and meta["size"] > max_bytes:
                raise ObjectTooLarge(f"{uri} has {meta['size']:,} bytes; at most {max_bytes:,} are read")
            data = bytes(result.bytes())
            if len(data) != meta["size"]:
                raise StorageError(f"{uri}: the body has {len(data):,} of {meta['size']:,} bytes")
            return StoredObject(data, _plain(meta["e_tag"]), meta["last_modified"], uri)

        return _call(uri, read, "s3:GetObject")

    def chunks(self, key: str) -> Iterator[bytes]:
        """See :meth:`Store.chunks`; a body shorter than announced is a StorageError."""
        uri, path = self.uri(key), self._path(key)
        result = _call(uri, lambda: self._store.get(path), "s3:GetObject")
        pieces, read = iter(result.stream(min_chunk_size=CHUNK)), 0
        while piece := _call(uri, lambda: bytes(next(pieces, b"")), "s3:GetObject"):
            read += len(piece)
            yield piece
        if read != result.meta["size"]:
            raise StorageError(f"{uri}: the body has {read:,} of {result.meta['size']:,} bytes")

    def head(self, key: str) -> ObjectInfo:
        """See :meth:`Store.head`; S3 gives the same answer when the bucket is missing."""
        return self._info(_call(self.uri(key), lambda: self._store.head(self._path(key)), "s3:GetObject"))

    def exists(self, key: str) -> bool:
        """See :meth:`Store.exists`."""
        try:
            self.head(key)
        except ObjectNotFound:
            return False
        return True

    def list(
        self, prefix: str = "", *, recursive: bool = True, name: str | None = None
    ) -> builtins.list[ObjectInfo]:
        """See :meth:`Store.list`."""
        place = (self._path(prefix) if prefix else self._prefix.rstrip("/")) or None
        uri = f"s3://{self._bucket}/{place or ''}"

        def read() -> builtins.list[ObjectMeta]:
            if recursive:
                return [meta for batch in self._store.list(place) for meta in batch if named(meta)]
            return [meta for meta in self._store.list_with_delimiter(place)["objects"] if named(meta)]

        def named(meta: ObjectMeta) -> bool:
            return name is None or meta["path"].rpartition("/")[2] == name

        # A "folder" that some tools create is an object of no bytes whose key ends in a slash;
        # obstore strips the slash, so that it would look like an object in the folder above.
        found = [self._info(meta) for meta in _call(uri, read, "s3:ListBucket") if meta["path"] != place]
        return sorted(found, key=lambda info: info.key)

    def put(self, key: str, data: bytes) -> str | None:
        """See :meth:`Store.put`."""
        return _call(self.uri(key), lambda: self._write(self._store, key, data, "overwrite"), "s3:PutObject")

    def swap(self, key: str, data: Body, *, if_etag: str | None) -> str | None:
        """See :meth:`Store.swap`; by ``If-None-Match: *`` and ``If-Match``.

        An attempt whose answer was lost may have been carried out. So if a repeated attempt is told
        that the object is another one, and that one holds just these bytes, it is ours.
        """
        mode: PutMode = "create" if if_etag is None else {"e_tag": f'"{if_etag}"'}
        if isinstance(data, FileBody) and data.size > LARGEST:
            raise StorageRefused(
                f"{self.uri(key)} would have {data.size:,} bytes; S3 takes at most {LARGEST:,} in one piece:"
                " let the job write several artifacts"
            )
        small = data.read() if isinstance(data, FileBody) and data.size <= _IN_MEMORY else data

        def write() -> str | None:
            if isinstance(small, FileBody):
                return self._large.put(self._path(key), small, self.uri(key), if_etag=if_etag)
            return _call(
                self.uri(key), lambda: self._write(self._store_once, key, small, mode), "s3:PutObject"
            )

        deadline = time.monotonic() + self._options.retry_timeout_s
        for attempt in range(self._options.max_retries + 1):
            try:
                return write()
            except ObjectChanged:
                if attempt and (etag := self._etag_if_same(key, data)):
                    return etag
                raise
            except StorageError as error:
                pause = random.uniform(0.5, 1.0) * self._options.first_pause_s * 2**attempt
                pause = min(pause, self._options.max_pause_s)
                last = attempt == self._options.max_retries or time.monotonic() + pause > deadline
                if last or not _may_pass(error):
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def delete(self, key: str) -> None:
        """See :meth:`Store.delete`."""
        _call(self.uri(key), lambda: self._store.delete(self._path(key)), "s3:DeleteObject")

    def _path(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _info(self, meta: ObjectMeta) -> ObjectInfo:
        return ObjectInfo(
            meta["path"].removeprefix(self._prefix),
            meta["size"],
            _plain(meta["e_tag"]),
            meta["last_modified"],
            f"s3://{self._bucket}/{meta['path']}",
        )

    def _write(self, store: ObstoreS3, key: str, data: bytes, mode: PutMode) -> str | None:
        # one request, never parts: an etag stays an MD5, and nothing half-uploaded is left to pay for
        return _plain(store.put(self._path(key), data, mode=mode, use_multipart=False)["e_tag"])

    def _etag_if_same(self, key: str, data: Body) -> str | None:
        if isinstance(data, FileBody):
            try:
                found = self.head(key)
            except ObjectNotFound:
                return None
            return found.etag if (found.size, found.etag) == (data.size, data.md5) else None
        try:
            there = self.get(key, max_bytes=len(data))
        except (ObjectNotFound, ObjectTooLarge):
            return None
        return there.etag if there.data == data else None


def _connect(bucket: str, options: S3Options, *, retries: int) -> ObstoreS3:
    from obstore.store import S3Store as ObstoreS3

    endpoint = options.endpoint_url
    path_style = endpoint is not None if options.path_style is None else options.path_style
    config: S3Config = {"virtual_hosted_style_request": not path_style}
    if endpoint:
        # obstore reads AWS_ENDPOINT_URL_S3 itself and prefers it to "endpoint": name both
        config["aws_endpoint_url_s3"] = config["endpoint"] = endpoint
    try:
        credentials = _credentials(options.region)
        if region := options.region or credentials.config.get("region"):
            config["region"] = region
        return ObstoreS3(
            bucket,
            config=config,
            client_options={
                "allow_http": bool(endpoint and endpoint.startswith("http://")),
                "connect_timeout": timedelta(seconds=options.connect_timeout_s),
                "read_timeout": timedelta(seconds=options.read_timeout_s),
                "timeout": timedelta(seconds=options.request_timeout_s),
            },
            retry_config={
                "max_retries": retries,
                "retry_timeout": timedelta(seconds=options.retry_timeout_s),
                "backoff": {
                    "init_backoff": timedelta(seconds=options.first_pause_s),
                    "max_backoff": timedelta(seconds=options.max_pause_s),
                    "base": 2,
                },
            },
            credential_provider=credentials,
        )
    except (BaseError, ValueError) as error:
        raise SettingsError(f"s3://{bucket} can't be opened: {_sentence(error)}") from error


def _credentials(region: str | None) -> Boto3CredentialProvider:
    import boto3
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = boto3.Session(region_name=region)
    if session.get_credentials() is None:
        raise SettingsError(
            "there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or run where an instance role gives them"
        )
    # botocore renews what it hands out some ten minutes before the end: keep it for less than that
    return Boto3CredentialProvider(session, ttl=timedelta(minutes=5))


def _call(uri: str, request: Callable[[], T], right: str) -> T:
    """Make one request; obstore's errors become ours, with the object's URI and the cause in a sentence;
    ``right`` is what the request needs."""
    try:
        return request()
    except FileNotFoundError as error:
        if _code(error) == "NoSuchBucket":
            raise StorageRefused(f"{uri}: there is no such bucket") from error
        raise ObjectNotFound(f"there is no object {uri}") from error
    except AlreadyExistsError as error:
        raise ObjectChanged(f"{uri} exists already") from error
    except PreconditionError as error:
        raise ObjectChanged(f"{uri} was written or removed by somebody else in the meantime") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise StorageRefused(f"{uri}: {_refused(error, right)}") from error
    except (BaseError, ValueError, OSError) as error:
        status = _STATUS.search(str(error))
        if status and status[1][:3] in ("401", "403"):  # a listing is refused so
            raise StorageRefused(f"{uri}: {_refused(error, right)}") from error
        elsewhere = "BareRedirect" in str(error)  # to the bucket's own region, without a word where that is
        refused = elsewhere or (status is not None and _is_refusal(status[1]))
        kind = StorageRefused if refused else StorageError
        raise kind(f"{uri}: {_sentence(error)}") from error


def _refused(error: Exception, right: str) -> str:
    """What to grant or to mend; a HEAD request is refused without a code."""
    code = _code(error)
    if code in (None, "AccessDenied", "AllAccessDisabled"):
        return (
            f"access denied{f' ({code})' if code else ''}: grant {right} there (docs/iam has whole policies)"
        )
    return (
        f"the credentials are refused ({code}): look at AWS_PROFILE, AWS_ACCESS_KEY_ID or the instance's role"
    )


def _may_pass(error: StorageError) -> bool:
    """Whether the same request may work in a moment: not when the server refused it (4xx)."""
    if isinstance(error, MayPass):
        return True
    if not isinstance(error.__cause__, GenericError):
        return False
    status = _STATUS.search(str(error.__cause__))
    return status is None or not _is_refusal(status[1])


def _is_refusal(status: str) -> bool:
    """Whether the server won't do it however often it is asked: a client's error, or another region's bucket."""
    return status[:1] in ("3", "4") and status[:3] not in ("408", "409", "429")


def _plain(etag: str | None) -> str | None:
    return etag.removeprefix("W/").strip('"') if etag else None


def _code(error: Exception) -> str | None:
    found = _CODE.search(str(error))
    return found[1] if found else None


def _sentence(error: Exception) -> str:
    """The first line of an error of obstore, without the XML that the server sent."""
    text = str(error).partition("\n")[0].partition("<?xml")[0].partition(": <")[0].strip(" :")
    code = _code(error)
    return f"{text} ({code})" if code else text
