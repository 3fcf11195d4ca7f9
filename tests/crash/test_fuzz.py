"""A short run of the fuzzer in every run; the long one: ``python tests/crash/fuzz.py``."""

import subprocess
import sys
from pathlib import Path

CASES = 1500
MOST_MEMORY_MIB = 700
"""Measured: 360 MiB in 42,000 cases, most of it for a manifest that unpacks to 64 MiB."""


def test_what_strangers_send_gives_a_value_or_its_named_error():
    command = [sys.executable, str(Path(__file__).with_name("fuzz.py")), "--cases", str(CASES), "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout
    kinds = done.stdout.splitlines()
    assert [line.split(" ")[0] for line in kinds] == ["message:", "manifest:", "image:"]
    assert max(int(line.rsplit(" ", 2)[1]) for line in kinds) < MOST_MEMORY_MIB
