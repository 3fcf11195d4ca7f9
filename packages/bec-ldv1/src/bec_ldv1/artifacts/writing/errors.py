"""What goes wrong when results are written out."""

from __future__ import annotations


class ExportError(ValueError):
    """What was to be exported can't be; the message names the file and the way out."""
