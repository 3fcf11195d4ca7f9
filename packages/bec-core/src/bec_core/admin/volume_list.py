"""Volumes as operators write them: ``W22084,I0886`` or ``W22084 I0886``, one a line in a file."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import evolve
from loguru import logger

from bec_core.errors import InvalidMessage, SettingsError
from bec_core.models import DEFAULT_SOURCE, VolumeRef, check_id

_SHOWN = 10

_HEADER = re.compile(
    r"(w_?id|work(_?id)?|instance|rid)[\s,;]+(i_?id|i(mage)?_?group(_?id)?|vol(ume)?(_?id)?)\b", re.IGNORECASE
)
"""A first line that names columns. No volume's does: an id of either kind has digits."""


def parse_volume(text: str, *, source: str = DEFAULT_SOURCE, i_version: str | None = None) -> VolumeRef:
    """One volume: its ids with a comma, blanks or a slash between, then (optionally) its version's name.

    Raises:
        SettingsError: it is not one.
    """
    parts = [part for part in re.split(r"[\s,;/]+", text.strip()) if part]
    if len(parts) not in (2, 3):
        raise SettingsError(f"{text.strip()[:100]!r} is not a volume: write W_ID,I_ID")
    try:
        ref = VolumeRef(check_id(parts[0], "W_ID"), check_id(parts[1], "I_ID"), source)
        version = parts[2] if len(parts) == 3 else i_version
        return evolve(ref, i_version=check_id(version, "version")) if version else ref
    except InvalidMessage as error:
        raise SettingsError(str(error)) from None


def parse_volumes(
    lines: Iterable[str], *, where: str, source: str = DEFAULT_SOURCE, i_version: str | None = None
) -> list[VolumeRef]:
    """The volumes of a file, in its order; empty lines, what follows a ``#``, and a first line
    that names columns (``w_id,i_id``) are left out.

    Raises:
        SettingsError: naming every bad line with its number; ``where`` is the file's name.
    """
    refs: list[VolumeRef] = []
    bad: list[str] = []
    for number, line in enumerate(lines, 1):
        text = line.removeprefix("\ufeff").partition("#")[0].strip()
        if not text:
            continue
        if not refs and not bad and _HEADER.match(text) and not any(letter.isdigit() for letter in text):
            logger.info("{}: line {} names columns and is left out: {}", where, number, text)
            continue
        try:
            refs.append(parse_volume(text, source=source, i_version=i_version))
        except SettingsError as error:
            bad.append(f"line {number}: {error}")
    if bad:
        more = f"\n  … and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        listed = "".join(f"\n  {problem}" for problem in bad[:_SHOWN])
        raise SettingsError(f"{where}: {len(bad)} bad lines; nothing was enqueued:{listed}{more}")
    return refs
