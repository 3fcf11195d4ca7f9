"""The most frequent confusions as tables."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from bec_ocreval.report.markup import text
from bec_ocreval.results import Confusions
from bec_ocreval.scoring.confusions import Confusion

SHOWN = 12
"""So many of each kind are shown."""


def confusion_tables(confusions: Confusions) -> str:
    """Both tables; empty if nothing was confused."""
    if not confusions.characters:
        return ""
    return (
        '<section aria-labelledby="confusions"><h2 id="confusions">What was read for what</h2><div class="twins">'
        f"{_table('Characters', confusions.characters, names=True)}"
        f"{_table('Syllables', confusions.syllables, names=False)}</div></section>"
    )


def _table(title: str, confusions: Sequence[Confusion], *, names: bool) -> str:
    rows = "".join(
        f'<tr><td class="number">{one.count:,}</td>{_unit(one.truth, names)}{_unit(one.reading, names)}</tr>'
        for one in confusions[:SHOWN]
    )
    return (
        f'<div class="scroll"><table><caption>{title}</caption><thead><tr><th class="number">Times</th><th>Truth</th>'
        f"<th>Reading</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _unit(unit: str, names: bool) -> str:
    """A character with its name, or a syllable; nothing is a dash."""
    if not unit:
        return '<td class="quiet">nothing</td>'
    shown = "◌" + unit if unicodedata.category(unit[0])[0] == "M" else unit
    name = f' <span class="quiet">{text(_name(unit))}</span>' if names else ""
    return f'<td><span class="tibetan">{text(shown)}</span>{name}</td>'


def _name(character: str) -> str:
    """A character's name in Unicode, shortened for Tibetan."""
    name = unicodedata.name(character, f"U+{ord(character):04X}")
    return name.removeprefix("TIBETAN ").lower()
