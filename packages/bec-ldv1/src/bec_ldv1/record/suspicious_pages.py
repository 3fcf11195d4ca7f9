"""Flagging a volume's suspicious pages, when all of them are known."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from bec_ldv1.page.flags import Flag
from bec_ldv1.record.facts import OUTER, page_facts
from bec_ldv1.record.records import PageRecord
from bec_ldv1.record.suspicion import Level, judge_volume


def with_suspicion(records: Sequence[PageRecord]) -> list[PageRecord]:
    """The records in their order, those that a person should look at with the flag ``SUSPICIOUS``."""
    last = len(records) - 1
    facts = [
        page_facts(record, whole_lines=True, outer=min(index, last - index) < OUTER)
        for index, record in enumerate(records)
    ]
    flagged = []
    for record, findings in zip(records, judge_volume(facts), strict=True):
        if record.details is not None and findings.level is Level.CHECK:
            flags = record.details.flags | {Flag.SUSPICIOUS}
            record = attrs.evolve(record, details=attrs.evolve(record.details, flags=flags))
        flagged.append(record)
    return flagged
