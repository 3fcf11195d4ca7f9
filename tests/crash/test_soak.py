"""A short soak in every run; the long one: ``python tests/crash/soak.py``."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_short_soak_accounts_for_everything():
    command = [sys.executable, str(Path(__file__).with_name("soak.py")), "--volumes", "200", "--workers", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines())
    assert int(figures["workers killed with -9"]) > 0
