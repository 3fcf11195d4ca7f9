"""This machine: room on its disks, the device that pages are worked on with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from bec_core.admin.doctor.check import Check, ok, trouble, warning
from bec_core.machine import cores
from bec_core.models import Job
from bec_core.settings import Settings

_GIB = 1 << 30
_LEAST, _LITTLE = 1 * _GIB, 5 * _GIB

_TORCH = """
import json, torch
cuda = torch.cuda.is_available()
print(json.dumps({"version": torch.__version__, "gpus": [
    [torch.cuda.get_device_name(n), torch.cuda.get_device_properties(n).total_memory]
    for n in range(torch.cuda.device_count())] if cuda else []}))
"""
"""In a process of its own: it takes seconds and a GiB, and a broken driver can end a process."""


def disks(settings: Settings) -> Iterator[Check]:
    """Can BEC's own folder and the one for temporary files be written, and is there room?"""
    temporary = settings.scratch or Path(tempfile.gettempdir())
    for name, folder, variable in (
        ("home", settings.home, "BEC_HOME"), ("temporary files", temporary, "BEC_SCRATCH, or TMPDIR"),
    ):  # fmt: skip
        there = next(one for one in (folder, *folder.parents) if one.exists())
        free = shutil.disk_usage(there).free
        text = f"{folder}: {free / _GIB:,.1f} GiB free"
        if not os.access(there, os.W_OK | os.X_OK):
            yield trouble(name, f"{folder} can't be written", f"let this user write there, or set {variable}")
        elif free < _LEAST:
            yield trouble(name, text, f"make room, or set {variable}")
        elif free < _LITTLE:
            yield warning(name, text, f"make room, or set {variable}")
        else:
            yield ok(name, text)


def device(jobs: Sequence[Job], *, within_s: float) -> Iterator[Check]:
    """What torch finds to work with, where it is installed; and whether a job wants more than that."""
    wanting = [job.name for job in jobs if job.config.get("use_gpu") is True]
    if find_spec("torch") is None:
        yield ok("device", "torch is not installed: jobs that need none of it work on the CPU")
        return
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _TORCH], capture_output=True, text=True, timeout=within_s, check=True
        )
        found = json.loads(ended.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        yield trouble(
            "device", f"torch did not start within {within_s:.0f} s", "look at the GPU's driver: nvidia-smi"
        )
        return
    except (subprocess.CalledProcessError, ValueError, IndexError) as error:
        words = getattr(error, "stderr", None) or str(error)
        yield trouble(
            "device", f"torch can't be imported: {words.strip().splitlines()[-1]}", "install torch anew"
        )
        return
    gpus = ", ".join(f"{name} ({memory / _GIB:.0f} GiB)" for name, memory in found["gpus"])
    if gpus or not wanting:
        yield ok("device", f"torch {found['version']}, {gpus or f'no GPU, {cores()} cores'}")
        return
    yield warning(
        "device",
        f"torch {found['version']} finds no GPU, and {', '.join(wanting)} would use one (use_gpu)",
        "on the CPU it works, many times slower; for a GPU: nvidia-smi, and a build of torch for CUDA",
    )
