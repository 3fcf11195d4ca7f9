"""The files of an export, in their places."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bec_core import Work
from bec_ldv1.artifacts.writing.volume import ExportVolume, write_pages
from bec_ldv1.output.export.alto import to_alto
from bec_ldv1.output.export.coco import to_coco
from bec_ldv1.output.export.csv_table import to_csv
from bec_ldv1.output.export.hocr import to_hocr
from bec_ldv1.output.export.jsonl import to_jsonl
from bec_ldv1.output.export.page_xml import to_page_xml
from bec_ldv1.output.export.pages import ExportPage

_SOFTWARE = "bec-ldv1"


def write_volume(volume: ExportVolume[ExportPage], form: str, out: Path) -> int:
    """Write a volume below ``out``; the number of files.

    A page's file of ``page``, ``alto`` and ``hocr`` is ``out/{volume}/{page}.xml`` (``.hocr``), a volume's of
    ``coco``, ``csv`` and ``jsonl`` is ``out/{volume}.json`` (``.csv``, ``.jsonl``). What is there is replaced.

    Raises:
        OSError: a file can't be written.
    """
    if form in _VOLUME_FORMS:
        suffix, write = _VOLUME_FORMS[form]
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{volume.name}{suffix}").write_bytes(write(volume))
        return 1
    suffix, write_page = _PAGE_FORMS[form]
    return write_pages(volume, suffix, lambda page: write_page(page, volume.work), out)


def _creator() -> str:
    return f"{_SOFTWARE} {version(_SOFTWARE)}"


_PAGE_FORMS: dict[str, tuple[str, Callable[[ExportPage, Work], bytes]]] = {
    "page": (".xml", lambda page, work: to_page_xml(page, _creator(), datetime.now(UTC), work)),
    "alto": (".xml", lambda page, _: to_alto(page, _SOFTWARE, version(_SOFTWARE))),
    "hocr": (".hocr", lambda page, work: to_hocr(page, _creator(), work)),
}
_VOLUME_FORMS: dict[str, tuple[str, Callable[[ExportVolume[ExportPage]], bytes]]] = {
    "coco": (".json", lambda volume: to_coco(volume, _creator())),
    "csv": (".csv", to_csv),
    "jsonl": (".jsonl", to_jsonl),
}
