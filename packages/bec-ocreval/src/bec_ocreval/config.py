"""The config of an ocreval job: from when on a page should be looked at."""

from __future__ import annotations

from attrs import frozen

from bec_core import between, option


@frozen(kw_only=True)
class OcrEvalConfig:
    """What a job may say. The thresholds decide which pages are flagged, and no other figure."""

    max_cer: float = option(
        0.1,
        "A page with ground truth is flagged when its character error rate is above this.",
        **between(0, 10),
    )
    min_confidence: float = option(
        0.5, "A page is flagged when the mean confidence of its lines is below this.", **between(0, 1)
    )
    min_well_formed: float = option(
        0.9, "A page is flagged when a smaller share of its syllables is spelt by the rules.", **between(0, 1)
    )
    max_foreign: float = option(
        0.1, "A page is flagged when more than this share of its characters is not Tibetan.", **between(0, 1)
    )
    max_sanskrit: float = option(
        0.5,
        "A page is flagged when more than this share of its syllables looks like Sanskrit.",
        **between(0, 1),
    )
    confusions: int = option(
        100, "So many of a volume's confusions are kept, the most frequent ones.", **between(0, 10_000)
    )
