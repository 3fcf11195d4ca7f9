"""Instructions of five paths of our own code, counted by Callgrind and held against those that are kept.

    python bench/instructions.py [PATH …]            compare; ends 1 when one is off by more than 5 %
    python bench/instructions.py --write [PATH …]    keep what is counted now, for this Python

Paths: a task from claim to settle, a manifest, enqueueing, records to Parquet, whole lines. Counts don't hang on what
else the machine does. What would depend on the processor is pinned to the baseline: no library may choose newer
instructions. They are kept in bench/instructions.json for each minor version of Python. Where Valgrind is not
installed, or none are kept for this Python, it says so and ends 2.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]

from measuring.paths import NEED_DATABASE, PATHS, SLOWER  # noqa: E402

from support.services import PostgresServer, postgres_server  # noqa: E402

KEPT = ROOT / "bench" / "instructions.json"
TOLERANCE = 0.05
CANNOT = 2
_NEWER = ("AVX", "AVX2", "AVX512F", "AVX512VL", "AVX512BW", "AVX512DQ", "AVX512CD", "BMI2", "ERMS", "FSRM")


def interpreter() -> str:
    """What counts are kept for."""
    return (
        f"{platform.python_implementation()} {sys.version_info[0]}.{sys.version_info[1]} {platform.machine()}"
    )


def why_not() -> str | None:
    """Why nothing can be counted here; None: it can."""
    if shutil.which("valgrind") is None:
        return "no counter: valgrind is not installed"
    if platform.machine() != "x86_64":
        return f"no counter: Callgrind is told what to count on x86_64 only, and this is {platform.machine()}"
    return None


def kept() -> dict[str, int]:
    """The counts that are kept for this Python, by path; none if there are none."""
    return _all_kept().get(interpreter(), {})


def _all_kept() -> dict[str, dict[str, int]]:
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}


def keep(counts: dict[str, int]) -> None:
    """Keep these for this Python, beside the others."""
    every = _all_kept()
    every[interpreter()] = every.get(interpreter(), {}) | counts
    KEPT.write_text(json.dumps(every, indent=1, sort_keys=True) + "\n")


def off(counted: int, expected: int) -> float:
    """By how much a count differs, as a share of what is expected."""
    return counted / expected - 1


def pinned() -> dict[str, str]:
    """An environment in which every library uses the baseline's instructions and one thread."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("BEC_", "PYTHON"))},
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT / "bench"), str(ROOT / "tests"), *map(str, sorted(ROOT.glob("packages/*/src")))]
        ),
        "PYTHONHASHSEED": "0",
        "NPY_DISABLE_CPU_FEATURES": _numpy_dispatch(),
        "OPENCV_IPP": "disabled",
        "OPENCV_CPU_DISABLE": "AVX,AVX2,FMA3,FP16,AVX512_SKX,AVX512_ICL",
        "OPENBLAS_CORETYPE": "Prescott",
        "OPENBLAS_NUM_THREADS": "1",
        "ARROW_USER_SIMD_LEVEL": "NONE",
        "OMP_NUM_THREADS": "1",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=" + ",".join(f"-{name}" for name in _NEWER),
    }


def _numpy_dispatch() -> str:
    """The instruction sets that numpy would choose among."""
    import numpy

    return ",".join(numpy._core._multiarray_umath.__cpu_dispatch__)


def count(path: str, server: PostgresServer | None, *, slower: bool = False) -> int:
    """The instructions of a path.

    Where the database is spoken with, those of the calling thread alone: the others look after connections, leases and
    heartbeats by the clock, so how often they wake depends on how long it all takes.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    dsn = ""
    if path in NEED_DATABASE:
        assert server is not None
        dsn = server.new_database(f"i_{os.urandom(8).hex()}")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        done = subprocess.run(
            [
                "valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}",
                *(["--separate-threads=yes"] if path in NEED_DATABASE else []),
                sys.executable, "-X", "frozen_modules=on", "-m", "measuring.paths", path, dsn,
                *([SLOWER] if slower else []),
            ],
            env=pinned(), cwd=folder, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{path} failed under Callgrind:\n{done.stderr[-3000:]}")
        found = re.search(r"^totals: (\d+)", _dumped(out), re.MULTILINE)
    if found is None or not int(found[1]):
        raise RuntimeError(f"Callgrind counted nothing of {path}:\n{done.stderr[-3000:]}")
    return int(found[1])


def _dumped(out: Path) -> str:
    """The dump that was asked for (of the main thread, if by threads); the second one, of the rest, counts nothing."""
    found = [
        one for one in (out.with_name(f"{out.name}.1"), out.with_name(f"{out.name}.1-01")) if one.exists()
    ]
    return found[0].read_text() if found else ""


def main() -> None:
    """Count, then keep or compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help=f"of {', '.join(PATHS)}; default: all")
    parser.add_argument("--write", action="store_true", help="keep what is counted now")
    options = parser.parse_args()
    if unknown := set(options.paths) - set(PATHS):
        parser.error(f"no such path: {', '.join(sorted(unknown))}; there are {', '.join(PATHS)}")
    expected = kept()
    reason = why_not()
    if reason is None and not options.write and not expected:
        reason = f"no counts are kept for {interpreter()}: python bench/instructions.py --write"
    if reason is not None:
        print(reason, file=sys.stderr)
        sys.exit(CANNOT)
    counts, failed = {}, []
    with ExitStack() as stack:
        paths = options.paths or list(PATHS)
        server = stack.enter_context(postgres_server()) if NEED_DATABASE & set(paths) else None
        for path in paths:
            counts[path] = count(path, server)
            before = expected.get(path)
            change = "not kept" if before is None else f"{off(counts[path], before):+.2%}"
            print(f"{path:10}{counts[path]:>14,} instructions  {change}", flush=True)
            if before is not None and abs(off(counts[path], before)) > TOLERANCE:
                failed.append(path)
    if options.write:
        keep(counts)
        print(f"kept for {interpreter()} in {KEPT.relative_to(ROOT)}")
    elif failed:
        sys.exit(f"off by more than {TOLERANCE:.0%}: {', '.join(failed)} (--write, if that is meant)")


if __name__ == "__main__":
    main()
