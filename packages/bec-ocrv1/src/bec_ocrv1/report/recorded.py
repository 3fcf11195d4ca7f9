"""A volume's artifacts as the report and the comparison read them."""

from __future__ import annotations

import json

from attrs import frozen

from bec_core import Page, ReportVolume, Volume
from bec_ocrv1.artifacts import PageText, read_texts

_PARQUET, _ERRORS = ".parquet", "-errors.jsonl"

STAGES = {
    "fetch": "The image could not be fetched",
    "decode": "The image could not be decoded",
    "lines": "Its lines are not to be had",
    "recognise": "The recognition failed",
}
"""A page error's stage in words."""


@frozen
class RecordedPage:
    """A page of the manifest, its text (None where the file has no row for it), and why it failed."""

    page: Page
    text: PageText | None
    error: str | None


def text_file(volume: ReportVolume) -> bytes:
    """The volume's Parquet file; raises whatever the volume does when it can't be read."""
    return volume.artifact(_PARQUET)


def recorded_pages(volume: ReportVolume, parquet: bytes) -> list[RecordedPage]:
    """The volume's pages in reading order with their texts; ``parquet`` is its :func:`text_file`.

    Raises:
        ValueError: the Parquet file is damaged or holds no text.
    """
    texts = read_texts(parquet)
    pages = volume.volume.pages
    aligned = [text.image for text in texts] == [page.filename for page in pages]
    by_name = {text.image: text for text in texts}
    matched = texts if aligned else [by_name.get(page.filename) for page in pages]
    messages = _messages(volume) if any(text is not None and not text.ok for text in matched) else {}
    return [
        RecordedPage(page, text, _error(text, messages)) for page, text in zip(pages, matched, strict=True)
    ]


def volume_title(volume: Volume) -> str:
    """The volume as people name it."""
    work, book = volume.ref.w_id, volume.ref.i_id
    return work if work == book else f"{work} · {book}"  # folders of one's own may have one name only


def _error(text: PageText | None, messages: dict[str, str]) -> str | None:
    """Why a page has no text, in words; None if it was read."""
    if text is None:
        return "the volume's records have no row for this page"
    if text.ok:
        return None
    stage = text.error_stage or "unknown"
    words = STAGES.get(stage, f"The step “{stage}” failed")
    return f"{words}: {messages.get(text.image) or text.error_message or 'no message was recorded'}"


def _messages(volume: ReportVolume) -> dict[str, str]:
    """The failed pages' whole messages by file name: the Parquet file cuts them at 128 characters."""
    try:
        lines = volume.artifact(_ERRORS).decode("utf-8", "replace").splitlines()
    except Exception:  # noqa: BLE001 - a lost errors file costs only the ends of long messages
        return {}
    messages = {}
    for line in lines:
        try:
            entry = json.loads(line)
            messages[str(entry["img_filename"])] = str(entry["message"])
        except (ValueError, KeyError, TypeError):
            continue  # one bad line of the file says nothing about the others
    return messages
