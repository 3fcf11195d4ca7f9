"""What recognition costs a page in this process: the engine in the box over the lines that line detection finds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bec_core import PageData
from bec_ldv1.artifacts import PageLines, read_lines
from bec_ldv1.network.setup import start_engine
from bec_ldv1.page.detect import detect_page
from bec_ldv1.record.make import page_record
from bec_ldv1.record.records import to_parquet
from bec_ocrv1.box.recogniser import BoxRecogniser
from bec_ocrv1.page import read_page
from bec_ocrv1.records import TextTable
from measuring.bounds import Bounds, PageJob, Places, bounds_of

_PLACES: Places = (
    ("bec_ldv1/page/decode.py", "decode"),
    ("bec_ldv1/page/formats/", "decode"),
    ("bec_ldv1/", "cut lines"),
    ("bec_ocrv1/", "record"),
)


class _Context:
    """All that a page wants of its task."""

    @contextmanager
    def timed(self, _: str) -> Iterator[None]:
        """Nothing is timed."""
        yield


@contextmanager
def recognition(distinct: Sequence[Path]) -> Iterator[tuple[PageJob, BoxRecogniser]]:
    """How a page is read and the engine that does, over the lines that the model in the box finds on these pages."""
    lines = _lines_of(distinct)
    context: Any = _Context()

    def page(path: Path, engine: Any) -> Any:
        data = path.read_bytes()
        return read_page(context, lines[path.name], PageData(data, _etag(data), path.as_uri()), engine)

    def write(texts: list[Any]) -> None:
        table = TextTable()
        for text in texts:
            table.add(text)
        table.finish()

    with closing(BoxRecogniser.load()) as engine:
        yield PageJob("read", page, write, len, _PLACES), engine


def recognition_bounds(distinct: Sequence[Path], pages: int, threads: int) -> tuple[str, Bounds]:
    """The engine's name and its bounds."""
    with recognition(distinct) as (job, engine):
        return f"{engine.name} in {engine.arithmetic}", bounds_of(job, engine, distinct, pages, threads)


def _lines_of(paths: Sequence[Path]) -> dict[str, PageLines]:
    """What line detection finds on them, by their names, as recognition reads it of an artifact."""
    with start_engine() as engine:
        records = []
        for path in paths:
            data = path.read_bytes()
            records.append(page_record(path.name, _etag(data), detect_page(data, engine)))
    return {found.image: found for found in read_lines(to_parquet(records))}


def _etag(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
