"""A sample of a job's pages to be marked, and the share of wrong pages that the marks tell.

The pages are stratified by what the job says of them: suspicious, blank, or fine. Of each stratum so many are drawn as
Neyman's allocation gives (J. Neyman, *On the two different aspects of the representative method*, Journal of the Royal
Statistical Society 97, 1934, 558–625) for the spreads guessed in :data:`SPREAD`, and at least :data:`LEAST`; a wrong
guess makes the interval wider, never wrong. Within a stratum its pages, in the order of the volumes, are cut into as
many runs of one length as are to be drawn, and one page is drawn of each: the sample is spread over the volumes.

The estimate is the strata's shares weighed by their pages. Each stratum has Wilson's interval (E. B. Wilson, *Probable
inference, the law of succession, and statistical inference*, Journal of the American Statistical Association 22, 1927,
209–212); they are combined by the method of variance estimates recovery (G. Y. Zou, W. Huang, X. Zhang, *A note on
confidence interval estimation for a linear function of binomial proportions*, Computational Statistics & Data Analysis
53, 2009, 1080–1085). A stratum without a mark may be all right or all wrong. That the pages are drawn without
replacement and spread is left out of account, which makes the interval a little wider than it need be; a stratum that
is marked as a whole is known.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from statistics import NormalDist

from attrs import frozen
from loguru import logger

from bec_core.admin.actions import who as operator
from bec_core.admin.results import UnreadableResult, figures_of
from bec_core.admin.session import Session
from bec_core.db import samples as rows
from bec_core.db import standing
from bec_core.db.samples import Sample, SampledPage
from bec_core.db.standing import PageCounts, StandingResult
from bec_core.errors import NotFoundError, SettingsError
from bec_core.models import Job
from bec_core.results import PageLevel

__all__ = [
    "STRATA", "DrawnSample", "Estimate", "Sample", "SampledPage", "Share", "Stratum", "allocate", "combined",
    "draw_sample", "estimate", "find_sample", "wilson",
]  # fmt: skip

STRATA = (PageLevel.SUSPICIOUS, PageLevel.BLANK, PageLevel.FINE)
"""Pages that failed are in none: that they have no result is known."""

SPREAD: Mapping[str, float] = {PageLevel.SUSPICIOUS: 0.5, PageLevel.BLANK: 0.2, PageLevel.FINE: 0.2}
"""The guessed standard deviations of "is wrong": of a half, and of one in 25."""

LEAST = 10
"""So many pages of a stratum are drawn at least, if there are."""

_Z = NormalDist().inv_cdf(0.975)
_READERS = 8


@frozen
class DrawnSample:
    """A new sample and its pages; ``unknown`` volumes whose pages' levels are not known were left out of it, and
    ``lost`` pages could not be read any more."""

    sample: Sample
    pages: tuple[SampledPage, ...]
    unknown: int
    lost: int


def draw_sample(
    session: Session,
    job: Job,
    size: int,
    *,
    seed: int | None = None,
    who: str | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> DrawnSample:
    """Draw a sample of the pages of a job's standing results and keep it.

    Args:
        session: the services.
        job: the job; its type reads figures, and declares ``pages``, ``suspicious`` and ``blank``.
        size: how many pages.
        seed: the same seed over the same results draws the same pages; None: a new one.
        who: who draws it; None: user and host.
        progress: told how many volumes were read, and of how many.

    Raises:
        NotFoundError: the job's pages can't be told apart, or no result's figures are known.
        SettingsError: fewer pages than strata are asked for.
    """
    job_type = session.plugins.job_type(job.type)
    names = ["pages", "suspicious", "blank"]
    if job_type.figures is None or not set(names) <= {metric.name for metric in job_type.metrics}:
        raise NotFoundError(
            f"the job type {job_type.name} does not tell which pages are suspicious: none is drawn"
        )
    if size < len(STRATA):
        raise SettingsError(f"a sample needs at least {len(STRATA)} pages")
    with session.database.reading() as connection:
        counts = list(standing.page_counts(connection, job.id, names))
    known = [one for one in counts if None not in one.counts]
    by_volume = [(one.volume_id, _levels(one)) for one in known]
    held: dict[str, int] = {level: sum(levels[level] for _, levels in by_volume) for level in STRATA}
    if not any(held.values()):
        raise NotFoundError(
            f"no page of job {job.name} is known by its figures; see: bec volumes index {job.name}"
        )
    seed = secrets.randbits(32) if seed is None else seed
    chance = random.Random(seed)
    wanted: dict[int, list[tuple[PageLevel, int]]] = {}
    for level, number in allocate(size, held).items():
        for volume_id, place in _spread(chance, number, [(v, levels[level]) for v, levels in by_volume]):
            wanted.setdefault(volume_id, []).append((PageLevel(level), place))
    found = list(_pages(session, job, wanted, progress))
    found.sort(key=lambda one: (one.volume_id, one.number))
    chance.shuffle(found)  # who stops early has looked at a random part
    pages = [
        SampledPage(place, *(getattr(one, name) for name in _KEPT)) for place, one in enumerate(found, 1)
    ]
    with session.database.connection() as connection:
        sample_id = rows.keep(
            connection, job.id, seed=seed, who=who or operator(session),
            strata={str(level): number for level, number in held.items()}, pages=pages,
        )  # fmt: skip
        sample = rows.find(connection, job.id, sample_id)
    assert sample is not None
    lost = sum(map(len, wanted.values())) - len(pages)
    return DrawnSample(sample, tuple(pages), len(counts) - len(known), lost)


_KEPT = ("stratum", "volume_id", "w_id", "i_id", "version", "page", "number", "result")


def _levels(one: PageCounts) -> dict[str, int]:
    pages, suspicious, blank = (int(count or 0) for count in one.counts)
    return {
        PageLevel.SUSPICIOUS: suspicious,
        PageLevel.BLANK: blank,
        PageLevel.FINE: max(0, pages - suspicious - blank),
    }


def allocate(size: int, held: Mapping[str, int]) -> dict[str, int]:
    """How many pages are drawn of each stratum, given how many it holds: ``size`` in all, if there are so many."""
    size = min(size, sum(held.values()))
    least = min(LEAST, size // max(1, sum(map(bool, held.values()))))
    drawn: dict[str, int] = {}
    goals: dict[str, float] = {}
    while True:
        weights = {name: number * SPREAD[name] for name, number in held.items() if name not in drawn}
        left = size - sum(drawn.values())
        goals = {name: left * weight / (sum(weights.values()) or 1) for name, weight in weights.items()}
        bounded = {name: min(held[name], max(least, goal)) for name, goal in goals.items()}
        beyond = {name: int(bound) for name, bound in bounded.items() if bound != goals[name]}
        if not beyond:
            break
        first = max(beyond, key=lambda one: abs(bounded[one] - goals[one]))
        drawn[first] = min(beyond[first], left)
    for name, goal in goals.items():
        drawn[name] = int(goal)
    for name in sorted(goals, key=lambda one: int(goals[one]) - goals[one])[: size - sum(drawn.values())]:
        drawn[name] += 1
    return {name: drawn[name] for name in held}


def _spread(
    chance: random.Random, number: int, by_volume: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Volumes and places (from 0) of ``number`` of their pages, one of each of as many runs of one length."""
    total = sum(count for _, count in by_volume)
    places = [chance.randrange(n * total // number, (n + 1) * total // number) for n in range(number)]
    before = 0
    volumes = iter(by_volume)
    volume_id, count = next(volumes, (0, 0))
    for place in places:
        while place >= before + count:
            before += count
            volume_id, count = next(volumes)
        yield volume_id, place - before


def _pages(
    session: Session,
    job: Job,
    wanted: Mapping[int, Collection[tuple[PageLevel, int]]],
    progress: Callable[[int, int], None],
) -> Iterator[SampledPage]:
    """The pages at these places among those of their level in their volumes; what is not there (any more) is told."""
    job_type = session.plugins.job_type(job.type)
    with session.database.reading() as connection:
        results = standing.of_ids(connection, job.id, sorted(wanted))
    session.artifacts  # noqa: B018 - opened once, not by the first of many threads

    def look(result: StandingResult) -> list[SampledPage]:
        by_level: dict[PageLevel, list[int]] = {}
        try:
            figures = figures_of(session, job_type, result)
        except UnreadableResult as error:
            logger.warning("{}/{}: no page is drawn of it: {}", result.w_id, result.i_id, error)
            return []
        for index, page in enumerate(figures.pages):
            by_level.setdefault(page.level, []).append(index)
        found = []
        for level, place in wanted[result.volume_id]:
            if place >= len(by_level.get(level, ())):
                logger.warning("{}/{}: it was done anew: a page is not drawn", result.w_id, result.i_id)
                continue
            index = by_level[level][place]
            found.append(
                SampledPage(
                    0, level, result.volume_id, result.w_id, result.i_id, result.version,
                    figures.pages[index].image, index + 1, result.result,
                )
            )  # fmt: skip
        return found

    with ThreadPoolExecutor(_READERS, "bec-sample") as pool:
        for done, found in enumerate(pool.map(look, results), 1):
            progress(done, len(results))
            yield from found


def find_sample(session: Session, job: Job, sample_id: int | None = None) -> tuple[Sample, list[SampledPage]]:
    """A job's sample (None: the latest) and its pages with their marks.

    Raises:
        NotFoundError: there is none.
    """
    with session.database.reading() as connection:
        sample = rows.find(connection, job.id, sample_id)
        pages = rows.pages(connection, sample) if sample else []
    if sample is None:
        raise NotFoundError(
            f"job {job.name} has no such sample; draw one: bec marks sample {job.name} --sample 200"
        )
    return sample, pages


@frozen
class Share:
    """A share of pages and its 95 % interval, 0 to 1; None where nothing tells it."""

    value: float | None
    low: float
    high: float


@frozen
class Stratum:
    """A stratum: its pages when it was drawn, how many were drawn, and how many of these are marked how."""

    name: str
    pages: int
    drawn: int
    right: int
    wrong: int
    rescan: int

    @property
    def marked(self) -> int:
        """How many are marked."""
        return self.right + self.wrong + self.rescan


@frozen
class Estimate:
    """What a sample's marks tell.

    Attributes:
        sample: of which.
        strata: what is known of each.
        wrong: the share of pages that are wrong.
        rescan: the share of pages to be scanned again.
        reach: from where to where the estimated share of wrong pages could be moved by the pages that are not marked:
            none of them wrong, or all. Marks made of some pages only tell of all if these were not chosen.
    """

    sample: Sample
    strata: tuple[Stratum, ...]
    wrong: Share
    rescan: Share
    reach: tuple[float, float]

    @property
    def unmarked(self) -> int:
        """How many drawn pages are not marked."""
        return sum(one.drawn - one.marked for one in self.strata)


def estimate(session: Session, job: Job, sample_id: int | None = None) -> Estimate:
    """The shares of wrong pages and of those to be scanned again; pages that failed have no share in either.

    Raises:
        NotFoundError: there is no such sample.
    """
    sample, pages = find_sample(session, job, sample_id)
    strata = tuple(
        Stratum(
            name,
            number,
            sum(page.stratum == name for page in pages),
            *(
                sum(page.stratum == name and page.judgement == said for page in pages)
                for said in ("right", "wrong", "rescan")
            ),
        )
        for name, number in sample.strata.items()
        if number
    )
    total = sum(one.pages for one in strata)
    reach = tuple(
        sum(
            one.pages * (one.wrong + extra * (one.drawn - one.marked)) / one.drawn
            for one in strata
            if one.drawn
        )
        / total
        for extra in (0, 1)
    )
    return Estimate(
        sample,
        strata,
        combined([(one.pages, one.wrong, one.marked) for one in strata]),
        combined([(one.pages, one.rescan, one.marked) for one in strata]),
        (reach[0], reach[1]),
    )


def combined(strata: Sequence[tuple[int, int, int]]) -> Share:
    """The share over all strata, given of each: its pages, how many marked ones are counted, how many are marked."""
    total = sum(pages for pages, _, _ in strata)
    value, below, above, told = 0.0, 0.0, 0.0, True
    most = 0.0
    for pages, counted, marked in strata:
        weight = pages / total
        if not marked:  # all of it may be right, or wrong
            told, most = False, most + weight
            continue
        share = counted / marked
        low, high = (share, share) if marked >= pages else wilson(counted, marked)
        value += weight * share
        below += (weight * (share - low)) ** 2
        above += (weight * (high - share)) ** 2
    low, high = value - sqrt(below), value + most + sqrt(above)
    return Share(value if told else None, max(0.0, low), min(1.0, high))


def wilson(counted: int, marked: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, of which ``counted`` of ``marked`` were seen."""
    share, squared = counted / marked, _Z * _Z
    middle = (share + squared / (2 * marked)) / (1 + squared / marked)
    half = _Z / (1 + squared / marked) * sqrt(share * (1 - share) / marked + squared / (4 * marked * marked))
    return max(0.0, middle - half), min(1.0, middle + half)
