"""A volume's suspicious pages, when all of them are known."""

from __future__ import annotations

from collections.abc import Sequence

from bec_ldv1.record.suspicion import Level, PageFacts, judge, typical


def suspicious_pages(facts: Sequence[PageFacts]) -> frozenset[int]:
    """Which of a volume's pages a person should look at, by their positions; a page that failed is none of them."""
    usual = typical(facts)
    return frozenset(
        position for position, fact in enumerate(facts) if judge(fact, usual).level is Level.CHECK
    )
