"""Several things of a long list at a time, a few results in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(function: Callable[[T], R], items: Iterable[T], *, at_once: int) -> Iterator[R]:
    """What the function makes of each item, in their order; raises what it raises, for the first of them.

    At most twice ``at_once`` items are begun and not taken, so that memory hangs on the number at a time alone.
    ``items`` is iterated by the caller's thread.
    """
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="bec-side")
    begun: deque[Future[R]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(function, item))
            if len(begun) == 2 * at_once:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
