"""``bec run`` over a chain of jobs: each reads what the one before it has done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli import install_checksum_plugin, install_reader_plugin
from support.places import ROOT


class Desk:
    """A person's folder of two volumes, and ``bec`` with the job types ``checksum`` and ``reader``."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self.folder = folder
        for name in ("a", "b"):
            self.page(name, 1, name.encode())
        install_checksum_plugin(folder / "plugins")
        install_reader_plugin(folder / "plugins")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BEC_", "AWS_"))}
        path = f"{folder / 'plugins'}{os.pathsep}{ROOT / 'tests'}"
        self.environment = {**clean, "BEC_HOME": str(folder / "home"), "PYTHONPATH": path}

    def page(self, volume: str, number: int, data: bytes) -> None:
        (self.folder / "scans" / volume).mkdir(parents=True, exist_ok=True)
        (self.folder / "scans" / volume / f"{number}.jpg").write_bytes(data)

    def bec(self, *arguments: str, status: int = 0) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "bec_cli", *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ended.returncode == status, ended.stderr
        return ended.stdout + ended.stderr

    def run(self, *more: str, status: int = 0) -> str:
        return self.bec(
            "run", "checksum,reader", "scans", "--out", "out", "--no-report", *more, status=status
        )


@pytest.fixture
def desk() -> Iterator[Desk]:
    """In a folder that the embedded server's user can reach; pytest's own are for root alone."""
    with tempfile.TemporaryDirectory(prefix="bec-chain-") as folder:
        yield Desk(Path(folder))


def test_a_folder_through_a_chain_and_what_changed_again(desk: Desk) -> None:
    refused = desk.bec("run", "reader", "scans", status=2)
    assert "reader reads the results of checksum as lines: name it before it" in refused
    assert "(bec run checksum,reader FOLDER)" in refused
    first = desk.run()
    assert "checksum: 2 of 2 volumes are done; 0 pages failed" in first
    assert "reader: 2 of 2 volumes are done; 0 pages failed" in first
    assert "reader: 2 of 2 volumes are done (2 were before)" in desk.run()
    desk.page("a", 2, b"one more")
    third = desk.run()
    assert "checksum: 2 of 2 volumes are done (1 were before)" in third
    assert "reader: 2 of 2 volumes are done (1 were before)" in third
    newest = max((desk.folder / "out" / "reader").rglob("*.txt"), key=lambda path: path.stat().st_mtime)
    assert len(json.loads(newest.read_text().removeprefix("read: "))) == 2


def test_what_fails_first_is_blocked_there_and_the_rest_is_done(desk: Desk) -> None:
    desk.page("b", 1, b"!terminal")
    said = desk.run(status=6)
    assert "checksum: 1 of 2 volumes are done" in said
    assert "reader: 1 of 2 volumes are done" in said
    desk.page("b", 1, b"good")
    assert "reader: 2 of 2 volumes are done (1 were before)" in desk.run()


def test_a_config_of_one_of_them(desk: Desk) -> None:
    assert "say whose config it is" in desk.run("--config-text", '{"page_ms": 1}', status=2)
    desk.run("--config-text", 'checksum={"page_ms": 1}')
    configs = {job["type"]: job["config"] for job in json.loads(desk.bec("jobs", "list", "--json"))}
    assert configs["checksum"]["page_ms"] == 1
    assert "page_ms" not in configs["reader"]


def test_a_chain_names_each_type_once_and_in_order(desk: Desk) -> None:
    assert "each job type once" in desk.bec("run", "checksum,checksum", "scans", status=2)
    assert "name it before it" in desk.bec("run", "reader,checksum", "scans", status=2)
