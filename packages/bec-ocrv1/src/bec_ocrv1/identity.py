"""Whether an image is the one that an earlier step saw, by the etags that stores give."""

from __future__ import annotations

import re

_OF_A_FILE = re.compile(r"[0-9a-f]+-([0-9a-f]+-[0-9a-f]+)")
"""What a folder's store gives: number of the inode, time of the last change, size."""


def same_image(before: str | None, now: str | None) -> bool:
    """Whether two etags can be of one image; None, of an image that was never fetched, can be of any.

    A file keeps its time and size when it is moved to another disk; the number of its inode it does not.
    """
    if before is None or now is None:
        return True
    return _content(before) == _content(now)


def _content(etag: str) -> str:
    found = _OF_A_FILE.fullmatch(etag)
    return found[1] if found else etag
