"""An OCR job's Parquet file evaluated without a task; the outcome is what a report reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from bec_core import InputVolume, Page, PageData, PageError, Volume, VolumeRef, Work
from bec_ocreval.config import OcrEvalConfig
from bec_ocreval.errors import TextsError
from bec_ocreval.evaluate import evaluate_page, evaluate_volume
from bec_ocreval.results import PAGES, SUMMARY, VolumeResult, page_rows, summary
from bec_ocreval.texts import read_texts
from bec_ocreval.truth.find import Truth

_BASENAME = re.compile(r"(?P<w_id>[^-]+)-(?P<i_id>.+)-(?P<version>[^-]+)")


@frozen
class OfflineVolume:
    """An evaluated volume; a :class:`bec_core.ReportVolume` whose pages can't be had."""

    volume: Volume
    basename: str
    result: VolumeResult
    artifacts: Mapping[str, bytes]
    marker: Mapping[str, Any] = field(factory=dict)
    work: Work = Work()
    served_at: str | None = None

    def artifact(self, suffix: str) -> bytes:
        """The artifact ``{basename}{suffix}``."""
        return self.artifacts[suffix]

    def read_page(self, page: Page) -> PageData:
        """Nothing: only the texts are at hand."""
        raise PageError(f"{page.filename} is not at hand", stage="fetch")

    def input(self, name: str) -> InputVolume:
        """Nothing: no job did this."""
        raise TextsError(f"{self.basename} was evaluated without a job: there is no input {name}")


def evaluate_file(path: Path, truth: Truth | None, config: OcrEvalConfig) -> OfflineVolume:
    """Evaluate a Parquet file; its name ``{W_ID}-{I_ID}-{version}`` says which volume it is of, else its whole name.

    Raises:
        TextsError: the file is not an OCR job's; the message names it.
        TruthError: the truth of a page is ambiguous.
    """
    data = path.read_bytes()
    try:
        read = read_texts(data)
    except TextsError as error:
        raise TextsError(f"{path}: {error}") from error
    named = _BASENAME.fullmatch(path.stem)
    ref = VolumeRef(named["w_id"], named["i_id"]) if named else VolumeRef(path.stem, path.stem)
    pages = tuple(Page(index, page.image) for index, page in enumerate(read))
    version = named["version"] if named else ""
    etag = hashlib.md5(data, usedforsecurity=False).digest()
    volume = Volume(ref, etag, version, pages)
    truths = {} if truth is None else truth.of(ref, pages)
    results = [
        evaluate_page(page.filename, one, truths.get(page.index), config)
        for page, one in zip(pages, read, strict=True)
    ]
    result = evaluate_volume(results, config.confusions)
    return OfflineVolume(volume, path.stem, result, {PAGES: page_rows(results), SUMMARY: summary(result)})
