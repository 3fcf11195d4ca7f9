"""A part of the crash matrix that fits into every run; all of it: ``python tests/crash/matrix.py``."""

import sys

import pytest

from support.cli import install_checksum_plugin, install_reader_plugin
from support.crash_lab import Shared
from support.crash_rows import ROWS, play

CELLS = [
    ("kill -9 at claimed", "sqs", "file"),
    ("kill -9 at artifact-written", "postgres", "s3"),
    ("kill -9 at marker-written", "sqs", "s3"),
    ("kill -9 at row-written", "postgres", "file"),
    ("kill -9 at dead-lettered", "postgres", "file"),
    ("kill -9 after a part is written: resumed", "postgres", "s3"),
    ("kill -9 at parts-removed", "sqs", "file"),
    ("a spot notice: handed back in time, resumed", "sqs", "file"),
    ("a spot notice, kill -9 in the drain: resumed", "postgres", "s3"),
    ("SIGSTOP past the lease at artifact-written", "postgres", "s3"),
    ("SIGTERM, no grace: handed back", "sqs", "file"),
    ("PostgreSQL closes every connection", "postgres", "file"),
    ("store drops uploads half-way", "postgres", "s3"),
    ("SQS throttles", "sqs", "file"),
    ("read by another job, kill -9 at row-written", "sqs", "s3"),
    ("a job that reads, kill -9 at blocked-written", "postgres", "file"),
]


@pytest.fixture(scope="module")
def shared(postgres, moto_url, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crash")
    install_checksum_plugin(folder / "plugins")
    install_reader_plugin(folder / "plugins")
    sys.path.insert(0, str(folder / "plugins"))
    yield Shared(postgres, moto_url, folder / "plugins", folder)
    sys.path.remove(str(folder / "plugins"))


@pytest.fixture(autouse=True)
def moto_credentials(aws):
    """The harness itself speaks to moto too."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "queue", "store"), CELLS)
def test_after_the_mischief_everything_is_as_it_must_be(shared, name, queue, store):
    (row,) = [row for row in ROWS if row.name == name]
    assert play(row, shared, queue, store) == []
