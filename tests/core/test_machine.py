"""What of a machine is this process's: files of control groups as Linux writes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bec_core import machine

Place = Callable[[dict[str, str]], None]


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A process on a machine of 64 cores and 256 GiB, whose group is /pods/one; its groups' files."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(os, "sysconf", lambda name: 1 if name == "SC_PAGE_SIZE" else 256 << 30)
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "_OWN", tmp_path / "own")
    (tmp_path / "own").write_text("1:cpu:/\n0::/pods/one\n")

    def write(files: dict[str, str]) -> None:
        for name, content in files.items():
            path = tmp_path / "groups" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content + "\n")

    return write


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 64),
        ({"pods/one/cpu.max": "max 100000"}, 64),
        ({"pods/one/cpu.max": "400000 100000"}, 4),
        ({"pods/one/cpu.max": "250000 100000"}, 3),
        ({"pods/one/cpu.max": "5000 100000"}, 1),
        ({"pods/one/cpu.max": "max 100000", "pods/cpu.max": "800000 100000"}, 8),
        ({"pods/one/cpu.max": "900000 100000", "cpu.max": "200000 100000"}, 2),
        ({"pods/one/cpu.max": "9900000 100000"}, 64),
        ({"pods/two/cpu.max": "100000 100000"}, 64),
    ],
)
def test_the_narrowest_quota_of_the_groups_above_bounds_the_cores(
    groups: Place, files: dict[str, str], cores: int
) -> None:
    groups(files)
    assert machine.cores() == cores


@pytest.mark.parametrize(
    ("files", "memory"),
    [
        ({}, 256 << 30),
        ({"pods/one/memory.max": "max"}, 256 << 30),
        ({"pods/one/memory.max": str(8 << 30), "pods/memory.max": str(16 << 30)}, 8 << 30),
        ({"pods/one/memory.max": str(1 << 50)}, 256 << 30),
    ],
)
def test_the_narrowest_limit_bounds_the_memory(groups: Place, files: dict[str, str], memory: int) -> None:
    groups(files)
    assert machine.memory_bytes() == memory


def test_where_there_are_no_groups_the_machine_counts(
    groups: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for own in (tmp_path / "none", tmp_path / "old"):
        (tmp_path / "old").write_text("3:cpuset:/\n1:cpu:/\n")
        monkeypatch.setattr(machine, "_OWN", own)
        assert machine.cores() == 64
        assert machine.memory_bytes() == 256 << 30
