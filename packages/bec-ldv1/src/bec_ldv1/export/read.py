"""From artifacts to pages: nothing is detected again, and no image is opened.

Files are read through Arrow's file systems, so that artifacts may lie in a folder or in an S3 bucket.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import attrs
from pyarrow import fs  # type: ignore[import-untyped]  # pyarrow ships no types

from bec_ldv1.artifacts import read_lines
from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.export.pages import ExportVolume, page_of

_SUFFIX, _MARKER = ".parquet", "success.json"


@attrs.frozen
class Artifact:
    """A volume's Parquet file."""

    files: fs.FileSystem
    path: str

    @property
    def name(self) -> str:
        """The volume's, ``{W_ID}-{I_ID}-{version}``."""
        return PurePosixPath(self.path).stem


@attrs.frozen
class Found:
    """The Parquet files of a source, and those left out because no marker says that they are finished."""

    artifacts: tuple[Artifact, ...]
    unfinished: tuple[str, ...]


def find_artifacts(source: str) -> Found:
    """The Parquet files that a source means.

    Args:
        source: a path or URL (``s3://bucket/prefix``, ``file:///…``) of a Parquet file, which is taken as it is,
            or of a folder: then every Parquet file at or below it that has a ``success.json`` beside it.

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
    done = [path for path in found if str(PurePosixPath(path).parent / _MARKER) in paths]
    if not done:
        if found:
            raise ExportError(
                f"no volume in {source} is finished: {found[0]} has no {_MARKER} beside it; "
                f"name such a file itself to export it all the same"
            )
        raise ExportError(f"there is no {_SUFFIX} file in {source} or below it")
    return Found(tuple(Artifact(files, path) for path in done), tuple(sorted({*found} - {*done})))


def read_volume(artifact: Artifact) -> ExportVolume:
    """A volume's pages from its Parquet file.

    Raises:
        ExportError: the file can't be read, holds no line-detection records, or no whole lines.
    """
    try:
        with artifact.files.open_input_file(artifact.path) as stream:
            pages = read_lines(stream.read())
    except (OSError, ValueError) as error:
        raise ExportError(f"{artifact.path} can't be read: {error}") from error
    if any(page.pieces_only for page in pages):
        raise ExportError(
            f"{artifact.path} has only the contract's columns, which hold no whole lines and no page sizes; "
            f"run the job again over the volume"
        )
    try:
        exported = [page_of(page) for page in pages if page.ok]
    except ExportError as error:
        raise ExportError(f"{artifact.path}: {error}") from error
    return ExportVolume(artifact.name, exported, [page.image for page in pages if not page.ok])


def _place(source: str) -> tuple[fs.FileSystem, str]:
    """The file system and the path in it."""
    if "://" not in source:
        return fs.LocalFileSystem(), Path(source).absolute().as_posix()
    try:
        files, path = fs.FileSystem.from_uri(source)
    except (ValueError, NotImplementedError) as error:
        raise ExportError(f"{source} can't be read: {error}") from error
    return files, path.rstrip("/")
