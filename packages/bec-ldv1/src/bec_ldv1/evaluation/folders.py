"""Folders of PAGE and ALTO files as other programs write them: Transkribus, OCR-D, eScriptorium."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bec_ldv1.evaluation.pages import PageLines, TruthError

_INDEX_NAMES = frozenset({"mets.xml", "metadata.xml"})
_FORMS = frozenset({"page", "alto"})  # what Transkribus calls the folders of its two forms of the same lines


def page_files(folder: Path, warn: Callable[[str], None]) -> Iterator[Path]:
    """The XML files at or below a folder that may hold pages, sorted; what is left out is told.

    Raises:
        TruthError: there are none; or two folders seem to hold the same pages twice, in two forms.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".xml" and path.is_file())
    # "._0001.xml" is what a Mac writes beside every file.
    named = [path for path in found if not path.name.startswith(".")]
    files = [path for path in named if path.name.lower() not in _INDEX_NAMES]
    if not files:
        raise TruthError(f"{folder} holds no .xml file; give a folder of PAGE or ALTO files, or a .jsonl")
    _one_form(folder, named, files)
    for path in found:
        if path not in files:
            warn(f"left out, as it holds no lines: {path}")
    yield from files


def twice(folder: Path, pages: Sequence[tuple[Path, PageLines]]) -> None:
    """Refuse a folder with a page in two of its files.

    Raises:
        TruthError: naming both.
    """
    seen: dict[str, Path] = {}
    for path, page in pages:
        if page.name in seen:
            raise TruthError(
                f"{folder} holds the page {page.name} twice, in {seen[page.name].relative_to(folder)} and in "
                f"{path.relative_to(folder)}; give a folder that holds it once"
            )
        seen[page.name] = path


def _one_form(folder: Path, named: Sequence[Path], files: Sequence[Path]) -> None:
    """Refuse folders that hold the same pages in several forms: beside a METS file, or called page and alto."""
    described = {path.parent for path in named if path.name.lower() in _INDEX_NAMES}
    by_parent: dict[Path, set[str]] = {}
    for path in files:
        for parent in path.parents:
            if not parent.is_relative_to(folder):
                break
            inner = path.relative_to(parent).parts
            if len(inner) > 1:
                by_parent.setdefault(parent, set()).add(inner[0])
    for parent, groups in sorted(by_parent.items()):
        forms = sorted(group for group in groups if group.lower() in _FORMS)
        if parent not in described and len(forms) < 2:
            continue
        if len(groups) > 1:
            first, second, *more = forms if len(forms) > 1 else sorted(groups)
            others = f" (and {', '.join(more)})" if more else ""
            raise TruthError(
                f"{parent} holds the same pages in several forms, {first}/ and {second}/{others}; "
                f"say which one is meant: {parent / first} or {parent / second}"
            )
