"""How it is said that an image can't be decoded: a damaged one is not one that nobody here can read."""

import re

from bec_ldv1.errors import PageProblem

_UNSUPPORTED = re.compile(
    r"unsupported|not (yet )?supported|cannot handle|unknown (\w+ )?mode|unknown data organization",
    re.IGNORECASE,
)
"""What Pillow's readers say of a header that they understand, of an image that they can't decode."""


def damaged(what: str) -> PageProblem:
    """The bytes are broken; `error_type` is ``DamagedImage``."""
    return PageProblem(what, stage="decode", error_type="DamagedImage")


def unsupported(what: str) -> PageProblem:
    """The file may be good, but this program can't read it; `error_type` is ``UnsupportedImage``."""
    return PageProblem(
        f"{what} is not supported; it may be good, convert it to grey or RGB of 8 bits",
        stage="decode",
        error_type="UnsupportedImage",
    )


def of_reader(error: Exception, kind: str, part: str) -> PageProblem:
    """What a reader's exception about a `part` (header or data) of a `kind` of file says."""
    if _UNSUPPORTED.search(str(error)):
        return unsupported(f"this kind of {kind} ({error})")
    return damaged(f"the {kind} {part} is damaged: {error}")
