"""What can be wrong with the inputs of an evaluation."""

from __future__ import annotations

from bec_core import BecError, SettingsError


class TruthError(SettingsError):
    """Ground truth can't be read, or does not say which page it is of; the message names the file."""


class TextsError(BecError):
    """A Parquet file does not hold what an OCR job writes; the message says what is missing."""


class ResultsError(BecError):
    """An artifact is not one of ``ocreval``'s; the message says where it is wrong."""
