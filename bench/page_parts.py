"""What parts of a page cost besides the network: decoding, and two looks at its light.

    python bench/page_parts.py FILE...

The median processor time of five rounds, one thread. To compare, run it in turn with ``PYTHONPATH`` at another commit's
``packages/bec-ldv1/src``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from bec_ldv1.page.decode import decode
from bec_ldv1.page.light import light_on_dark, lost_strokes
from bec_ldv1.page.prepare import Preparation, prepare
from bec_ldv1.page.scale import shrink

ROUNDS = 5


def cost(part: Callable[[], object]) -> float:
    """Milliseconds of processor time, the first round not counted."""
    times = []
    for _ in range(ROUNDS + 1):
        began = time.thread_time()
        part()
        times.append(1000 * (time.thread_time() - began))
    return statistics.median(times[1:])


def main() -> None:
    """Measure each file, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    cv2.setNumThreads(1)
    for path in parser.parse_args().files:
        data = path.read_bytes()
        page = decode(data)
        small, pieces = shrink(page), prepare(page, Preparation(even_light=True)).pieces
        print(
            f"{path.name}  {page.width} × {page.height}: decoded {cost(lambda data=data: decode(data)):.1f} ms, "
            f"light on dark {cost(lambda small=small: light_on_dark(small)):.1f}, "
            f"lost strokes {cost(lambda small=small, pieces=pieces: lost_strokes(small, pieces)):.1f}"
        )


if __name__ == "__main__":
    main()
