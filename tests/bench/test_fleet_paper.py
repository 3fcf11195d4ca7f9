"""bench/fleet_paper.py: what was measured of few workers, as many would ask it."""

import sys

import pytest

from bec_core.admin.planning.plan import make_plan
from bec_core.worker.options import WorkerOptions
from support.places import ROOT

sys.path.insert(0, str(ROOT / "bench"))

import fleet_paper

SEEN = {
    "workers": 100, "lease_s": 30.0, "heartbeat_s": 10.0, "connections": 240, "allowed": 2000,
    "volumes_per_s": 5.0, "transactions_per_s": 70.0, "server_cores": 0.035,
}  # fmt: skip


def figure(value: float, basis: str = "measured") -> dict[str, object]:
    return {"value": value, "basis": basis, "why": "tried", "margin": None}


def plan_of(rate: object) -> dict[str, list[dict[str, object]]]:
    sizes = {"pages": figure(10), "read": figure(1000), "written": figure(100)}
    return {
        "jobs": [{"name": name, "type": name, "pages_per_s": rate, **sizes} for name in ("ldv1", "ocrv1")]
    }


def test_what_goes_by_the_clock_and_what_by_the_volume_is_told_apart() -> None:
    options = WorkerOptions(lease_s=300.0, heartbeat_s=10.0)
    load = fleet_paper.database_load(SEEN, 500, 2.0, options)

    # seen: 20 a second by the clock, so 50 for 5 volumes: 10 a volume
    assert load.transactions_per_s == pytest.approx(2.0 * 10 + 500 * (0.1 + 0.01))
    assert load.cores == pytest.approx(load.transactions_per_s * 0.035 / 70)
    assert load.connections == pytest.approx(1200)


def test_hours_are_pages_by_the_measured_rate_and_sizes_by_the_page() -> None:
    tasks = fleet_paper.tasks_of(plan_of(figure(2.0)), 1_000, 7_200_000)
    made = make_plan(tasks, None)

    assert [job.hours_of_one_worker and job.hours_of_one_worker.value for job in made.jobs] == [1000, 1000]
    assert made.jobs[0].read is not None
    assert made.jobs[0].read.value == pytest.approx(720e6)
    assert made.jobs[1].requests["get"].value > made.jobs[0].requests["get"].value, "it reads an input"


def test_without_a_rate_there_is_no_paper() -> None:
    with pytest.raises(SystemExit, match="no rate of ldv1"):
        fleet_paper.tasks_of(plan_of(None), 1, 1)


def test_no_prices_no_costs(capsys: pytest.CaptureFixture[str]) -> None:
    fleet_paper.print_hours(make_plan(fleet_paper.tasks_of(plan_of(figure(2.0)), 10, 7_200), None))
    said = capsys.readouterr().out
    assert "No costs" in said
    assert "| ldv1 | 2.00 (measured: tried) | 1 " in said
