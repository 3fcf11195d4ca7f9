"""The requests that a plan reckons with are those that a worker makes: they are counted."""

import threading
from collections import Counter

import pytest

from bec_core.admin.planning.requests import of_volume
from bec_core.db import inputs
from bec_core.models import VolumeRef
from bec_core.queues import create_queues
from bec_core.storage import FileStore, open_store
from support.cli import write_archive_volume
from support.reading_job import READER
from support.worker_lab import Lab

COUNTED = {
    "get": "get",
    "head": "get",
    "exists": "get",
    "swap": "put",
    "put": "put",
    "put_new": "put",
    "list": "list",
}


@pytest.fixture
def calls(monkeypatch):
    """What stores are asked, by what it costs; what is kept of unfinished volumes is not counted here."""
    counted = Counter()
    within = threading.local()

    def counting(name):
        real = getattr(FileStore, name)

        def call(self, key="", *arguments, **more):
            if getattr(within, "call", None):  # one method by another: S3's is one request all the same
                return real(self, key, *arguments, **more)
            if not key.startswith(".bec/"):
                counted[COUNTED[name]] += 1
            within.call = name
            try:
                return real(self, key, *arguments, **more)
            finally:
                within.call = None

        return call

    for name in COUNTED:
        monkeypatch.setattr(FileStore, name, counting(name))
    return counted


def lab(database, folder, name, **more):
    queues = create_queues(name, "postgres", database=database)
    return Lab(
        database, queues.tasks, queues.dead_letters, open_store((folder / "out").as_uri()), folder,
        archive=(folder / "archive").as_uri(), name=name, **more,
    )  # fmt: skip


def test_a_worker_asks_what_the_plan_says(database, tmp_path, calls):
    first = lab(database, tmp_path, "checksum")
    second = lab(database, tmp_path, "reader", job_type=READER, beside=[first])
    with database.connection() as connection:
        inputs.bind(connection, second.job.id, "lines", first.job.id, artifacts=(".json",))
    write_archive_volume(tmp_path / "archive", "W1", "I1", [b"1", b"2", b"3", b"4", b"5"])
    for one, pages, read in ((first, 5, ()), (second, 0, (1,))):  # the reader opens no page
        one.ask(VolumeRef("W1", "I1"))
        calls.clear()
        one.work()
        assert one.ledger_states() == {"done": 1}
        expected = of_volume(pages=pages, artifacts=1, seconds=0.0, inputs=read)
        assert (calls["get"], calls["put"]) == (expected.get, expected.put)
        assert calls["list"] == 0, "of kept pages alone"


def test_what_takes_longer_asks_more():
    short, long = (of_volume(pages=100, artifacts=1, seconds=seconds) for seconds in (10.0, 650.0))
    assert long.put - short.put == 10, "a part a minute"
    assert long.sqs - short.sqs == 6, "hidden longer every third of a lease"
    assert (short + long).times(2).get == 4 * short.get
