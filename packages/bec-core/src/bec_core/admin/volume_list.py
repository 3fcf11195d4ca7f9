"""Volumes as operators write them: ``W22084,I0886`` or ``W22084 I0886``, one a line in a file; other sources' in
their own way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from loguru import logger

from bec_core.errors import SettingsError
from bec_core.models import DEFAULT_SOURCE, VolumeRef
from bec_core.source import volume_by_ids

_SHOWN = 10

_COMMENT = re.compile(r"(^|\s)#.*", re.DOTALL)
"""Not any ``#``: a URL may have one."""

_HEADER = re.compile(
    r"(w_?id|work(_?id)?|instance|rid)[\s,;]+(i_?id|i(mage)?_?group(_?id)?|vol(ume)?(_?id)?)\b", re.IGNORECASE
)
"""A first line that names columns. No volume's does: an id of either kind has digits."""


def parse_volume(text: str) -> VolumeRef:
    """One volume of the archive: its ids with a comma, blanks or a slash between, then (optionally) its version's name.

    Raises:
        SettingsError: it is not one.
    """
    return volume_by_ids(text, DEFAULT_SOURCE)


def parse_volumes(
    lines: Iterable[str], *, where: str, find: Callable[[str], Iterable[VolumeRef]]
) -> list[VolumeRef]:
    """The volumes of a file, in its order; empty lines, comments, and a first line that names columns
    (``w_id,i_id``) are left out.

    Args:
        lines: one volume each; a ``#`` at a line's start or after a blank, and what follows it, is a comment.
        where: the file's name.
        find: the volumes that a line names; a SettingsError of it is about this line.

    Raises:
        SettingsError: naming every bad line with its number.
    """
    refs: list[VolumeRef] = []
    bad: list[str] = []
    for number, line in enumerate(lines, 1):
        text = _COMMENT.sub("", line.removeprefix("\ufeff")).strip()
        if not text:
            continue
        if not refs and not bad and _HEADER.match(text) and not any(letter.isdigit() for letter in text):
            logger.info("{}: line {} names columns and is left out: {}", where, number, text)
            continue
        try:
            refs += find(text)
        except SettingsError as error:
            bad.append(f"line {number}: {error}")
    if bad:
        more = f"\n  … and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        listed = "".join(f"\n  {problem}" for problem in bad[:_SHOWN])
        raise SettingsError(f"{where}: {len(bad)} bad lines; nothing was enqueued:{listed}{more}")
    return refs
