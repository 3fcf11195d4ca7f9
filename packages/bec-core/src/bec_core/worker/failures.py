"""Turning exceptions into what a task's row keeps."""

from __future__ import annotations

import hashlib
import re
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from bec_core.db.tasks import Failure
from bec_core.errors import BecError, PageError, PagesMayPass, TooManyPageErrors
from bec_core.models import PageFailure

_MESSAGE_LENGTH = 2000
_TRACEBACK_LENGTH = 8000  # its end says where it happened, its beginning where it came from
_CAUSE_LENGTH = 200  # of a page's message, where a task's failure quotes it
_FRAME = re.compile(r'^ *File "([^"\n]*)", line \d+, in (.+)$', re.MULTILINE)
_UNSTORABLE = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")


def clean(text: str) -> str:
    """``text`` as PostgreSQL, SQS and a file all take it.

    PostgreSQL can't hold NUL, SQS no other control character either, and nobody a lone surrogate: each
    becomes a replacement character. Without this, an error that quotes a corrupt file could not be recorded.
    """
    return _UNSTORABLE.sub("\ufffd", text)


def traceback_of(error: BaseException) -> str:
    """The traceback as text, bounded: a recursion a thousand deep is cut in the middle."""
    text = clean("".join(traceback.format_exception(error)))
    if len(text) <= _TRACEBACK_LENGTH:
        return text
    half = _TRACEBACK_LENGTH // 2
    return f"{text[:half]}\n  [… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"


def describe(error: BaseException, *, stage: str) -> Failure:
    """The failure that ``error`` is. A page error that ended the task says its own stage.

    The fingerprint groups failures of one cause: stage, error type, and the innermost frame
    (file and function, not the line, which moves with every release).
    """
    kind = type(error).__name__
    if isinstance(error, PageError):
        stage, kind = clean(error.stage) or stage, clean(error.error_type) or kind
    frames = traceback.extract_tb(error.__traceback__)
    top = _frame(frames[-1].filename, frames[-1].name) if frames else ""
    return Failure(
        stage=stage,
        error_type=kind,
        message=clean(str(error)[:_MESSAGE_LENGTH]) or kind,
        fingerprint=_fingerprint(stage, kind, top),
        traceback=traceback_of(error),
    )


def describe_with_pages(error: BaseException, pages: Sequence[PageFailure], *, stage: str) -> Failure:
    """The failure that ``error`` is; one for its pages' sake has the fingerprint of what failed most of them.

    So throttling and broken files, which both fail a volume for too many bad pages, are two causes.
    """
    failure = describe(error, stage=stage)
    if isinstance(error, PagesMayPass):
        pages = [page for page in pages if page.retryable]
    elif not isinstance(error, TooManyPageErrors):
        return failure
    if not pages:
        return failure
    counts = Counter(map(page_fingerprint, pages))
    ((fingerprint, _),) = counts.most_common(1)
    first = next(page for page in pages if page_fingerprint(page) == fingerprint)
    cause = f"{first.stage}: {first.error_type}: {first.message[:_CAUSE_LENGTH]}"
    often = "most often " if len(counts) > 1 else ""
    return attrs.evolve(
        failure,
        message=f"{failure.message}; {often}{first.img_filename}: {cause}",
        fingerprint=fingerprint,
    )


def page_fingerprint(page: PageFailure) -> str:
    """The fingerprint of a page's error, by what its record says; equal in a thread and in a process of its own."""
    frames = _FRAME.findall(page.traceback or "")
    return _fingerprint(page.stage, page.error_type, _frame(*frames[-1]) if frames else "")


def _frame(filename: str, function: str) -> str:
    return f"{filename.rsplit('/', 1)[-1]}:{function}"


def _fingerprint(stage: str, kind: str, top: str) -> str:
    return hashlib.sha256(f"{stage}|{kind}|{top}".encode()).hexdigest()[:12]


def is_retryable(error: BaseException) -> bool:
    """Whether trying again may help; what is not of our tree counts as retryable."""
    return error.retryable if isinstance(error, BecError) else True


_MOST_PAGE_ERRORS = 100
_PAGE_TRACEBACK = 1500


def page_errors_of(failures: Sequence[PageFailure]) -> tuple[Mapping[str, Any], ...]:
    """The failed pages of a failed task as its row keeps them: the first hundred, their tracebacks' ends."""
    return tuple(
        {**attrs.asdict(failure), "traceback": (failure.traceback or "")[-_PAGE_TRACEBACK:]}
        for failure in failures[:_MOST_PAGE_ERRORS]
    )
