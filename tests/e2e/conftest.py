"""What these tests share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.chromium import Driver, chromium
from support.places import PACKAGES, ROOT


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Our wheels, built from the sources."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = [ROOT / "packages" / name for name in PACKAGES]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, *sources],
        check=True,
    )
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """A headless Chromium, the same for all tests of a module."""
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver
