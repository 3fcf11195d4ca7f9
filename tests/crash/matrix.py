#!/usr/bin/env python3
"""Play the crash matrix and print it.

    python tests/crash/matrix.py [--rows TEXT] [--worlds postgres/file,...] [--jobs N] [--write docs/reliability.md]

Every row is played in every world (queue and store) where it makes sense, with real worker processes; a red cell is
printed with what was not as it must be, and makes the exit status 1. ``--write`` puts the table between the
markers in the document.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loguru import logger

from support.cli import install_checksum_plugin, install_reader_plugin
from support.crash_lab import Shared
from support.crash_rows import ROWS, WORLDS, Row, play
from support.services import moto_server, postgres_server

BEGIN, END = "<!-- crash matrix: begin -->", "<!-- crash matrix: end -->"


def main() -> int:
    """Play what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default="", help="only rows whose name contains this")
    parser.add_argument("--worlds", default="", help="only these, comma-separated: postgres/file, sqs/s3 …")
    parser.add_argument("--jobs", type=int, default=3, help="cells played at the same time")
    parser.add_argument("--write", type=Path, help="put the table into this document")
    arguments = parser.parse_args()
    logger.remove()
    os.environ.update(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing")
    rows = [row for row in ROWS if arguments.rows in row.name]
    worlds = [w for w in WORLDS if not arguments.worlds or "/".join(w) in arguments.worlds.split(",")]
    started = time.monotonic()
    results = play_all(rows, worlds, arguments.jobs)
    table = render(rows, worlds, results)
    bad = sum(bool(problems) for problems in results.values())
    print(table)
    print(f"\n{len(results)} cells, {bad} red, {time.monotonic() - started:.0f} s")
    if arguments.write:
        text = arguments.write.read_text()
        before, _, rest = text.partition(BEGIN)
        arguments.write.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")
    return 1 if bad else 0


def play_all(
    rows: list[Row], worlds: list[tuple[str, str]], jobs: int
) -> dict[tuple[str, tuple[str, str]], list[str]]:
    """Play every cell that makes sense; what was wrong in each."""
    folder = Path(tempfile.mkdtemp(prefix="bec-crash-"))
    folder.chmod(0o755)  # the embedded server may run as another user
    install_checksum_plugin(folder / "plugins")
    install_reader_plugin(folder / "plugins")
    sys.path.insert(0, str(folder / "plugins"))
    results: dict[tuple[str, tuple[str, str]], list[str]] = {}
    with postgres_server() as server, moto_server() as moto, ThreadPoolExecutor(jobs) as pool:
        shared = Shared(server, moto, folder / "plugins", folder)

        def one(row: Row, world: tuple[str, str]) -> None:
            try:
                problems = play(row, shared, *world)
            except Exception as error:  # noqa: BLE001 - a cell that can't even be played is red
                problems = [f"{type(error).__name__}: {error}"]
            results[row.name, world] = problems
            print(f"{'RED ' if problems else 'ok  '} {row.name} [{'/'.join(world)}]", flush=True)
            for problem in problems:
                print(f"       {problem}", flush=True)

        futures = [pool.submit(one, row, world) for row in rows for world in worlds if row.fits(*world)]
        for future in futures:
            future.result()
    if not any(results.values()):
        shutil.rmtree(folder, ignore_errors=True)
    return results


def render(
    rows: list[Row], worlds: list[tuple[str, str]], results: dict[tuple[str, tuple[str, str]], list[str]]
) -> str:
    """The table in Markdown; a dash where a row makes no sense."""
    lines = ["| what happens | " + " | ".join(f"{q} / {s}" for q, s in worlds) + " |"]
    lines.append("| --- |" + " :---: |" * len(worlds))
    for row in rows:
        cells = []
        for world in worlds:
            problems = results.get((row.name, world))
            cells.append("–" if problems is None else "**red**" if problems else "ok")
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
