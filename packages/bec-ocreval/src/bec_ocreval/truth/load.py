"""Read ground truth: a folder of ``.txt``, PAGE, ALTO and JSON lines files, or one such file.

All of it is read before the first page is scored, so that a damaged file is said at once and not in the
middle of a run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from loguru import logger

from bec_ocreval.errors import TruthError
from bec_ocreval.truth.values import TruthPage, image_names, stem_of
from bec_ocreval.truth.xml_text import read_xml

ENDINGS = (".txt", ".xml", ".jsonl")
"""The files that are read; others in the folder (images, say) are left alone."""


def load_truth(path: Path) -> tuple[TruthPage, ...]:
    """All pages of a folder, also below it, or of a file.

    Raises:
        TruthError: there is none, or a file can't be read; the message names it.
    """
    if path.is_file():
        return tuple(_read(path, path.parent))
    if not path.is_dir():
        raise TruthError(f"there is no ground truth at {path}")
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and _wanted(file, path)]
    if not files:
        raise TruthError(f"{path} holds no ground truth: no file that ends in {', '.join(ENDINGS)}")
    return tuple(page for file in files for page in _read(file, path))


def _wanted(file: Path, top: Path) -> bool:
    """Whether a file may hold truth; hidden files and folders are others' business."""
    return file.suffix.lower() in ENDINGS and not any(
        part.startswith(".") for part in file.relative_to(top).parts
    )


def _read(file: Path, top: Path) -> Iterator[TruthPage]:
    """The pages of a file."""
    inside = file.relative_to(top)
    ending = file.suffix.lower()
    try:
        if ending == ".xml":
            yield from _xml(file, inside)
        elif ending == ".jsonl":
            yield from _rows(file, inside)
        else:
            yield _page(tuple(_text(file).splitlines()), inside)
    except (OSError, ValueError) as error:
        raise TruthError(f"{file}: {error}") from error


def _text(file: Path) -> str:
    """A file's text; a byte order mark is none of it."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not text in UTF-8: {error}") from error


def _page(lines: tuple[str, ...], inside: Path, image: str = "") -> TruthPage:
    """A file's only page.

    ``7.txt``, ``7.gt.txt`` and ``7.jpg.txt`` are of ``7.jpg``, and so is a file that names it.
    """
    own = stem_of(inside.name)
    images, stems = {own}, {own, own.removesuffix(".gt")}
    if image:
        images.add(image)
        stems |= {image, stem_of(image)}
    return TruthPage(lines, frozenset(images), frozenset(stems), inside.parts[:-1], str(inside))


def _xml(file: Path, inside: Path) -> Iterator[TruthPage]:
    """The page of a PAGE or ALTO file, which may name its image."""
    page = read_xml(file.read_bytes())
    if page is None:
        return
    if page.untold and not page.lines:
        logger.warning(
            "{}: it says where its {} lines are but not what they say; not scored", file, page.untold
        )
        return
    if page.untold:
        logger.warning("{}: {} of its lines have no text; the others count", file, page.untold)
    _, image = image_names(page.image)
    yield _page(page.lines, inside, image)


def _rows(file: Path, inside: Path) -> Iterator[TruthPage]:
    """The pages of JSON lines: ``image``, and ``lines`` (texts, or objects with one) or ``text``.

    The file's own name may be its volume's, as a folder's may.
    """
    for number, row in enumerate(_text(file).split("\n"), start=1):
        if not row.strip():
            continue
        try:
            image, lines = _row(json.loads(row))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number}: {error}") from error
        folders, name = image_names(image)
        if not name:
            raise ValueError(f"line {number}: its image has no name")
        stems = frozenset({name, stem_of(name)})
        source = f"{inside}, line {number}"
        yield TruthPage(lines, frozenset({name}), stems, (*inside.parts[:-1], inside.stem, *folders), source)


def _row(row: object) -> tuple[str, tuple[str, ...]]:
    """A row's image and lines."""
    if not isinstance(row, Mapping):
        raise ValueError(f"a row must be a JSON object, not {type(row).__name__}")
    image, lines, text = row.get("image"), row.get("lines"), row.get("text")
    if not isinstance(image, str):
        raise ValueError("it has no image, or one that is not a name")
    if isinstance(lines, list):
        found = [line.get("text") if isinstance(line, Mapping) else line for line in lines]
        texts = tuple(line for line in found if isinstance(line, str))
        if len(texts) == len(lines):
            return image, texts
    elif lines is None and isinstance(text, str):
        return image, tuple(text.splitlines())
    raise ValueError("it has no text: neither lines (texts, or objects with a text) nor text")
