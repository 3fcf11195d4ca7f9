"""``bec`` in a test: run in this process, against services of the test's own."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from bec_cli.main import run
from bec_core.archive.paths import volume_folder
from support.services import PostgresServer

_PLUGIN = """
from bec_core import hookimpl
from {module} import {attribute}

@hookimpl
def bec_job_types():
    return [{attribute}]
"""


@dataclass
class Ended:
    """What a call of ``bec`` left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Bec:
    """Calls ``bec`` in this process; ``ok`` insists that it ends well."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        self._capsys.readouterr()
        try:
            code = run(list(arguments))
        finally:
            logger.remove()  # its handler writes to a stream that is not there after the test
        captured = self._capsys.readouterr()
        return Ended(int(code), captured.out, captured.err)

    def ok(self, *arguments: str) -> Ended:
        ended = self(*arguments)
        assert ended.code == 0, f"{arguments} ended with {ended.code}: {ended.out}{ended.err}"
        return ended


def install_checksum_plugin(folder: Path) -> None:
    """A distribution of its own that brings the job type ``checksum``; ``folder`` must be on the import path."""
    install_plugin(folder, "checksum", "bec_core.testing.checksum_job:CHECKSUM")


def install_reader_plugin(folder: Path) -> None:
    """The same for the job type ``reader``, which reads ``checksum``."""
    install_plugin(folder, "reader", "support.reading_job:READER")


def install_plugin(folder: Path, name: str, job_type: str) -> None:
    """A distribution that brings the job type at this path; ``folder`` must be on the import path."""
    info = folder / f"bec_{name}-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bec-{name}\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(f"[bec]\n{name} = bec_{name}_plugin\n")
    module, _, attribute = job_type.partition(":")
    (folder / f"bec_{name}_plugin.py").write_text(_PLUGIN.format(module=module, attribute=attribute))


def archive_objects(w_id: str, i_id: str, pages: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """The objects of an archive's volume, by key."""
    folder = volume_folder(w_id, i_id)
    names = [f"{i_id}{number:04d}.jpg" for number in range(1, len(pages) + 1)]
    for name, data in zip(names, pages, strict=True):
        yield f"{folder}/{name}", data
    manifest = [{"filename": name, "width": 10, "height": 10} for name in names]
    yield f"{folder}/dimensions.json", gzip.compress(json.dumps(manifest).encode(), mtime=0)


def write_archive_volume(root: Path, w_id: str, i_id: str, pages: Sequence[bytes]) -> None:
    """Put a volume into an archive that lies in a folder."""
    for key, data in archive_objects(w_id, i_id, pages):
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away whatever of the environment could configure ``bec``."""
    for name in list(os.environ):
        if name.startswith(("BEC_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("BEC_LOG_LEVEL", "WARNING")


def use_postgres(monkeypatch: pytest.MonkeyPatch, server: PostgresServer, database: str) -> None:
    """Let ``bec`` use this database, for its queues too."""
    monkeypatch.setenv("BEC_SQL_HOST", str(server.folder))
    monkeypatch.setenv("BEC_SQL_USER", "postgres")
    monkeypatch.setenv("BEC_SQL_DATABASE", database)
    monkeypatch.setenv("BEC_QUEUE", "postgres")


def mixed_job(bec: Bec, archive: Path) -> None:
    """The job ``checksum`` with a volume done, one done with a bad page, two that failed for different reasons."""
    write_archive_volume(archive, "W1", "I0001", [b"a", b"b"])
    write_archive_volume(archive, "W1", "I0002", [b"!bad-page", *[b"x"] * 30])
    write_archive_volume(archive, "W2", "I0003", [b"!terminal"])
    write_archive_volume(archive, "W2", "I0004", [b"!unexpected"])
    bec.ok("jobs", "create", "--name", "checksum", "--config-text", '{"max_attempts": 1}')
    volumes = ["--volume=W1,I0001", "--volume=W1,I0002", "--volume=W2,I0003", "--volume=W2,I0004"]
    bec.ok("queue", "enqueue", "--job-name", "checksum", *volumes)
