"""The live screen costs the same at its five-hundredth look as at its second."""

from __future__ import annotations

import resource
import threading
from pathlib import Path

import pytest

from bec_core.admin import overview
from bec_core.admin.job_making import create_job
from bec_core.admin.overview import Monitor
from bec_core.admin.session import Session
from bec_core.settings import load_settings
from support.cli import Bec


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@pytest.mark.slow
def test_five_hundred_looks_at_sqs_take_no_more_memory_and_no_more_threads(
    bec: Bec, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEC_QUEUE", "sqs")
    monkeypatch.setenv("BEC_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setattr(overview, "_SELDOM_S", -1.0)  # the queues at every look
    with Session(load_settings()) as session:
        create_job(session, name="checksum")
        monitor = Monitor(session)
        for _ in range(20):
            monitor.look()
        memory, threads = _resident_mib(), threading.active_count()
        for _ in range(500):
            (line,) = monitor.look().jobs
            assert line.queue is not None
        assert _resident_mib() - memory < 16  # what a single look took
        # one a look would be five hundred; a pool may open one more
        assert threading.active_count() < threads + 5
