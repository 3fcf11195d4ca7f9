"""The files of an export, in their places."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bec_core import Work
from bec_ldv1.artifacts.writing.volume import ExportVolume, write_pages
from bec_ocrv1.export.alto import to_alto
from bec_ocrv1.export.hocr import to_hocr
from bec_ocrv1.export.jsonl import to_jsonl
from bec_ocrv1.export.page_xml import to_page_xml
from bec_ocrv1.export.pages import ExportPage
from bec_ocrv1.export.text import to_text

_SOFTWARE = "bec-ocrv1"


def write_volume(volume: ExportVolume[ExportPage], form: str, out: Path) -> int:
    """Write a volume below ``out``; the number of files.

    ``jsonl`` is one file, ``out/{volume}.jsonl``; the other formats have a file per page,
    ``out/{volume}/{page}.txt`` (``.xml``, ``.hocr``). What is there is replaced.

    Raises:
        OSError: a file can't be written.
    """
    if form == "jsonl":
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{volume.name}.jsonl").write_bytes(to_jsonl(volume))
        return 1
    suffix, write_page = _PAGE_FORMS[form]
    return write_pages(volume, suffix, lambda page: write_page(page, volume.work), out)


def creator() -> str:
    """The program and its version, for the formats that say it."""
    return f"{_SOFTWARE} {version(_SOFTWARE)}"


_PAGE_FORMS: dict[str, tuple[str, Callable[[ExportPage, Work], bytes]]] = {
    "txt": (".txt", lambda page, _: to_text(page)),
    "page": (".xml", lambda page, work: to_page_xml(page, creator(), datetime.now(UTC), work)),
    "alto": (".xml", lambda page, _: to_alto(page, _SOFTWARE, version(_SOFTWARE))),
    "hocr": (".hocr", lambda page, work: to_hocr(page, creator(), work)),
}
