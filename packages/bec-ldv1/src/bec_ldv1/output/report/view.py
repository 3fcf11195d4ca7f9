"""What the report shows, apart from where it comes from: values between the records and the HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from bec_core import Work
from bec_ldv1.record.suspicion import Findings, Level
from bec_ldv1.record.usual import PageFacts, Typical

Pixels = npt.NDArray[np.int32]
"""Points × 2, each x, y, in pixels of the page's larger picture."""


@attrs.frozen(eq=False)
class Outline:
    """One line (or piece of one) as it is drawn; ``confidence`` is 0 to 1; None is what was not recorded."""

    points: Pixels
    baseline: Pixels | None = None
    confidence: float | None = None


@attrs.frozen
class PageTrouble:
    """Why something is wrong with a page: the step that failed, the error's type, and its message."""

    stage: str
    kind: str
    message: str


@attrs.frozen(eq=False)
class PageView:
    """One page as the report shows it.

    Attributes:
        number: 1 for the volume's first page.
        filename: as in the manifest; anything may stand in it.
        width, height: of the larger picture, in pixels, also where there is no picture file.
        picture: the picture files' name without folder, None where the page could not be shown.
        unseen: why there is no picture, None where there is one.
        outlines: what was found, in reading order where the records know it.
        facts: what the records say, without pictures.
        findings: how suspicious that is, and why.
        error: the page error that was recorded, None for a page that was processed.
        quarter_turns: how many, counter-clockwise, bring the scan upright, as it is shown.
    """

    number: int
    filename: str
    width: int
    height: int
    picture: str | None
    unseen: str | None
    outlines: Sequence[Outline]
    facts: PageFacts
    findings: Findings
    error: PageTrouble | None = None
    quarter_turns: int = 0


@attrs.frozen(eq=False)
class VolumeView:
    """One volume as the report shows it.

    Attributes:
        title: the volume as people name it.
        version: the version of its images.
        folder: where its page and pictures lie, relative to the job's page.
        unit: what the outlines are: "line" or "segment", a piece of a line.
        pages: in reading order.
        typical: what is usual in this volume.
        marker: the content of ``success.json``.
        served_at: the URL of its page in ``bec serve``, where one is known.
        unreadable: why nothing can be shown, None for a volume that could be read.
        work: what the catalogue says of its work.
    """

    title: str
    version: str
    folder: str
    unit: str
    pages: Sequence[PageView]
    typical: Typical
    marker: Mapping[str, Any]
    served_at: str | None = None
    unreadable: str | None = None
    work: Work = Work()

    def count(self, level: Level) -> int:
        """How many pages are of this level."""
        return sum(page.findings.level is level for page in self.pages)

    @property
    def lines(self) -> int:
        """All lines (or segments) of the volume."""
        return sum(page.facts.lines for page in self.pages)
