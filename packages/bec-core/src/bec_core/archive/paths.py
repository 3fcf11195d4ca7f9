"""Where the archive keeps a volume, and which names are pages: the archive's contract."""

from __future__ import annotations

import hashlib
import re

from bec_core.models import check_id

MANIFEST_NAME = "dimensions.json"
"""The manifest's name in a volume's folder."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
"""How a page's name ends, in any case."""

_OLD_STYLE = re.compile(r"I([0-9]{4})")


def volume_folder(w_id: str, i_id: str) -> str:
    """The folder of a volume in the archive, without a slash at its end.

    ``Works/{h}/{w_id}/images/{w_id}-{suffix}`` where ``h`` is the first two hex digits of the MD5 of
    ``w_id``, and ``suffix`` is ``i_id`` without its ``I`` if that is followed by exactly four digits.

    Raises:
        InvalidMessage: an id can't be part of a key.
    """
    check_id(w_id, "w_id")
    check_id(i_id, "i_id")
    old_style = _OLD_STYLE.fullmatch(i_id)
    suffix = old_style[1] if old_style else i_id
    digest = hashlib.md5(w_id.encode(), usedforsecurity=False).hexdigest()
    return f"Works/{digest[:2]}/{w_id}/images/{w_id}-{suffix}"


def is_image_name(name: str) -> bool:
    """Whether a file of this name is a page."""
    return name.lower().endswith(IMAGE_SUFFIXES)
