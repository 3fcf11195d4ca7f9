"""A volume that failed for its pages' sake has the fingerprint of what failed most of them."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from bec_core.db import Database
from bec_core.errors import PageError, PagesMayPass, TerminalTaskError, TooManyPageErrors
from bec_core.models import Page, PageData, PageFailure
from bec_core.pages.child import PageCall, run_page, told_error
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.testing.checksum_job import ChecksumWorker, Trouble
from bec_core.worker.failures import describe, describe_with_pages, page_fingerprint, traceback_of
from support.page_functions import Seen, see
from support.worker_lab import Lab


def failed(error: BaseException, stage: str, *, retryable: bool = False) -> PageFailure:
    kind, words = error.error_type if isinstance(error, PageError) else type(error).__name__, str(error)
    return PageFailure("uri", "1.jpg", None, stage, kind, words, traceback_of(error), retryable, 1)


def broken() -> None:
    raise ValueError("bad TIFF")


def throttled() -> None:
    raise OSError("slow down")


def met(function: object, stage: str, *, retryable: bool = False) -> PageFailure:
    with pytest.raises((ValueError, OSError)) as raised:
        function()  # type: ignore[operator]
    return failed(raised.value, stage, retryable=retryable)


def test_throttling_and_broken_files_are_two_causes() -> None:
    error = TooManyPageErrors("3 of 9 pages failed (allowed: 5%)")
    slow, bad = met(throttled, "fetch"), met(broken, "decode")
    mostly_slow = describe_with_pages(error, [bad, slow, slow], stage="run")
    mostly_bad = describe_with_pages(error, [bad, slow, bad], stage="run")
    assert mostly_slow.fingerprint == page_fingerprint(slow) != mostly_bad.fingerprint
    assert mostly_slow.error_type == "TooManyPageErrors"
    assert mostly_slow.message == f"{error}; most often 1.jpg: fetch: OSError: slow down"
    assert (
        describe_with_pages(error, [bad], stage="run").message
        == f"{error}; 1.jpg: decode: ValueError: bad TIFF"
    )


def test_what_may_pass_is_told_by_the_pages_that_may_pass() -> None:
    slow, bad = met(throttled, "fetch", retryable=True), met(broken, "decode")
    found = describe_with_pages(PagesMayPass("1 of 9 may pass"), [bad, bad, slow], stage="run")
    assert found.fingerprint == page_fingerprint(slow)


def test_a_failure_that_is_not_its_pages_keeps_its_own() -> None:
    error = TerminalTaskError("no")
    assert describe_with_pages(error, [met(broken, "decode")], stage="run") == describe(error, stage="run")


def test_a_page_fails_alike_in_a_thread_and_in_a_process_of_its_own() -> None:
    page, data = Page(0, "1.jpg", 1, 1), PageData(b"bad|", "", "uri")
    with pytest.raises(Exception, match="bad on purpose") as raised:
        see(page, data)
    told = run_page(PageCall(see, Seen), page, data)
    assert told.error is not None
    far = told_error(pickle.loads(told.error))
    assert traceback_of(far) != traceback_of(raised.value)
    assert page_fingerprint(failed(far, "look")) == page_fingerprint(failed(raised.value, "look"))
    assert page_fingerprint(failed(far, "look")) == describe(raised.value, stage="look").fingerprint


def test_a_volume_of_broken_pages_says_so_in_its_row(database: Database, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    queues = create_queues("checksum", "postgres", database=database)
    lab = Lab(
        database, queues.tasks, queues.dead_letters, open_store((tmp_path / "out").as_uri()), tmp_path / "scans",
        config={"max_attempts": 1},
    )  # fmt: skip
    lab.ask(lab.volume("vol1", b"fine", Trouble.BAD_PAGE))
    lab.work()
    with pytest.raises(Exception, match="bad on purpose") as raised:
        ChecksumWorker._make_trouble(None, None, Trouble.BAD_PAGE)  # type: ignore[arg-type]
    expected = describe(raised.value, stage="run").fingerprint
    assert lab.rows("SELECT error_type, error_fingerprint FROM task_executions") == [
        ("TooManyPageErrors", expected)
    ]
