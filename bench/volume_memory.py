"""How much memory a worker takes for one volume of large pages: `bec run ldv1`, and the peak of its process.

    python bench/volume_memory.py [--pages 300] [--kind large|padded]

Each page is a JPEG of 10 MiB. `large` is a sample page enlarged to 45 million pixels with noise; `padded` is a small
sample page with comments up to 10 MiB, for volumes of many thousand pages: it costs the network little. The files are
links to a few, so that the disk holds little too. Printed: the peak of the resident memory (VmHWM) of every process of
the run, when so many pages were done.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from bec_core.archive import is_image_name

SIZE = 10 << 20
LARGE = 45_000_000
SMALL = (1600, 500)
_PIECE = 65_533


def large(page: Image.Image) -> bytes:
    """A page of 45 million pixels and about 10 MiB."""
    scale = (LARGE / (page.width * page.height)) ** 0.5
    image = page.convert("RGB").resize((int(page.width * scale), int(page.height * scale)))
    noise = np.random.default_rng(1).normal(0, 6, (image.height, image.width, 1))
    noisy = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    best = b""
    for quality in range(30, 96, 4):
        file = io.BytesIO()
        noisy.save(file, "JPEG", quality=quality)
        if len(file.getvalue()) > SIZE:
            break
        best = file.getvalue()
    return padded_data(best)


def padded(page: Image.Image) -> bytes:
    """A small page of 10 MiB."""
    file = io.BytesIO()
    page.convert("L").resize(SMALL).save(file, "JPEG")
    return padded_data(file.getvalue())


def padded_data(data: bytes) -> bytes:
    """The JPEG with comments up to 10 MiB."""
    missing = max(0, SIZE - len(data))
    comment = b"\xff\xfe" + (_PIECE + 2).to_bytes(2, "big") + b" " * _PIECE
    return data[:2] + comment * (missing // len(comment)) + data[2:]


def peaks(parent: int) -> dict[str, int]:
    """The peak memory of a process and all below it, by program and id; MiB."""
    below: dict[int, list[int]] = {}
    names, sizes = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            said = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        pid = int(said["Pid"])
        below.setdefault(int(said["PPid"]), []).append(pid)
        names[pid] = said["Name"]
        sizes[pid] = int(said.get("VmHWM", "0 kB").split()[0]) // 1024
    found, pending = {}, [parent]
    while pending:
        pid = pending.pop()
        pending += below.get(pid, [])
        if pid in sizes:
            found[f"{names[pid]} {pid}"] = sizes[pid]
    return found


def main() -> None:
    """Make the volume, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--kind", choices=("large", "padded"), default="large")
    arguments = parser.parse_args()
    make = {"large": large, "padded": padded}[arguments.kind]
    samples = Path(__file__).parents[1] / "samples"
    found = sorted(path for path in samples.rglob("*") if is_image_name(path.name))
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        place.chmod(0o755)
        volume = place / "scans"
        for folder in ("kinds", "scans"):
            (place / folder).mkdir()
        kinds = []
        for path in found:
            kinds.append(place / "kinds" / f"{path.stem}.jpg")
            with Image.open(path) as page:
                kinds[-1].write_bytes(make(page))
        for number in range(arguments.pages):
            os.link(kinds[number % len(kinds)], volume / f"{number + 1:05}.jpg")
        mebibytes = sum(kind.stat().st_size for kind in kinds) / len(kinds) / 2**20
        print(f"{arguments.pages} pages, {mebibytes:.1f} MiB each", flush=True)
        run(volume, place)


def run(volume: Path, place: Path) -> None:
    """Run and watch."""
    command = [sys.executable, "-m", "bec_cli", "run", "ldv1", volume, "--out", place / "out", "--no-report"]
    environment = {**os.environ, "BEC_HOME": str(place / "home")}
    began, said_at = time.monotonic(), 0.0
    with (place / "log").open("w+b") as log:
        process = subprocess.Popen(command, env=environment, stderr=log, cwd=place)
        highest: dict[str, int] = {}
        while process.poll() is None:
            for name, size in peaks(process.pid).items():
                highest[name] = max(size, highest.get(name, 0))
            if time.monotonic() - said_at > 20:
                said_at = time.monotonic()
                print(f"{said_at - began:6.0f} s  {max(highest.values(), default=0):,} MiB", flush=True)
            time.sleep(0.3)
        log.seek(0)
        text = log.read().decode(errors="replace")
    if process.returncode:
        sys.exit(text)
    rate = re.search(r"([\d.]+) pages/s$", text, re.MULTILINE)
    print(f"{time.monotonic() - began:.0f} s, {rate[1] if rate else '?'} pages/s; peak memory:")
    for name, size in sorted(highest.items(), key=lambda item: -item[1])[:3]:
        print(f"  {size:6,} MiB  {name}")


if __name__ == "__main__":
    main()
