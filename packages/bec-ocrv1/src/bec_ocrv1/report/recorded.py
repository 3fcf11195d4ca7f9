"""A volume's artifacts as the report and the comparison read them."""

from __future__ import annotations

from attrs import frozen

from bec_core import Page, ReportVolume, error_messages, records_of
from bec_ocrv1.artifacts import PageText, read_texts

_PARQUET = ".parquet"

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
    matched = records_of(pages, texts, lambda text: text.image)
    messages = error_messages(volume) if any(text is not None and not text.ok for text in matched) else {}
    return [
        RecordedPage(page, text, _error(text, messages)) for page, text in zip(pages, matched, strict=True)
    ]


def _error(text: PageText | None, messages: dict[str, str]) -> str | None:
    """Why a page has no text, in words; None if it was read."""
    if text is None:
        return "the volume's records have no row for this page"
    if text.ok:
        return None
    stage = text.error_stage or "unknown"
    words = STAGES.get(stage, f"The step “{stage}” failed")
    return f"{words}: {messages.get(text.image) or text.error_message or 'no message was recorded'}"
