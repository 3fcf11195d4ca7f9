"""Run a line detector over the images that a truth names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import attrs
import numpy as np

from bec_core import PageError
from bec_ldv1.evaluation.baseline import projection_lines
from bec_ldv1.evaluation.images import PageSource
from bec_ldv1.evaluation.pages import PageLines, Polygon
from bec_ldv1.page.binarize import binarize
from bec_ldv1.page.decode import decode
from bec_ldv1.page.detect import detect_page
from bec_ldv1.page.orientation import to_stored, to_upright
from bec_ldv1.page.scale import shrink
from bec_ldv1.record.whole_lines import page_details

if TYPE_CHECKING:
    from bec_ldv1.network.engine import Engine


@attrs.frozen(eq=False)
class Seen:
    """An image file's lines and size, in pixels of the image as it is stored, and its EXIF orientation."""

    size: tuple[int, int]
    lines: Sequence[Polygon]
    orientation: int = 1

    def on(self, truth: PageLines) -> PageLines:
        """The lines as a page beside the true one.

        Other programs show and measure images after their orientation: where the truth's size is that of an image
        that lies on a side, so do we.
        """
        if self.orientation < 5 or truth.size != self.size[::-1] or truth.size == self.size:
            return PageLines(truth.image, self.size, tuple(self.lines))
        width, height = truth.size
        shown = (
            to_upright(np.asarray(line, np.float64), self.orientation, width, height) for line in self.lines
        )
        return PageLines(truth.image, truth.size, tuple(line.astype(np.float32) for line in shown))


Detector = Callable[[bytes], Seen]
"""What is found in an image file."""

_PAGES_AT_ONCE = 4


def detect_pages(
    truth: Sequence[PageLines],
    images: Mapping[str, PageSource],
    detector: Detector,
    warn: Callable[[str], None],
) -> Iterator[PageLines | None]:
    """Detect the lines of each page of the truth; in the truth's order.

    A page that can't be processed is None, and ``warn`` is told why.
    """

    def detect(page: PageLines) -> PageLines | str:
        source = images[page.name]
        try:
            return detector(source.read()).on(page)
        except (PageError, OSError) as error:
            return f"{source.place} can't be processed: {error}"

    with ThreadPoolExecutor(_PAGES_AT_ONCE) as pool:
        for result in pool.map(detect, truth):
            if isinstance(result, str):
                warn(result)
                yield None
            else:
                yield result


def model_detector(engine: Engine) -> Detector:
    """The lines that the worker finds with the engine's model."""

    def detect(data: bytes) -> Seen:
        details = page_details(detect_page(data, engine))
        lines = [line.polygon for line in details.lines]
        return Seen((details.width, details.height), lines, details.orientation or 1)

    return detect


def projection_detector(data: bytes) -> Seen:
    """The baseline on the plane that a network would see."""
    page = decode(data)
    plane = binarize(shrink(page), bilevel=page.bilevel)
    scale = np.array([page.width / plane.shape[1], page.height / plane.shape[0]], np.float32)
    lines = [polygon * scale for polygon in projection_lines(plane)]
    way = (page.orientation, page.width, page.height)
    stored = [to_stored(line.astype(np.float64), *way).astype(np.float32) for line in lines]
    return Seen(page.stored_size, stored, page.orientation)
