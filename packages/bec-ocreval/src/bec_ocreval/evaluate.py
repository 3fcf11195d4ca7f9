"""From what was read, and the truth where there is some, to what the evaluation says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bec_ocreval.config import OcrEvalConfig
from bec_ocreval.figures import percent
from bec_ocreval.results import Confusions, PageResult, Reason, Sign, Spelling, Truth, VolumeResult
from bec_ocreval.scoring.confusions import Tally, character_confusions, most_frequent, syllable_confusions
from bec_ocreval.scoring.rates import score, total
from bec_ocreval.signs import Signs, look
from bec_ocreval.texts import ReadPage
from bec_ocreval.truth.values import TruthPage

DOUBTFUL = 0.8
"""A character error rate from which on one asks whether it is the right truth."""

FEW = 10
"""Of fewer syllables or characters no share is judged."""


def evaluate_page(
    image: str, read: ReadPage | None, truth: TruthPage | None, config: OcrEvalConfig
) -> PageResult:
    """One page; ``read`` is None if the OCR job has no row for it.

    Against truth, what was not read for whatever reason counts as missing.
    """
    lines = read.lines if read is not None else ()
    confidences = read.confidences if read is not None else None
    signs = look(lines)
    spelling = Spelling(**{kind.value: count for kind, count in signs.syllables.items()})
    scored = None if truth is None else Truth(truth.lines, truth.source, score(truth.lines, lines))
    confidence = sum(confidences) / len(confidences) if confidences else None
    reasons = [
        *_trouble(read),
        *_errors(scored, signs.characters, config),
        *_nothing(read, signs),
        *_odd(signs, spelling, confidence, config),
    ]
    return PageResult(
        image=image,
        lines=lines,
        confidences=None if confidences is None else tuple(round(one, 4) for one in confidences),
        confidence=None if confidence is None else round(confidence, 4),
        characters=signs.characters,
        foreign=signs.foreign,
        spelling=spelling,
        truth=scored,
        reasons=tuple(reasons),
    )


def evaluate_volume(pages: Sequence[PageResult], confusions: int) -> VolumeResult:
    """The sums over a volume's pages; so many ``confusions`` of either kind are kept."""
    scored = [page.truth for page in pages if page.truth is not None]
    confidences = [one for page in pages for one in page.confidences or ()]
    return VolumeResult(
        pages=len(pages),
        scored=len(scored),
        flagged=sum(bool(page.reasons) for page in pages),
        blank=sum(page.blank for page in pages),
        characters=total(truth.score.characters for truth in scored),
        syllables=total(truth.score.syllables for truth in scored),
        lines=len(confidences),
        confidence=round(sum(confidences) / len(confidences), 6) if confidences else None,
        spelling=add_spelling([page.spelling for page in pages]),
        signs=_signs(pages),
        confusions=_confusions(pages, confusions),
    )


def add_spelling(parts: Sequence[Spelling]) -> Spelling:
    """The sum over pages or volumes."""
    return Spelling(
        well_formed=sum(part.well_formed for part in parts),
        ill_formed=sum(part.ill_formed for part in parts),
        sanskrit=sum(part.sanskrit for part in parts),
        sign=sum(part.sign for part in parts),
        foreign=sum(part.foreign for part in parts),
    )


def _signs(pages: Sequence[PageResult]) -> dict[str, int]:
    """How many pages have which reason, the gravest first."""
    counts = Counter(sign for page in pages for sign in {reason.sign for reason in page.reasons})
    return {sign.value: counts[sign] for sign in Sign if counts[sign]}


def _confusions(pages: Sequence[PageResult], most: int) -> Confusions:
    """The most frequent edits over the scored pages."""
    characters, syllables = Tally(), Tally()
    for page in pages:
        if page.truth is not None:
            characters += character_confusions(page.truth.lines, page.lines)
            syllables += syllable_confusions(page.truth.lines, page.lines)
    return Confusions(most_frequent(characters, most), most_frequent(syllables, most))


def _trouble(read: ReadPage | None) -> list[Reason]:
    """The OCR job's own failure at the page."""
    if read is None:
        return [Reason(Sign.MISSING, "the OCR job has no row for this page")]
    if read.error is not None:
        return [Reason(Sign.FAILED, f"the OCR job failed here: {read.error}")]
    return []


def _errors(truth: Truth | None, read: int, config: OcrEvalConfig) -> list[Reason]:
    """Too many errors against the truth, of so many characters ``read``."""
    if truth is None:
        return []
    characters = truth.score.characters
    if characters.rate is None:
        return [Reason(Sign.ERRORS, "text was read where the truth has none")] if characters.edits else []
    if characters.rate <= config.max_cer:
        return []
    doubt = f" (is {truth.source} the truth of this page?)" if read and characters.rate >= DOUBTFUL else ""
    return [Reason(Sign.ERRORS, f"character error rate {percent(characters.rate)}{doubt}")]


def _nothing(read: ReadPage | None, signs: Signs) -> list[Reason]:
    """Lines without any text; a page without lines is blank, which is nothing odd."""
    if read is None or not read.lines or signs.characters:
        return []
    count = len(read.lines)
    return [Reason(Sign.EMPTY, f"nothing was read in {'its line' if count == 1 else f'its {count} lines'}")]


def _odd(signs: Signs, spelling: Spelling, confidence: float | None, config: OcrEvalConfig) -> list[Reason]:
    """What looks odd whether there is truth or not."""
    reasons = []
    if signs.repeated is not None:
        reasons.append(Reason(Sign.REPEATED, f"the reading repeats {signs.repeated}"))
    share = spelling.share
    if share is not None and spelling.judged >= FEW and share < config.min_well_formed:
        reasons.append(
            Reason(Sign.SPELLING, f"only {percent(share)} of the syllables are spelt by the rules")
        )
    if signs.characters >= FEW and signs.foreign > config.max_foreign * signs.characters:
        reasons.append(
            Reason(
                Sign.FOREIGN, f"{percent(signs.foreign / signs.characters)} of the characters are not Tibetan"
            )
        )
    if spelling.total >= FEW and spelling.sanskrit > config.max_sanskrit * spelling.total:
        words = f"{percent(spelling.sanskrit / spelling.total)} of the syllables look like Sanskrit"
        reasons.append(Reason(Sign.SANSKRIT, f"{words}: mantras, or noise"))
    if confidence is not None and confidence < config.min_confidence:
        reasons.append(Reason(Sign.CONFIDENCE, f"mean confidence {percent(confidence)}"))
    return reasons
