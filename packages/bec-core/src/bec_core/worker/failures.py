"""Turning exceptions into what a task's row keeps."""

from __future__ import annotations

import hashlib
import re
import traceback

from bec_core.db.tasks import Failure
from bec_core.errors import BecError, PageError

_MESSAGE_LENGTH = 2000
_UNSTORABLE = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")


def clean(text: str) -> str:
    """``text`` as PostgreSQL, SQS and a file all take it.

    PostgreSQL can't hold NUL, SQS no other control character either, and nobody a lone surrogate: each
    becomes a replacement character. Without this, an error that quotes a corrupt file could not be recorded.
    """
    return _UNSTORABLE.sub("\ufffd", text)


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
        traceback=clean("".join(traceback.format_exception(error))),
    )


def is_retryable(error: BaseException) -> bool:
    """Whether trying again may help; what is not of our tree counts as retryable."""
    return error.retryable if isinstance(error, BecError) else True
