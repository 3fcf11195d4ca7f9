"""What was measured on: processor, instruction sets, load, versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SETS = (
    "sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16",
    "amx_int8", "asimd", "asimddp", "bf16", "i8mm", "sve",
)  # fmt: skip
"""The instruction sets that numerical libraries choose by, as /proc/cpuinfo names them."""

_LIBRARIES = ("torch", "openvino", "numpy", "opencv-python-headless", "pillow", "pyarrow")


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def processor() -> str:
    """The processor's name, as far as the kernel knows it."""
    return _cpuinfo().get("model name") or platform.machine()


def instruction_sets() -> tuple[str, ...]:
    """Those of `SETS` that the processor has."""
    known = _cpuinfo()
    there = set((known.get("flags") or known.get("Features") or "").split())
    return tuple(name for name in SETS if name in there)


def load() -> float:
    """The load of the last minute."""
    return os.getloadavg()[0]


def versions() -> dict[str, str]:
    """The libraries that set the pace, and Python; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cpuinfo() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def describe() -> str:
    """Lines for people."""
    return "\n".join(
        [
            f"processor          {processor()}, {cores()} cores for us, load {load():.1f}",
            f"instruction sets   {' '.join(instruction_sets()) or 'not known here'}",
            f"versions           {', '.join(f'{name} {what}' for name, what in versions().items())}",
        ]
    )
