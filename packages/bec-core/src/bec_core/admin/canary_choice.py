"""Choosing a canary: a few volumes unlike each other, of which a bounded sample is looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from attrs import frozen

from bec_core.admin.session import Session
from bec_core.errors import StorageError, TaskError
from bec_core.models import VolumeRef

_SAMPLE = 200  # volumes whose manifests are read at least, and …
_TIMES = 5  # … so many times the canary
_BANDS = 4  # sizes are told apart by quarters of the sample
_LOOKUPS = 32


@frozen
class Candidate:
    """A volume that may go first: its pages and the commonest of their image types; None: it could not be read."""

    ref: VolumeRef
    pages: int | None = None
    kind: str | None = None


def choose(session: Session, refs: Sequence[VolumeRef], number: int) -> list[VolumeRef]:
    """All these volumes, the ``number`` first of them spread over sizes, image types and collections."""
    looked_at = sample(refs, max(_SAMPLE, _TIMES * number))
    session.sources  # noqa: B018 - opened once, not by the first of many threads
    with ThreadPoolExecutor(_LOOKUPS, "bec-canary") as pool:
        first = spread(list(pool.map(lambda ref: _candidate(session, ref), looked_at)), number)
    return list(dict.fromkeys([*(one.ref for one in first), *looked_at, *refs]))


def sample(refs: Sequence[VolumeRef], size: int) -> list[VolumeRef]:
    """Up to ``size`` of these volumes: one of each collection (W_ID), then a second of each, and so on."""
    rounds: list[list[VolumeRef]] = []
    seen: Counter[str] = Counter()
    for ref in refs:
        if seen[ref.w_id] == len(rounds):
            rounds.append([])
        rounds[seen[ref.w_id]].append(ref)
        seen[ref.w_id] += 1
    chosen: list[VolumeRef] = []
    for one in rounds:
        room = min(size - len(chosen), len(one))
        chosen += [one[n * len(one) // room] for n in range(room)]
    return chosen


def spread(candidates: Sequence[Candidate], number: int) -> list[Candidate]:
    """Up to ``number`` of these, each the one that is most unlike those before; what could not be read comes last."""
    marks = [_marks(one, band) for one, band in zip(candidates, _bands(candidates), strict=True)]
    left = list(range(len(candidates)))
    seen: Counter[tuple[str, object]] = Counter()
    chosen: list[Candidate] = []
    while left and len(chosen) < number:
        best = min(left, key=lambda n: (candidates[n].pages is None, sum(seen[one] for one in marks[n]), n))
        left.remove(best)
        seen.update(marks[best])
        chosen.append(candidates[best])
    return chosen


def _marks(one: Candidate, band: int | None) -> tuple[tuple[str, object], ...]:
    return ("size", band), ("kind", one.kind), ("collection", one.ref.w_id)


def _bands(candidates: Sequence[Candidate]) -> list[int | None]:
    """By how many of the candidates each is smaller than, in quarters."""
    sizes = sorted(one.pages for one in candidates if one.pages is not None)
    return [
        None if one.pages is None else sizes.index(one.pages) * _BANDS // len(sizes) for one in candidates
    ]


def _candidate(session: Session, ref: VolumeRef) -> Candidate:
    try:
        volume = session.sources.resolve(ref)
    except (TaskError, StorageError):
        return Candidate(ref)  # the worker will say what is wrong with it
    kinds = Counter(PurePosixPath(page.filename).suffix.lower() for page in volume.pages)
    return Candidate(ref, len(volume.pages), kinds.most_common(1)[0][0] if kinds else None)
