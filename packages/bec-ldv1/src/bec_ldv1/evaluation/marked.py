"""Ground truth of pages that people marked or corrected: the job type's `bec_core.TruthMaker`. No torch.

Its rows are those that `readers.read_jsonl` reads, in pixels of the image as it is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bec_core import StoredResult
from bec_ldv1.artifacts import read_lines
from bec_ldv1.evaluation.pages import PageLines, Polygon
from bec_ldv1.evaluation.readers import pages_of_xml


class MarkedPages:
    """See `bec_core.TruthMaker`."""

    def predicted(self, result: StoredResult, images: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """The rows of these pages, with the lines that were found.

        Raises:
            ValueError: the file holds no line-detection records, or only pieces of lines.
        """
        rows: dict[str, Mapping[str, Any]] = {}
        for page in read_lines(result.artifact(".parquet")):
            if page.image not in images or not page.ok:
                continue
            if page.pieces_only:
                raise ValueError("it has only the contract's columns, which hold no whole lines")
            assert page.width is not None
            assert page.height is not None
            rows[page.image] = _row(
                page.image, (page.width, page.height), [line.polygon for line in page.lines]
            )
        return rows

    def corrected(self, data: bytes, image: str) -> Mapping[str, Any]:
        """The row of the only page of a PAGE or ALTO file.

        Raises:
            ValueError: it is no such file, has not one page, lines without an outline, or lengths on paper.
        """
        pages = pages_of_xml(data)
        if len(pages) != 1:
            raise ValueError(f"it has {len(pages)} pages; one is wanted")
        (page,) = pages
        if page.without_outline:
            raise ValueError(
                f"{len(page.without_outline)} of its lines have no outline, the first: {page.without_outline[0]}"
            )
        if not page.in_pixels:
            raise ValueError("its unit is a length on paper; pixels of the image are wanted")
        return _row(image, page.size, page.regions, page)


def _row(
    image: str, size: tuple[int, int] | None, polygons: Collection[Polygon], page: PageLines | None = None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "image": image,
        "lines": [{"polygon": polygon.round(1).tolist()} for polygon in polygons],
    }
    if size is not None:
        row["size"] = list(size)
    if page is not None and page.ignore:
        row["margin"] = [{"polygon": polygon.round(1).tolist()} for polygon in page.ignore]
    return row
