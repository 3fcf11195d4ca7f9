"""What can go wrong in line detection."""

from bec_core import PageError, SettingsError


class PageProblem(PageError):
    """A page that line detection can't process; the volume goes on without it.

    `stage` is "decode", "detect", "rectify" or "record".
    """


class CheckpointError(SettingsError):
    """A model file that can't be used; the message says what was expected and what was found."""
