"""The simulated fleet loses nothing and does nothing twice, whatever happens to it; its rules are the worker's."""

import sys

import pytest
from attrs import evolve

from bec_core.worker.options import WorkerOptions
from support.places import ROOT

sys.path.insert(0, str(ROOT / "simulation"))

from fleet.ledger import Ledger, Refused, Row, Status
from fleet.queue import Queue
from fleet.run import simulate, volumes_by_status
from fleet.scenario import DAY_S, HOUR_S, Scenario, by_backlog
from fleet.tally import Tally

SMALL = Scenario(volumes=400, pages=60_000, pages_per_s=2.0, workers=12, life_s=1.5 * HOUR_S, unannounced=0.3)


def check_laws(result):
    """Every volume ended once, and every page that was worked on is somewhere."""
    scenario, sums = result.scenario, result.tally.sums
    by_status = volumes_by_status(result)
    assert by_status[Status.DONE] + by_status[Status.FAILED] == scenario.volumes
    assert all(row.times_done == (row.status is Status.DONE) for row in result.rows), "each once"
    assert sum(row.pages for row in result.rows) == scenario.pages
    done = sum(row.pages for row in result.rows if row.status is Status.DONE)
    lost = sums["pages lost"] + sums["pages lost to failures"] + sums["pages given up"]
    assert sums["pages worked"] == done + lost
    assert result.tally.totals["claims"] >= scenario.volumes
    assert result.instance_hours * HOUR_S >= sums["pages worked"] / scenario.pages_per_s


CASES = {
    "as it is": {},
    "without kept pages": {"resume": False},
    "no notice at all": {"unannounced": 1.0},
    "nothing ever dies": {"life_s": 1e9},
    "much fails": {"faults": 0.3, "bad": 0.05},
    "much fails, nothing is kept": {"faults": 0.3, "bad": 0.05, "resume": False},
    "fed": {"feed": 4},
    "few in flight": {"most_in_flight": 5},
    "messages forgotten": {"retention_s": 600.0},
    "instances that live as long as a volume": {"life_s": 400.0, "unannounced": 0.5},
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_the_laws_hold(changes):
    check_laws(simulate(evolve(SMALL, **changes)))


def test_the_same_seed_gives_the_same_run_and_another_one_another():
    one, two, other = (simulate(evolve(SMALL, seed=seed)) for seed in (1, 1, 2))
    assert (one.hours, one.instance_hours, one.tally.totals) == (
        two.hours,
        two.instance_hours,
        two.tally.totals,
    )
    assert one.hours != other.hours


def test_without_deaths_and_failures_it_takes_what_arithmetic_says():
    calm = evolve(SMALL, life_s=1e9, faults=0.0, bad=0.0)
    result = simulate(calm)
    least = (calm.pages / calm.pages_per_s + calm.volumes * calm.around_s) / calm.workers / HOUR_S
    assert least < result.hours < 1.2 * least + calm.boot_s / HOUR_S
    assert result.tally.sums["pages worked"] == calm.pages
    assert result.tally.totals["interruptions"] == result.tally.totals["deaths"] == 0


def test_kept_pages_save_what_interruptions_would_lose():
    kept, anew = simulate(SMALL), simulate(evolve(SMALL, resume=False))
    assert kept.lost_share < anew.lost_share / 3
    assert kept.tally.sums["pages resumed"] > 0
    assert anew.tally.sums["pages resumed"] == 0
    noticed = simulate(evolve(SMALL, unannounced=0.0))
    assert noticed.tally.sums["pages lost"] == 0, "a notice is enough to keep everything"


def test_what_the_queue_forgets_is_sent_again_unless_it_is_fed():
    at_once = simulate(evolve(SMALL, retention_s=600.0))
    assert at_once.tally.totals["forgotten"] > 0
    assert at_once.tally.totals["sent again"] >= at_once.tally.totals["forgotten"] > 0
    fed = simulate(evolve(SMALL, retention_s=1800.0, feed=2))
    assert fed.tally.totals["forgotten"] == 0


def test_no_more_in_flight_than_the_queue_allows():
    result = simulate(evolve(SMALL, most_in_flight=5))
    assert result.tally.peaks["in flight"] == 5
    assert result.tally.totals["refused: too many in flight"] > 0
    assert simulate(SMALL).tally.peaks["in flight"] <= 3 * SMALL.workers


def test_a_worker_has_as_many_connections_as_the_real_one_may_open():
    tally = simulate(SMALL).tally
    assert tally.peaks["connections"] == tally.peaks["instances"] * WorkerOptions().connections == 4 * 12


def test_a_claim_is_refused_as_the_database_refuses_it():
    ledger = Ledger([Row(10)], Tally())
    row = ledger.claim(0, 0.0, 300.0)
    assert isinstance(ledger.claim(0, 100.0, 300.0), Refused)
    assert ledger.claim(0, 100.0, 300.0).wait_s == 200.0
    assert ledger.claim(0, 301.0, 300.0) is row
    assert (row.epoch, row.lost) == (2, 1), "its lease ran out, and it got no further"
    ledger.leave(row, 302.0, retry_s=30.0)
    assert ledger.claim(0, 310.0, 300.0).wait_s == 22.0
    ledger.end(ledger.claim(0, 340.0, 300.0), Status.DONE, 341.0)
    assert ledger.claim(0, 342.0, 300.0).wait_s is None


def test_a_message_hides_and_comes_again():
    queue = Queue(SMALL, Tally())
    queue.send(7, 0.0)
    message = queue.receive(0.0, 300.0)
    assert queue.receive(10.0, 300.0) is None
    queue.extend(message, 100.0, 300.0)
    assert queue.receive(350.0, 300.0) is None, "it was hidden longer"
    assert queue.next_s(350.0) == 400.0
    assert queue.receive(400.0, 300.0) is message
    queue.delete(message)
    assert queue.next_s(5_000.0) is None
    assert queue.in_flight == 0


def test_a_fleet_that_follows_the_backlog():
    result = simulate(evolve(SMALL, sizing=by_backlog(50, 12)))
    check_laws(result)
    steady = simulate(SMALL)
    assert result.tally.peaks["instances"] == 8
    assert result.hours > steady.hours
    assert result.tally.sums["idle seconds"] < steady.tally.sums["idle seconds"]


def test_sizes_are_exact():
    sizes = evolve(SMALL, volumes=997, pages=123_457).sizes()
    assert (len(sizes), sum(sizes), min(sizes) >= 1) == (997, 123_457, True)
    assert SMALL.retention_s == 4 * DAY_S


@pytest.mark.parametrize("every", [7.0, 10.0, 100.0])
def test_what_happens_every_so_often_is_counted_by_minutes(every):
    tally = Tally()
    assert tally.periodic("beats", 31.5, 1_000.0, every) == int(968.5 // every) == tally.totals["beats"]
    counted = tally.minutes["beats"]
    assert sum(counted.values()) == tally.totals["beats"]
    assert counted[5] == sum(300 <= 31.5 + n * every < 360 for n in range(1, 200))
    assert tally.periodic("beats", 0.0, 5.0, every) == 0
