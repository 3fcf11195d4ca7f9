"""Where the archive keeps a volume, and which names are pages: the archive's contract."""

from __future__ import annotations

import hashlib
import re

from bec_core.errors import InvalidMessage
from bec_core.models import check_id

MANIFEST_NAME = "dimensions.json"
"""The manifest's name in a volume's folder."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
"""How the name of a page of the archive ends, in any case."""

LOCAL_SUFFIXES = (*IMAGE_SUFFIXES, ".jp2", ".jpx", ".j2k", ".webp", ".bmp", ".gif")
"""How the name of a page in a person's own folder ends: all that can be decoded."""

_PART = re.compile(r"(.+\.tiff?)#([2-9]|[1-9][0-9]{1,5})", re.IGNORECASE | re.DOTALL)
_DIGITS = re.compile(r"[0-9]{4}")
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


def volume_of_folder(folder: str) -> tuple[str, str] | None:
    """``W_ID`` and ``I_ID`` of the volume of a folder; None: it is not where the archive keeps any."""
    parts = folder.split("/")
    w_id, suffix = (parts[2], parts[-1].removeprefix(f"{parts[2]}-")) if len(parts) == 5 else ("", "")
    i_id = f"I{suffix}" if _DIGITS.fullmatch(suffix) else suffix
    try:
        return (w_id, i_id) if volume_folder(w_id, i_id) == folder else None
    except InvalidMessage:
        return None


def is_image_name(name: str) -> bool:
    """Whether an object of this name is a page of the archive, or of a versioned folder."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_local_image_name(name: str) -> bool:
    """Whether a file of this name in a person's own folder is a page."""
    return name.lower().endswith(LOCAL_SUFFIXES)


def is_resource_fork(name: str) -> bool:
    """Whether it is what a Mac writes beside a file on a foreign disk (``._1.jpg``): no image, whatever its ending."""
    return name.startswith("._")


def page_name(file: str, number: int) -> str:
    """The name of a file's page: of the first the file's own, then ``name.tif#2``."""
    return file if number == 1 else f"{file}#{number}"


def split_page_name(name: str) -> tuple[str, int]:
    """The file that a page's name is of, and which of its pages it is; the reverse of :func:`page_name`."""
    found = _PART.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, 1)
