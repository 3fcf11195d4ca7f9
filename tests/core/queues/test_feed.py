"""How much a feeder sends: rules over figures."""

from __future__ import annotations

import pytest

from bec_core.db.feeding import Sent
from bec_core.models import QueueStats
from bec_core.queues import emptiness
from bec_core.queues.emptiness import Emptiness
from bec_core.queues.feed import in_queue, room


@pytest.mark.parametrize(
    ("sent", "available", "exact", "held"),
    [
        (Sent(0, 0), 0, False, 0),
        (Sent(8, 0), 0, False, 8),  # the figures don't count yet what was sent lately
        (Sent(8, 4), 12, False, 12),
        (Sent(0, 20), 3, False, 3),  # seventeen were lost: they don't keep the others back
        (Sent(2, 20), 9, False, 9),
        (Sent(0, 4), 50, False, 4),  # messages of somebody else's, or of what is done by now
        (Sent(0, 20), 3, True, 3),
        (Sent(5, 0), 0, True, 0),
    ],
)
def test_what_lies_in_a_queue(sent: Sent, available: int, exact: bool, held: int) -> None:
    assert in_queue(sent, available=available, exact=exact) == held


@pytest.mark.parametrize(
    ("live", "held", "sends"), [(0, 0, 4), (1, 0, 4), (3, 0, 12), (3, 10, 2), (3, 12, 0), (1, 12, 0)]
)
def test_there_is_room_for_so_many_of_each_live_worker_and_of_the_first_to_come(
    live: int, held: int, sends: int
) -> None:
    assert room(per_worker=4, live_workers=live, held=held) == sends


def test_a_queue_whose_figures_lag_is_empty_when_it_says_so_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(emptiness.time, "monotonic", lambda: now[0])
    empty, full = QueueStats(0, 0, 0), QueueStats(0, 1, 0)
    assert Emptiness(exact=True, apart_s=60).look(empty)
    seen = Emptiness(exact=False, apart_s=60)
    assert not seen.look(empty)
    assert seen.seen_once
    now[0] += 59
    assert not seen.look(empty)
    now[0] += 1
    assert seen.look(empty)
    assert not seen.look(full)
    now[0] += 100
    assert not seen.look(empty)
    seen.something_came()
    now[0] += 100
    assert not seen.look(empty)
