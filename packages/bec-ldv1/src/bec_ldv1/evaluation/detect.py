"""Run a line detector over the images that a truth names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bec_ldv1.errors import PageProblem
from bec_ldv1.evaluation.baseline import projection_lines
from bec_ldv1.evaluation.pages import PageLines, Polygon, TruthError
from bec_ldv1.page.binarize import binarize
from bec_ldv1.page.decode import decode
from bec_ldv1.page.detect import detect_page
from bec_ldv1.page.scale import shrink
from bec_ldv1.record.whole_lines import page_details

if TYPE_CHECKING:
    from bec_ldv1.network.engine import Engine

Detector = Callable[[bytes], list[Polygon]]
"""An image file's lines, in pixels of the image as it is stored."""

_PAGES_AT_ONCE = 4


def find_images(truth: Sequence[PageLines], folder: Path) -> dict[str, Path]:
    """The file of each page, by its name: at the truth's own path under ``folder``, else anywhere below it.

    Raises ``TruthError`` that names the pages whose image is not there, or is there twice.
    """
    below: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            below.setdefault(path.name, []).append(path)
    found: dict[str, Path] = {}
    missing: list[str] = []
    for page in truth:
        direct = folder / page.image
        places = [direct] if direct.is_file() else below.get(page.name, [])
        if len(places) > 1:
            raise TruthError(f"{page.image} is in {folder} at {len(places)} places, such as {places[0]}")
        if places:
            found[page.name] = places[0]
        else:
            missing.append(page.image)
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise TruthError(f"no image in {folder} for {', '.join(missing[:3])}{more}; say where with --images")
    return found


def detect_pages(
    truth: Sequence[PageLines], images: Mapping[str, Path], detector: Detector
) -> Iterator[PageLines]:
    """Detect the lines of each page of the truth; in the truth's order.

    Raises ``TruthError`` naming the page that can't be processed.
    """

    def detect(page: PageLines) -> PageLines:
        path = images[page.name]
        try:
            return PageLines(page.image, page.size, tuple(detector(path.read_bytes())))
        except PageProblem as error:
            raise TruthError(f"{path} can't be processed: {error}") from error

    with ThreadPoolExecutor(_PAGES_AT_ONCE) as pool:
        yield from pool.map(detect, truth)


def model_detector(engine: Engine) -> Detector:
    """The lines that the worker finds with the engine's model."""

    def detect(data: bytes) -> list[Polygon]:
        return [line.polygon for line in page_details(detect_page(data, engine)).lines]

    return detect


def projection_detector(data: bytes) -> list[Polygon]:
    """The baseline on the plane that a network would see."""
    page = decode(data)
    plane = binarize(shrink(page), bilevel=page.bilevel)
    scale = np.array([page.width / plane.shape[1], page.height / plane.shape[0]], np.float32)
    return [polygon * scale for polygon in projection_lines(plane)]
