"""From artifacts to pages: nothing is recognised again, and no image is opened.

Files are read through Arrow's file systems, so that artifacts may lie in a folder or in an S3 bucket. A folder may hold
other jobs' artifacts too (`bec run ldv1,ocrv1` makes one): those are told apart by their columns.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from attrs import frozen
from pyarrow import fs

from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ocrv1.artifacts import CONTRACT, PageText, read_texts
from bec_ocrv1.export.pages import ExportLine, ExportPage, ExportVolume, page_of

_SUFFIX, _MARKER = ".parquet", "success.json"


@frozen
class Artifact:
    """A volume's Parquet file."""

    files: fs.FileSystem
    path: str

    @property
    def name(self) -> str:
        """The volume's, ``{W_ID}-{I_ID}-{version}``."""
        return PurePosixPath(self.path).stem


@frozen
class Found:
    """A source's Parquet files with text, and those left out because no marker says that they are finished."""

    artifacts: tuple[Artifact, ...]
    unfinished: tuple[str, ...]


def find_artifacts(source: str) -> Found:
    """The Parquet files that a source means.

    Args:
        source: a path or URL (``s3://bucket/prefix``, ``file:///…``) of a Parquet file, which is taken as it is,
            or of a folder: then every Parquet file with text, at or below it, that has a ``success.json`` beside it.

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
        paths = {item.path for item in below if item.type == fs.FileType.File}
        found = [path for path in sorted(paths) if path.endswith(_SUFFIX) and _has_text(files, path)]
    except OSError as error:
        raise ExportError(f"{source} can't be read: {error}") from error
    done = [path for path in found if str(PurePosixPath(path).parent / _MARKER) in paths]
    if not done:
        if found:
            raise ExportError(
                f"no volume in {source} is finished: {found[0]} has no {_MARKER} beside it; "
                f"name such a file itself to export it all the same"
            )
        raise ExportError(f"there is no {_SUFFIX} file with recognised text in {source} or below it")
    return Found(tuple(Artifact(files, path) for path in done), tuple(sorted({*found} - {*done})))


def read_texts_of(artifact: Artifact) -> list[PageText]:
    """A volume's pages as they are recorded, failed ones too.

    Raises:
        ExportError: the file can't be read, or holds no text.
    """
    try:
        with artifact.files.open_input_file(artifact.path) as stream:
            return read_texts(stream.read())
    except (OSError, ValueError) as error:
        raise ExportError(f"{artifact.path} can't be read: {error}") from error


def read_volume(artifact: Artifact, *, places: bool = True) -> ExportVolume:
    """A volume's pages from its Parquet file.

    Without ``places``, files that have only the contract's columns do: their lines have no outlines then.

    Raises:
        ExportError: the file can't be read, holds no text, or not the places of its lines.
    """
    texts = read_texts_of(artifact)
    try:
        pages = [page_of(page) if places else _without_places(page) for page in texts if page.ok]
    except ExportError as error:
        raise ExportError(f"{artifact.path}: {error}") from error
    return ExportVolume(artifact.name, pages, [page.image for page in texts if not page.ok])


def _without_places(page: PageText) -> ExportPage:
    lines = [ExportLine(line.text, line.confidence or 0.0, (), ()) for line in page.lines]
    return ExportPage(page.image, page.width or 0, page.height or 0, lines, page.flags)


def _has_text(files: fs.FileSystem, path: str) -> bool:
    """Whether a Parquet file has an OCR job's columns; one that can't be read is kept, for its error to be said."""
    try:
        with files.open_input_file(path) as stream:
            return set(CONTRACT) <= set(pq.read_schema(stream).names)
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
