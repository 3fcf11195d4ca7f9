"""Pages' scores put together: per set, per script, over documents; as tables and as JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs
import numpy as np

from bec_ldv1.evaluation.metrics import PageScore, score_page
from bec_ldv1.evaluation.pages import Names, PageLines, document_of

_BOOTSTRAP_ROUNDS = 1000
_BOOTSTRAP_SEED = 20240501


@attrs.frozen
class SetScore:
    """The pages of one set together. Shares are 0 to 1, None when nothing was there to measure.

    ``f1`` and its kin are over all lines of the set's pages with regions (micro average); ``f1_documents`` is
    the mean over documents; ``f1_low``/``f1_high`` the 95 % interval of ``f1`` when whole documents are drawn
    with replacement (percentile bootstrap, Efron & Tibshirani 1993).
    """

    name: str
    pages: int
    documents: int
    truth_lines: int
    counted: int
    ignored: int
    exact_counts: int
    count_error: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    f1_low: float | None
    f1_high: float | None
    f1_documents: float | None
    f1_iou: float | None
    pixel_iou: float | None
    missed: int
    spurious: int
    merged: int
    split: int

    @property
    def exact_share(self) -> float | None:
        """Share of pages with exactly the right number of lines."""
        return self.exact_counts / self.pages if self.pages else None


@attrs.frozen
class EvaluationReport:
    """All pages, in the truth's order, and the sets made of them ("all" first, then each script).

    ``notes`` are sentences on what the figures leave out, or take for granted.
    """

    pages: tuple[PageScore, ...]
    sets: tuple[SetScore, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Plain dicts and lists, for ``json.dumps``."""
        pages = [
            attrs.asdict(p) | {"counted": p.counted, "count_error": p.count_error, "pixel_iou": p.pixel_iou}
            for p in self.pages
        ]
        return {
            "sets": [attrs.asdict(s) | {"exact_share": s.exact_share} for s in self.sets],
            "pages": pages,
            "notes": list(self.notes),
        }

    def to_text(self, *, pages: bool = True) -> str:
        """Tables for a person; with ``pages`` one row per page that is not perfect comes after the sets."""
        rows = [_SET_HEAD, *(_set_row(s) for s in self.sets)]
        text = _table(rows)
        if pages:
            flawed = [p for p in self.pages if p.count_error or p.matched < p.truth_lines or p.spurious]
            if flawed:
                text += "\n\npages that are not perfect\n"
                text += _table([_PAGE_HEAD, *(_page_row(p) for p in flawed)])
        return "\n".join([text, *(f"\n{note}" for note in self.notes)]) + "\n"


def evaluate(predictions: Iterable[PageLines], truth: Iterable[PageLines]) -> EvaluationReport:
    """Score the detected pages against the true ones; pages are paired by their images' file names.

    A page of the truth without a prediction counts as a page on which nothing was found; predictions for
    pages that the truth doesn't have are left out.

    Raises:
        ValueError: one side names a page twice; no page of the truth has a prediction, or one has several; or a
            page's pixels can't be told.
    """
    found = _by_name(predictions, "predictions")
    true = _by_name(truth, "truth")
    names = Names(found)
    scores, alone = [], []
    for name, page in true.items():
        meant = names.meant_by(name)
        if len(meant) > 1:
            raise ValueError(f"the predictions {' and '.join(meant)} may both be for the page {name}")
        if meant:
            scores.append(score_page(*_in_the_same_pixels(page, found[meant[0]])))
        else:
            alone.append(name)
            scores.append(score_page(page, PageLines(page.image, page.size, ())))
    if true and len(alone) == len(true):
        others = f", the predictions {next(iter(found))}" if found else ", and there are no predictions"
        raise ValueError(
            f"no page of the truth has a prediction: the truth names {alone[0]}{others}; pages are paired by their "
            f"images' file names"
        )
    return attrs.evolve(summarise(scores), notes=tuple(_notes(scores, alone)))


def summarise(scores: Sequence[PageScore]) -> EvaluationReport:
    """The report of pages that are scored already."""
    sets = [score_set("all", scores)] if scores else []
    for script in dict.fromkeys(s.script for s in scores if s.script):
        sets.append(score_set(script, [s for s in scores if s.script == script]))
    return EvaluationReport(tuple(scores), tuple(sets))


def _in_the_same_pixels(truth: PageLines, found: PageLines) -> tuple[PageLines, PageLines]:
    """The two sides of a page, of which files may measure one or both on paper."""
    if truth.in_pixels and found.in_pixels:
        return truth, found
    size = found.size if found.in_pixels else truth.size
    if size is None:
        raise ValueError(
            f"the page {truth.name} is measured on paper, and nothing tells its image's size in pixels"
        )
    return truth.scaled_to(size), found.scaled_to(size)


def _notes(scores: Sequence[PageScore], alone: Sequence[str]) -> Iterator[str]:
    """What to know of a report."""
    if alone:
        yield (
            f"pages without a prediction, taken for pages on which nothing was found: {len(alone)}, "
            f"the first {alone[0]}"
        )
    if lines := sum(score.without_outline for score in scores):
        yield f"lines of the truth without an outline, left out: {lines}"


def score_set(name: str, scores: Sequence[PageScore]) -> SetScore:
    """One set's figures from its pages' counts."""
    documents = list(dict.fromkeys(s.document for s in scores))
    with_regions = [s for s in scores if s.has_regions]
    truth_lines = sum(s.truth_lines for s in with_regions)
    counted = sum(s.counted for s in with_regions)
    matched = sum(s.matched for s in with_regions)
    ious = [iou for s in with_regions if s.truth_lines and (iou := s.pixel_iou) is not None]
    per_document = [[s for s in with_regions if s.document == d] for d in documents]
    document_f1 = [f for group in per_document if (f := _f1_of(group)) is not None]
    low, high = _bootstrap_f1([g for g in per_document if g])
    return SetScore(
        name=name,
        pages=len(scores),
        documents=len(documents),
        truth_lines=sum(s.truth_lines for s in scores),
        counted=sum(s.counted for s in scores),
        ignored=sum(s.ignored for s in scores),
        exact_counts=sum(s.count_error == 0 for s in scores),
        count_error=float(np.mean([abs(s.count_error) for s in scores])) if scores else None,
        precision=_ratio(matched, counted),
        recall=_ratio(matched, truth_lines),
        f1=_f1_of(with_regions),
        f1_low=low,
        f1_high=high,
        f1_documents=float(np.mean(document_f1)) if document_f1 else None,
        f1_iou=_f1_of(with_regions, lambda s: s.matched_iou),
        pixel_iou=float(np.mean(ious)) if ious else None,
        missed=sum(s.missed for s in scores),
        spurious=sum(s.spurious for s in scores),
        merged=sum(s.merged for s in scores),
        split=sum(s.split for s in scores),
    )


def split_by_document(pages: Sequence[PageLines], parts: int, *, seed: int = 0) -> list[list[PageLines]]:
    """The pages in ``parts`` lists such that all pages of a document are in one of them.

    A document's part follows from its name and the seed alone, so that it stays when pages are added.
    """
    groups: list[list[PageLines]] = [[] for _ in range(parts)]
    for page in pages:
        digest = hashlib.sha256(f"{seed}:{document_of(page.image)}".encode()).digest()
        groups[int.from_bytes(digest[:8], "big") % parts].append(page)
    return groups


def _by_name(pages: Iterable[PageLines], side: str) -> dict[str, PageLines]:
    named: dict[str, PageLines] = {}
    for page in pages:
        if page.name in named:
            raise ValueError(
                f"the {side} have the page {page.name} twice; file names must be unique in a set"
            )
        named[page.name] = page
    return named


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _f1_of(
    scores: Sequence[PageScore], hits: Callable[[PageScore], int] = lambda s: s.matched
) -> float | None:
    """2·hits / (true lines + counted detections); None when there is neither."""
    total = sum(s.truth_lines + s.counted for s in scores)
    return _ratio(2 * sum(hits(s) for s in scores), total)


def _bootstrap_f1(groups: Sequence[Sequence[PageScore]]) -> tuple[float | None, float | None]:
    """The 95 % interval of F1 over documents drawn with replacement; (None, None) for under two documents."""
    if len(groups) < 2:
        return None, None
    hits = np.array([sum(2 * s.matched for s in g) for g in groups])
    totals = np.array([sum(s.truth_lines + s.counted for s in g) for g in groups])
    draws = np.random.default_rng(_BOOTSTRAP_SEED).integers(0, len(groups), (_BOOTSTRAP_ROUNDS, len(groups)))
    drawn_totals = totals[draws].sum(axis=1)
    usable = drawn_totals > 0
    if not usable.any():
        return None, None
    values = hits[draws].sum(axis=1)[usable] / drawn_totals[usable]
    return float(np.percentile(values, 2.5)), float(np.percentile(values, 97.5))


_SET_HEAD = (
    "set",
    "pages",
    "docs",
    "lines",
    "found",
    "exact",
    "|error|",
    "P",
    "R",
    "F1",
    "95 %",
    "F1 doc",
    "F1@IoU",
    "pixIoU",
    "missed",
    "spurious",
    "merged",
    "split",
    "ignored",
)
_PAGE_HEAD = (
    "page",
    "script",
    "lines",
    "found",
    "matched",
    "missed",
    "spurious",
    "merged",
    "split",
    "ignored",
    "pixIoU",
)


def _set_row(s: SetScore) -> tuple[str, ...]:
    interval = "–" if s.f1_low is None or s.f1_high is None else f"{s.f1_low:.3f}–{s.f1_high:.3f}"
    exact = "–" if s.exact_share is None else f"{100 * s.exact_share:.1f}%"
    numbers = (s.count_error, s.precision, s.recall, s.f1)
    rest = (s.f1_documents, s.f1_iou, s.pixel_iou)
    counts = (s.missed, s.spurious, s.merged, s.split, s.ignored)
    return (
        s.name,
        *(str(n) for n in (s.pages, s.documents, s.truth_lines, s.counted)),
        exact,
        *(_number(n) for n in numbers),
        interval,
        *(_number(n) for n in rest),
        *(str(n) for n in counts),
    )


def _page_row(p: PageScore) -> tuple[str, ...]:
    counts = (p.truth_lines, p.counted, p.matched, p.missed, p.spurious, p.merged, p.split, p.ignored)
    return (p.image, p.script, *(str(n) for n in counts), _number(p.pixel_iou))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Columns padded to their widest cell; the first one is left-aligned, the others right-aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
