"""Turning exceptions into what a task's row keeps."""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from bec_core.db.tasks import Failure
from bec_core.errors import BecError, PageError
from bec_core.models import PageFailure

_MESSAGE_LENGTH = 2000
_TRACEBACK_LENGTH = 8000  # its end says where it happened, its beginning where it came from
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
    top = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].name}" if frames else ""
    fingerprint = hashlib.sha256(f"{stage}|{kind}|{top}".encode()).hexdigest()[:12]
    return Failure(
        stage=stage,
        error_type=kind,
        message=clean(str(error)[:_MESSAGE_LENGTH]) or kind,
        fingerprint=fingerprint,
        traceback=traceback_of(error),
    )


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
