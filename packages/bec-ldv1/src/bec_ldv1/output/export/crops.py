"""One straightened image per line, for recognising its text."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from bec_core import PageError
from bec_ldv1.artifacts import PageProblem, cut_line, decode_page
from bec_ldv1.artifacts.writing.image_folders import images_of
from bec_ldv1.artifacts.writing.names import file_stems
from bec_ldv1.artifacts.writing.volume import ExportVolume
from bec_ldv1.output.export.pages import ExportPage
from bec_ldv1.page.decode import Plane


def write_crops(
    volume: ExportVolume[ExportPage], images: Path, out: Path, *, mask: bool = True
) -> tuple[int, list[str]]:
    """Write every line of a volume as ``out/{volume}/{page}_{line:03}.png``, and ``lines.jsonl`` beside them.

    Each row of ``lines.jsonl`` has ``crop``, ``image``, ``line`` (from 1), ``size`` [width, height] of the crop,
    and ``polygon``, ``baseline``, ``confidence`` as in the export.

    Returns:
        How many images were written, and a sentence for each page that could not be cut.

    Raises:
        ExportError: no folder below ``images`` holds the volume's pages, or several do.
        OSError: a file can't be written.
    """
    pages = [page for page in volume.pages if page.lines]
    if not pages:
        return 0, []
    source = images_of(volume.name, [page.image for page in pages], images)
    folder = out / volume.name
    folder.mkdir(parents=True, exist_ok=True)
    rows, problems = [], []
    stems = dict(zip(map(id, volume.pages), file_stems([page.image for page in volume.pages]), strict=True))
    for page in pages:
        try:
            crops = cut_page(page, source.read(page.image), mask=mask)
        except (PageProblem, PageError) as error:
            problems.append(f"{volume.name}, {page.image}: {error}")
            continue
        for number, crop in enumerate(crops, start=1):
            name = f"{stems[id(page)]}_{number:03}.png"
            Image.fromarray(crop).save(folder / name)
            rows.append(_row(name, page, number, crop))
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "lines.jsonl").write_text(text, encoding="utf-8", errors="replace")
    return len(rows), problems


def cut_page(page: ExportPage, data: bytes, *, mask: bool = True) -> list[Plane]:
    """The images of a page's lines, in reading order.

    Args:
        page: with lines in pixels of the image as it is stored.
        data: the image file.
        mask: see `cut_line`.

    Raises:
        PageProblem: the image can't be decoded, or has not the size that is recorded, so that it is another one.
    """
    image = decode_page(data)
    return [cut_line(image, page, line, mask=mask) for line in page.lines]


def _row(name: str, page: ExportPage, number: int, crop: Plane) -> dict[str, object]:
    line = page.lines[number - 1]
    return {
        "crop": name,
        "image": page.image,
        "line": number,
        "size": [crop.shape[1], crop.shape[0]],
        "confidence": round(line.confidence, 4),
        "polygon": line.polygon.tolist(),
        "baseline": line.baseline.tolist(),
    }
