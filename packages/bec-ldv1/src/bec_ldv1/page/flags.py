"""What is remarkable about a page, in a word."""

from enum import StrEnum


class Flag(StrEnum):
    """What is remarkable about a page; several may hold."""

    BLANK = "blank"
    """There is no line and next to no ink."""

    ROTATED = "rotated"
    """Its lines are at least a degree off the level."""

    CURVED = "curved"
    """Its lines were straightened."""

    SUSPICIOUS = "suspicious"
    """A person should look at it; set when the whole volume is known."""

    TURNED = "turned"
    """It was scanned turned by 90, 180 or 270 degrees and was read so."""

    FAINT = "faint"
    """There are strokes that binarisation lost: too dark or too pale a scan, or faint ink."""

    UNKNOWN_WRITING = "unknown writing"
    """There is writing on it, as it seems, that is not what the model knows."""

    MORE_PAGES = "more pages"
    """The file holds more pages, of which only this one was read."""

    INCOMPLETE = "incomplete"
    """The file's data end early or hold a hole: a part of the picture is missing."""

    TRANSPARENT = "transparent"
    """Every pixel is wholly transparent; it was read as if none were."""
