"""Opening a worker."""

import os

import pytest

from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.worker import opening
from support.worker_lab import Lab


@pytest.fixture
def lab(database, tmp_path):
    queues = create_queues("checksum", "postgres", database=database)
    (tmp_path / "scans").mkdir()
    store = open_store((tmp_path / "out").as_uri())
    return Lab(database, queues.tasks, queues.dead_letters, store, tmp_path / "scans")


def test_workers_of_one_name_that_start_at_once_do_not_disturb_each_others_probe(lab, monkeypatch):
    """Another's probe in the middle of ours would look like a store that holds nothing safely."""
    keys = []
    monkeypatch.setattr(opening, "probe", lambda store, *, key: keys.append(key) or ())
    for pid in (7, 8):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        with lab.worker():
            pass
    assert keys == [".bec/probe/lab-7", ".bec/probe/lab-8"]
