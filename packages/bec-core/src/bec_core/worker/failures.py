"""Turning exceptions into what a task's row keeps."""

from __future__ import annotations

import hashlib
import traceback

from bec_core.db.tasks import Failure
from bec_core.errors import BecError, PageError

_MESSAGE_LENGTH = 2000


def describe(error: BaseException, *, stage: str) -> Failure:
    """The failure that ``error`` is. A page error that ended the task says its own stage.

    The fingerprint groups failures of one cause: stage, error type, and the innermost frame
    (file and function, not the line, which moves with every release).
    """
    kind = type(error).__name__
    if isinstance(error, PageError):
        stage, kind = error.stage, error.error_type
    frames = traceback.extract_tb(error.__traceback__)
    top = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].name}" if frames else ""
    fingerprint = hashlib.sha256(f"{stage}|{kind}|{top}".encode()).hexdigest()[:12]
    return Failure(
        stage=stage,
        error_type=kind,
        message=str(error)[:_MESSAGE_LENGTH] or kind,
        fingerprint=fingerprint,
        traceback="".join(traceback.format_exception(error)),
    )


def is_retryable(error: BaseException) -> bool:
    """Whether trying again may help; what is not of our tree counts as retryable."""
    return error.retryable if isinstance(error, BecError) else True
