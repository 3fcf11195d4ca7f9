"""What can be wrong with a request, besides what :mod:`bec_core.errors` knows."""

from __future__ import annotations

from bec_core import BecError


class NoAnswer(BecError):
    """The database or the store takes too long."""


class Refused(BecError):
    """The visitor may not do this, or the form is not theirs."""
