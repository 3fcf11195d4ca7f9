"""A report over many small volumes whose store takes a while to answer: time, and the peak of the memory.

    python bench/report_volumes.py [--volumes 2000] [--delay 0.02] [--pages 4]

Every volume has its manifest, marker and records on this machine; each call of the store waits first, as one over a
network does. Nothing is drawn anew: the pages' images are missing, as for a library whose scans lie elsewhere, so
what is measured is looking up, reading and writing. The peak is this process' VmHWM, after every tenth of the volumes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from attrs import frozen
from loguru import logger

from bec_core import Page, Volume, VolumeRef
from bec_core.reporting.side_by_side import side_by_side
from bec_ldv1.lines import Line
from bec_ldv1.output.report import write_report
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord, to_parquet


def records(pages: int) -> bytes:
    """A volume's file: six lines a page."""
    outline = np.array([[100, 0], [900, 0], [900, 40], [100, 40]], np.float32)
    lines = tuple(
        Line(np.add(outline, [0, 50 * n]), np.add(outline[:2], [0, 50 * n + 20]), 0.95) for n in range(6)
    )
    details = PageDetails(1000, 400, 0.1, lines)
    boxes = np.empty((0, 4), np.int32)
    return to_parquet(
        PageRecord(f"{n}.jpg", "ff", contours=[], contours_bboxes=boxes, details=details)
        for n in range(pages)
    )


@frozen(eq=False)
class Distant:
    """A finished volume behind a slow store."""

    volume: Volume
    parquet: bytes
    delay_s: float
    served_at: str | None = None

    @property
    def basename(self) -> str:
        """What its artifacts' names begin with."""
        return f"{self.volume.ref.w_id}-{self.volume.ref.i_id}-{self.volume.version}"

    @property
    def marker(self) -> dict[str, object]:
        """Its marker."""
        return {"volume": self.basename}

    def artifact(self, suffix: str) -> bytes:
        """Its records."""
        time.sleep(self.delay_s)
        return self.parquet

    def read_page(self, page: Page) -> object:
        """Its pages are gone."""
        raise FileNotFoundError(page.filename)


def peak() -> int:
    """This process' peak memory, MiB."""
    said = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return int(said.split()[0]) // 1024


def main() -> None:
    """Make the volumes, write the report, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=int, default=2000)
    parser.add_argument("--delay", type=float, default=0.02)
    parser.add_argument("--pages", type=int, default=4)
    arguments = parser.parse_args()
    logger.remove()
    parquet = records(arguments.pages)

    def look_up(number: int) -> Distant:
        time.sleep(3 * arguments.delay)  # the manifest, the marker, the artifact's head
        pages = tuple(Page(index, f"{index}.jpg") for index in range(arguments.pages))
        volume = Volume(VolumeRef(f"W{number}", f"I{number}"), bytes(16), "abcdef", pages)
        return Distant(volume, parquet, arguments.delay)

    def volumes() -> Iterator[Distant]:
        for number, volume in enumerate(side_by_side(look_up, range(arguments.volumes), at_once=8)):
            if number % max(1, arguments.volumes // 10) == 0:
                print(
                    f"{number:7,} volumes  {time.perf_counter() - began:6.1f} s  {peak():5,} MiB", flush=True
                )
            yield volume

    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        first = write_report(volumes(), Path(place))
        spent = time.perf_counter() - began
        size = first.stat().st_size
        print(
            f"{arguments.volumes:7,} volumes  {spent:6.1f} s  {peak():5,} MiB; index.html {size / 1e6:.1f} MB"
        )
    one_by_one = 4 * arguments.delay * arguments.volumes
    print(f"the store's answers alone, one after the other: {one_by_one:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
