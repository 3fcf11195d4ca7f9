"""A volume's suspicious pages, when all of them are known."""

from __future__ import annotations

from collections.abc import Sequence

from bec_ldv1.record.suspicion import Level, judge_volume
from bec_ldv1.record.usual import PageFacts


def suspicious_pages(facts: Sequence[PageFacts]) -> frozenset[int]:
    """Which of a volume's pages a person should look at, by their positions; a page that failed is none of them."""
    return frozenset(
        position for position, findings in enumerate(judge_volume(facts)) if findings.level is Level.CHECK
    )
