"""Finding the artifacts of finished volumes, and reading them.

Files are read through Arrow's file systems, so that artifacts may lie in a folder or in an S3 bucket. A folder may hold
several jobs' artifacts (`bec run ldv1,ocrv1` makes one): those are told apart by their columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import attrs
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from pyarrow import fs

from bec_ldv1.artifacts.writing.errors import ExportError

_SUFFIX, _MARKER = ".parquet", "success.json"

T = TypeVar("T")


@attrs.frozen
class Artifact:
    """A volume's Parquet file."""

    files: fs.FileSystem
    path: str

    @property
    def name(self) -> str:
        """The volume's, ``{W_ID}-{I_ID}-{version}``."""
        return PurePosixPath(self.path).stem

    def read(self, reader: Callable[[bytes], T]) -> T:
        """What ``reader`` makes of the file.

        Raises:
            ExportError: the file can't be read, or ``reader`` raised a ValueError.
        """
        try:
            with self.files.open_input_file(self.path) as stream:
                return reader(stream.read())
        except (OSError, ValueError) as error:
            raise ExportError(f"{self.path} can't be read: {error}") from error

    def marker(self) -> dict[str, Any]:
        """The ``success.json`` beside it; empty where there is none, or no JSON object.

        Raises:
            ExportError: it can't be read.
        """
        path = str(PurePosixPath(self.path).parent / _MARKER)
        try:
            with self.files.open_input_file(path) as stream:
                content = json.loads(stream.read())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ExportError(f"{path} can't be read: {error}") from error
        except (ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}


@attrs.frozen
class Found:
    """The Parquet files of a source, and those left out because no marker says that they are finished."""

    artifacts: tuple[Artifact, ...]
    unfinished: tuple[str, ...]


def find_artifacts(source: str, *, columns: Collection[str] = (), content: str = "") -> Found:
    """The Parquet files that a source means.

    Args:
        source: a path or URL (``s3://bucket/prefix``, ``file:///…``) of a Parquet file, which is taken as it is,
            or of a folder: then every Parquet file at or below it that has a ``success.json`` beside it.
        columns: those that a folder's file must have to be meant; one that can't be read is kept, for its error to
            be said. No file is opened without them.
        content: what the files then hold, for the message that there is none.

    Raises:
        ExportError: there is nothing, or nothing finished, or the place can't be read.
    """
    try:
        files, path = _place(source)
        info = files.get_file_info(path)
        if info.type == fs.FileType.File:
            return Found((Artifact(files, path),), ())
        if info.type == fs.FileType.NotFound:
            raise ExportError(f"there is no file or folder {source}")
        below = files.get_file_info(fs.FileSelector(path, recursive=True))
    except OSError as error:
        raise ExportError(f"{source} can't be read: {error}") from error
    paths = {item.path for item in below if item.type == fs.FileType.File}
    found = sorted(path for path in paths if path.endswith(_SUFFIX))
    if columns:
        found = [path for path in found if _has(files, path, columns)]
    done = [path for path in found if str(PurePosixPath(path).parent / _MARKER) in paths]
    if not done:
        if found:
            raise ExportError(
                f"no volume in {source} is finished: {found[0]} has no {_MARKER} beside it; "
                f"name such a file itself to export it all the same"
            )
        wanted = f"{_SUFFIX} file with {content}" if content else f"{_SUFFIX} file"
        raise ExportError(f"there is no {wanted} in {source} or below it")
    return Found(tuple(Artifact(files, path) for path in done), tuple(sorted({*found} - {*done})))


def artifacts_of(
    sources: Iterable[str], find: Callable[[str], Found], warn: Callable[[str], None]
) -> list[Artifact]:
    """All sources' artifacts, as ``find`` finds those of one; ``warn`` is told what is left out.

    Raises:
        ExportError: two volumes have one name; or what ``find`` raises.
    """
    artifacts: dict[str, Artifact] = {}
    for source in sources:
        found = find(source)
        for path in found.unfinished:
            warn(f"left out, as no {_MARKER} says that it is finished: {path}")
        for artifact in found.artifacts:
            if artifact.name in artifacts:
                raise ExportError(f"there are two volumes {artifact.name}; export them one at a time")
            artifacts[artifact.name] = artifact
    return list(artifacts.values())


def _has(files: fs.FileSystem, path: str, columns: Collection[str]) -> bool:
    """Whether a Parquet file has the columns, or can't be read."""
    try:
        with files.open_input_file(path) as stream:
            return set(columns) <= set(pq.read_schema(stream).names)
    except (OSError, pa.ArrowException):
        return True


def _place(source: str) -> tuple[fs.FileSystem, str]:
    """The file system and the path in it."""
    if "://" not in source:
        return fs.LocalFileSystem(), Path(source).absolute().as_posix()
    try:
        files, path = fs.FileSystem.from_uri(source)
    except (ValueError, NotImplementedError) as error:
        raise ExportError(f"{source} can't be read: {error}") from error
    return files, path.rstrip("/")
