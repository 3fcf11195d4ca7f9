"""Writing a large object to S3: one request that reads from a file, so that it is never in memory as a whole.

obstore would read it first; so boto3 sends it. One request, like every write of ours: its etag is an MD5, it is
conditional, and nothing half-uploaded is left to pay for.
"""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from bec_core.errors import ObjectChanged, StorageError, StorageRefused
from bec_core.storage.base import CHUNK, FileBody

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from bec_core.storage.s3 import S3Options

LARGEST = 5 << 30
"""S3 takes no more in one request."""

_CHANGED = ("PreconditionFailed", "NoSuchKey", "404", "412")


class MayPass(StorageError):
    """The same request may work in a moment."""


class LargeWriter:
    """Writes to one bucket; its client is made with the first write, and repeats nothing by itself."""

    def __init__(self, bucket: str, options: S3Options) -> None:
        self._bucket = bucket
        self._options = options
        self._lock = threading.Lock()
        self._made: S3Client | None = None

    def put(self, path: str, data: FileBody, uri: str, *, if_etag: str | None) -> str | None:
        """Write the object if its present etag is ``if_etag`` (None: if there is none); its new etag.

        Raises:
            ObjectChanged: it is another one.
            StorageRefused, MayPass, StorageError: as their names say.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        condition: Any = {"IfNoneMatch": "*"} if if_etag is None else {"IfMatch": f'"{if_etag}"'}
        try:
            body = cast(BinaryIO, io.BufferedReader(_Reader(data), CHUNK))
            answer = self._client.put_object(Bucket=self._bucket, Key=path, Body=body, **condition)
        except ClientError as error:
            said = error.response.get("Error", {})
            code, status = said.get("Code", "?"), _status(error.response)
            if code in _CHANGED and status in (404, 412):
                raise ObjectChanged(
                    f"{uri} was written or removed by somebody else in the meantime"
                ) from error
            refused = status in range(300, 500) and status not in (408, 409, 429)
            kind = StorageRefused if refused else MayPass
            raise kind(f"{uri}: {said.get('Message') or code} ({code})") from error
        except (BotoCoreError, OSError) as error:
            raise MayPass(f"{uri}: {error}") from error
        return answer["ETag"].strip('"')

    @property
    def _client(self) -> S3Client:
        with self._lock:
            if self._made is None:
                self._made = self._connect()
            return self._made

    def _connect(self) -> S3Client:
        import boto3
        from botocore.config import Config

        options = self._options
        endpoint = options.endpoint_url
        path_style = endpoint is not None if options.path_style is None else options.path_style
        config = Config(
            connect_timeout=options.connect_timeout_s,
            read_timeout=options.read_timeout_s,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path" if path_style else "virtual"},
            request_checksum_calculation="when_required",  # other servers than AWS's refuse trailers
        )
        session = boto3.Session(region_name=options.region)
        return session.client("s3", endpoint_url=endpoint, config=config)


def _status(response: Any) -> int:
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


class _Reader(io.RawIOBase):
    """A file's content with a position of its own, from its beginning."""

    def __init__(self, data: FileBody) -> None:
        self._file = data.file.fileno()
        self._size = data.size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = os.pread(self._file, min(len(buffer), self._size - self._at), self._at)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at
