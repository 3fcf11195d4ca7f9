"""How many of a volume's wrong pages stand in the first fifth of it when its pages are sorted by suspicion.

    python training/render_volumes.py --volumes 20 --seed 100 --out fitted
    python training/render_volumes.py --volumes 12 --seed 9000 --out rendered
    python bench/worn_volumes.py TRUTH.jsonl IMAGES worn
    python bench/suspicion.py --fit fitted          # prints the table of weights
    python bench/suspicion.py rendered worn

A page is wrong by the evaluator's rules: a line too many or too few, or one that doesn't match. Counted are volumes
whose wrong pages fit into a fifth of it; of the others it is told how many are "look" or "bad". The interval is the
bootstrap's over volumes (2.5 to 97.5 %, 2,000 draws). What the network saw is kept in --cache, so that only scoring is
repeated; another network, or another preparation of the pages (then: another folder), is seen anew.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from volume_cache import detections

from bec_ldv1.evaluation.metrics import PageScore, score_page
from bec_ldv1.evaluation.pages import PageLines
from bec_ldv1.evaluation.readers import read_pages
from bec_ldv1.network.engine import Engine
from bec_ldv1.network.setup import start_engine
from bec_ldv1.record.evidence import evidence
from bec_ldv1.record.facts import OUTER, page_facts
from bec_ldv1.record.make import page_record
from bec_ldv1.record.suspicion import NOTHING, WEIGHTS, Findings, Level, Verdict, judge_volume, verdict
from bec_ldv1.record.usual import PageFacts, lines_around, typical

FIRST = 0.2
USUAL_WEIGHT, TRUST = 1.5, 1.5
"""Weights are drawn towards the first, as strongly as the second says (a Gaussian prior): wrong pages are few."""


@attrs.frozen
class JudgedPage:
    """A page of a volume: what is known of it, whether it is wrong, and how suspicious it is."""

    name: str
    kind: str
    wrong: bool
    facts: PageFacts
    findings: Findings


def is_wrong(score: PageScore) -> bool:
    """Whether the page's lines are not exactly the true ones."""
    return score.count_error != 0 or score.matched != score.truth_lines


def judged_volume(folder: Path, cache: Path, engine: Engine) -> list[JudgedPage]:
    """The pages of a folder with ``lines.jsonl``, in its order."""
    truth = read_pages(folder / "lines.jsonl")
    facts: list[PageFacts] = []
    wrong: list[bool] = []
    for number, (page, seen) in enumerate(
        zip(truth, detections([folder / page.image for page in truth], cache, engine), strict=True)
    ):
        record = page_record(page.image, "", seen)
        assert record.details is not None
        outer = min(number, len(truth) - 1 - number) < OUTER
        facts.append(page_facts(record, whole_lines=True, outer=outer))
        found = PageLines(page.image, page.size, tuple(line.polygon for line in record.details.lines))
        wrong.append(is_wrong(score_page(page, found)))
    return [
        JudgedPage(page.image, page.script, *rest)
        for page, *rest in zip(truth, wrong, facts, judge_volume(facts), strict=True)
    ]


def ranked(pages: Sequence[JudgedPage]) -> list[JudgedPage]:
    """The most suspicious pages first, as the report has them."""
    return sorted(pages, key=lambda page: -page.findings.score)


def first(pages: Sequence[JudgedPage]) -> int:
    """How many pages are a fifth of a volume."""
    return math.ceil(FIRST * len(pages))


def fits(pages: Sequence[JudgedPage]) -> bool:
    """Whether a volume has wrong pages, and no more than a fifth."""
    return 0 < sum(page.wrong for page in pages) <= first(pages)


def interval(found: Sequence[int], wrong: Sequence[int]) -> tuple[float, float]:
    """The bootstrap's interval of the share found, over volumes."""
    rng = np.random.default_rng(0)
    pairs = np.array([found, wrong]).T
    shares = [
        (draw := pairs[rng.integers(len(pairs), size=len(pairs))].sum(axis=0))[0] / draw[1]
        for _ in range(2000)
    ]
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(low), float(high)


def tell(volumes: dict[str, list[JudgedPage]], *, missed: bool) -> None:
    """Print the table of a set of volumes."""
    small = {name: pages for name, pages in volumes.items() if fits(pages)}
    wrong = [sum(page.wrong for page in pages) for pages in small.values()]
    found = [sum(page.wrong for page in ranked(pages)[: first(pages)]) for pages in small.values()]
    every = [page for pages in small.values() for page in pages]
    bad = [page for page in every if page.wrong]
    right = [page for page in every if not page.wrong]
    print(f"volumes {len(volumes)}, with at most {FIRST:.0%} wrong pages (and one at least) {len(small)}")
    print(f"pages in these {len(every)}, wrong {len(bad)}")
    if small:
        low, high = interval(found, wrong)
        print(
            f"wrong ones in the first {FIRST:.0%}: {sum(found)} of {sum(wrong)}, {sum(found) / sum(wrong):.1%} "
            f"({low:.1%} to {high:.1%})"
        )
        checked = sum(page.findings.level is Level.CHECK for page in bad)
        nagged = sum(page.findings.level is Level.CHECK for page in right)
        print(
            f'"check": {checked / len(bad):.1%} of the wrong pages, {nagged / len(right):.1%} of the right ones'
        )
    ruined = {
        name: pages for name, pages in volumes.items() if sum(page.wrong for page in pages) > first(pages)
    }
    words = [
        verdict([page.findings.level for page in pages], lines=sum(page.facts.lines for page in pages))
        for pages in ruined.values()
    ]
    if ruined:
        good = words.count(Verdict.GOOD)
        print(f'volumes with more wrong pages: {len(ruined)}, "good" is said of {good}')
    if missed:
        for name, pages in small.items():
            for page in ranked(pages)[first(pages) :]:
                if page.wrong:
                    print(f"  missed: {name} {page.name} {page.findings.score} {page.findings.reasons}")


def fit(volumes: dict[str, list[JudgedPage]]) -> tuple[float, dict[str, float]]:
    """Log odds without evidence, and weights: logistic regression, no weight under 0."""
    rows: list[list[float]] = []
    wrong: list[bool] = []
    for pages in filter(fits, volumes.values()):
        facts = [page.facts for page in pages]
        usual = typical(facts)
        for page, around in zip(pages, lines_around(facts), strict=True):
            if page.facts.lines:
                near = usual if around is None else attrs.evolve(usual, lines=around)
                pieces = {piece.name: piece.strength for piece in evidence(page.facts, near)}
                rows.append([pieces.get(name, 0.0) for name in WEIGHTS])
                wrong.append(page.wrong)
    x, y = np.array(rows), np.array(wrong, np.float64)

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = x @ w[1:] + w[0]
        error = 1 / (1 + np.exp(-odds)) - y
        away = w[1:] - USUAL_WEIGHT
        value = float((np.logaddexp(0, odds) - y * odds).sum() + TRUST * (away**2).sum())
        return value, np.concatenate([[error.sum()], x.T @ error + 2 * TRUST * away])

    bounds = [(None, None)] + [(0.0, None)] * len(WEIGHTS)
    start = np.array([NOTHING, *WEIGHTS.values()])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    print(f"fitted on {len(y)} pages with lines, {int(y.sum())} of them wrong")
    return float(found[0]), dict(zip(WEIGHTS, found[1:].tolist(), strict=True))


def folders(roots: Sequence[Path]) -> Iterator[tuple[str, dict[str, Path]]]:
    """Each root with its volumes' folders by name."""
    for root in roots:
        yield root.name, {path.parent.name: path.parent for path in sorted(root.glob("*/lines.jsonl"))}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("roots", type=Path, nargs="+", metavar="DIR", help="folders of volumes")
    parser.add_argument("--cache", type=Path, default=Path("suspicion-cache"))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--fit", action="store_true", help="fit the weights to these volumes and print them")
    parser.add_argument(
        "--missed", action="store_true", help="list the wrong pages that are not in the first fifth"
    )
    parser.add_argument("--nice", type=int, default=10, help="how far to stand back behind other programs")
    options = parser.parse_args()
    os.nice(options.nice)
    with start_engine(options.model) as engine:
        for name, paths in folders(options.roots):
            volumes = {one: judged_volume(path, options.cache, engine) for one, path in paths.items()}
            gc.collect()
            print(f"\n{name}")
            tell(volumes, missed=options.missed)
            if options.fit:
                none, weights = fit(volumes)
                print(f"NOTHING = {none:.2f}\nWEIGHTS = {{")
                for piece, weight in weights.items():
                    print(f'    "{piece}": {weight:.2f},')
                print("}")


if __name__ == "__main__":
    main()
