"""How slow a store's GETs may be before pages wait for them: a real worker, a volume of pages that take a while each.

    python bench/slow_gets.py [--pages 200] [--page-ms 100]

The job waits ``--page-ms`` for each page, two at a time, so it needs hardly any processor; each page's GET is made to
take longer and longer. By `bench/fleet_paper.py`'s reckoning a GET may take as long as the pages that are fetched ahead
last: ``AHEAD / rate``.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from loguru import logger

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from measuring.machine import cores, load
from small_volumes import play

from bec_core.models import Page, PageData
from bec_core.pages.flow import AHEAD
from bec_core.worker.context import RunningTask
from support.services import PostgresServer, postgres_server

SHARES = (0.0, 0.5, 0.8, 1.0, 1.5, 2.0)
"""Of the time that a GET may take."""


def rate(server: PostgresServer, name: str, pages: int, page_ms: float, get_s: float) -> float:
    """Pages per second of one volume whose pages' GETs take so long."""
    read = RunningTask.read_page

    def slow(task: RunningTask, page: Page) -> PageData:
        time.sleep(get_s)
        return read(task, page)

    RunningTask.read_page = slow  # type: ignore[method-assign]
    try:
        seconds, _ = play(server, "waiting", [b"page"] * pages, pages, name, page_ms)
    finally:
        RunningTask.read_page = read  # type: ignore[method-assign]
    return pages / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--page-ms", type=float, default=100.0)
    options = parser.parse_args()
    logger.remove()
    with postgres_server() as server:
        fastest = rate(server, "warm", options.pages, options.page_ms, 0.0)
        allowed = AHEAD / fastest
        print(f"{fastest:.1f} pages/s without a delay, so a GET may take {1000 * allowed:.0f} ms")
        for n, share in enumerate(SHARES):
            found = rate(server, f"slow{n}", options.pages, options.page_ms, share * allowed)
            print(
                f"GETs of {1000 * share * allowed:5.0f} ms ({share:.0%}): {found:5.1f} pages/s, {found / fastest:.0%}"
            )
    print(f"load {load():.1f} on {cores()} cores")


if __name__ == "__main__":
    main()
