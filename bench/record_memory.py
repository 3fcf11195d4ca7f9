"""What a volume's records cost on their way to the Parquet file: memory and time, for volumes of several lengths.

    python bench/record_memory.py [--pages 500 2000]

Every page has 40 pieces and 40 lines of 100 points each, drawn anew. Printed: this process' peak memory (VmHWM) after
each volume, milliseconds of processor time a page, and the size of the file.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from bec_ldv1.lines import Line
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord
from bec_ldv1.record.volume_file import VolumeFile

LINES, POINTS = 40, 100


def drawn(number: int) -> PageRecord:
    """A page of many lines."""
    rng = np.random.default_rng(number)
    points = rng.integers(0, 9000, (3 * LINES, POINTS, 2))
    lines = tuple(
        Line(polygon.astype(np.float32), baseline.astype(np.float32), 0.9)
        for polygon, baseline in zip(points[LINES : 2 * LINES], points[2 * LINES :], strict=True)
    )
    return PageRecord(
        f"{number}.jpg",
        "0" * 32,
        contours=list(points[:LINES].astype(np.int32)),
        contours_bboxes=np.zeros((LINES, 4), np.int32),
        details=PageDetails(9000, 9000, 0.1, lines),
    )


def peak() -> int:
    """This process' peak memory, MiB."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024


def main() -> None:
    """Write the volumes, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, nargs="+", default=[500, 2000])
    for pages in parser.parse_args().pages:
        with tempfile.TemporaryFile() as waiting, tempfile.TemporaryFile() as sink:
            volume, spent = VolumeFile(waiting, pages), 0.0
            for number in range(pages):
                record = drawn(number)
                began = time.process_time()
                volume.add(record)
                spent += time.process_time() - began
            began = time.process_time()
            volume.write(sink)
            spent += time.process_time() - began
            size = sink.tell() / 2**20
        print(
            f"{pages:6,} pages  {peak():5,} MiB  {1000 * spent / pages:5.2f} ms a page  {size:,.0f} MiB",
            flush=True,
        )


if __name__ == "__main__":
    main()
