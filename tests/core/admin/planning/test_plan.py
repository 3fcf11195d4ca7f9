"""A plan from figures: what it comes to, and how each figure is known."""

import attrs
import pytest

from bec_core.admin.planning.figures import Basis, Figure, least_sure, product, total
from bec_core.admin.planning.measured import Measured
from bec_core.admin.planning.plan import GIB, Task, make_plan
from bec_core.admin.planning.prices import Instance, Prices, RequestPrices
from bec_core.admin.planning.rates import Machine, Rate, given, machine_of, of_rows, on_instance
from bec_core.admin.planning.sampling import choose, total_of
from bec_core.errors import SettingsError

SMALL = Instance("example.small", cores=4, hourly=0.5, spot_hourly=0.1)
LARGE = Instance("example.large", cores=16, hourly=2.0)
GPU = Instance("example.gpu", cores=8, gpus=1, hourly=3.0)
PRICES = Prices("p.toml", "XTS", (SMALL, LARGE, GPU), 0.02, RequestPrices(1.0, 2.0, 3.0, 4.0))

PAGES = Figure(36_000, Basis.EXTRAPOLATED, "a sample", 3_600)
HERE = Rate(Figure(2.0, Basis.MEASURED, "tried"), Machine(cores=2))


def task(**changes):
    measured = Measured(HERE, None, Figure(GIB / 36_000, Basis.MEASURED, "weighed"), 1)
    return attrs.evolve(Task("ldv1", "ldv1", 100, PAGES, measured), **changes)


# figures --------------------------------------------------------------------------------------------------


def test_what_is_made_of_figures_is_no_surer_than_they_are():
    assert least_sure(Basis.MEASURED, Basis.ASSUMED, Basis.EXTRAPOLATED) is Basis.ASSUMED
    sure, unsure = Figure(10, Basis.MEASURED, "", 1), Figure(5, Basis.ASSUMED, "", 0.5)
    both = product("", sure, unsure)
    assert (both.value, both.basis) == (50, Basis.ASSUMED)
    assert both.margin == pytest.approx(50 * (0.1**2 + 0.1**2) ** 0.5)
    assert total("", [sure, unsure]) == Figure(15, Basis.ASSUMED, "", 1.5)
    assert product("", Figure(2, Basis.MEASURED, "")).margin is None


# the sample -----------------------------------------------------------------------------------------------


def test_a_sample_is_the_same_for_the_same_list_and_never_more_than_there_is():
    items = list(range(1000))
    assert choose(items, 20) == choose(items, 20)
    assert choose(items, 20) == sorted(set(choose(items, 20)))
    assert choose(items, 2000) == items


def test_pages_of_a_sample():
    all_of_them = total_of([300, 400], 2)
    assert (all_of_them.value, all_of_them.basis, all_of_them.margin) == (700, Basis.MEASURED, None)
    some = total_of([300, 400, 500], 30, known=1000)
    assert (some.value, some.basis) == (1000 + 12_000, Basis.EXTRAPOLATED)
    assert some.margin > 0
    assert total_of([300, 400], 30).margin is None, "two say nothing of how much volumes differ"
    assert total_of([], 30) is None
    assert total_of([], 0, known=7) == Figure(7, Basis.MEASURED, "as the ledger knows")
    few = total_of([300, 400, 500] * 3, 10)
    assert few.margin < some.margin, "nearly all were looked at"


# rates ----------------------------------------------------------------------------------------------------


def test_a_rate_on_another_instance():
    assert on_instance(HERE, LARGE, ["ldv1"]).value == 16.0
    assert on_instance(HERE, LARGE, ["ldv1"]).basis is Basis.EXTRAPOLATED
    assert on_instance(HERE, GPU, ["ldv1"]) is None, "no GPU's speed is told from a processor's"
    on_gpu = Rate(HERE.figure, Machine(cores=8, gpus=1))
    assert on_instance(on_gpu, LARGE, ["ldv1"]) is None
    assert on_instance(None, LARGE, ["ldv1"]) is None


def test_what_the_price_file_says_of_a_type_counts_first():
    told = attrs.evolve(GPU, pages_per_s={"ldv1": 40.0})
    assert on_instance(HERE, told, ["lines", "ldv1"]).value == 40.0
    assert on_instance(HERE, told, ["lines", "ldv1"]).basis is Basis.ASSUMED
    assert on_instance(None, told, ["ldv1"]).value == 40.0


def test_a_rate_measured_on_the_type_itself():
    two = attrs.evolve(LARGE, workers=2)
    machine = machine_of("example.large", [two])
    assert machine == Machine(8, 0, "example.large")
    rate = of_rows("trial", [(100, 50.0), (200, 100.0), (300, 150.0)], machine)
    assert on_instance(rate, two, ["ldv1"]).value == pytest.approx(4.0), "two workers of it"
    assert on_instance(rate, two, ["ldv1"]).basis is Basis.MEASURED
    assert on_instance(rate, SMALL, ["ldv1"]).value == pytest.approx(1.0), "half the cores of one worker"
    with pytest.raises(SettingsError, match=r"has no such instance \(it has: example\.small"):
        machine_of("m.large", [SMALL])


def test_a_rate_of_a_machine_that_nobody_named_is_taken_for_one_like_it():
    found = on_instance(given(3.0, machine_of(None, [])), LARGE, ["ldv1"])
    assert (found.value, found.basis) == (3.0, Basis.ASSUMED)
    assert of_rows("none", [], Machine()) is None


# the plan -------------------------------------------------------------------------------------------------


def test_hours_costs_storage_and_requests():
    plan = make_plan([task()], PRICES, fleet=10)
    (job,) = plan.jobs
    assert job.hours_of_one_worker.value == pytest.approx(5.0)
    assert job.hours_of_one_worker.margin == pytest.approx(0.5)
    assert job.written.value == pytest.approx(GIB)
    assert job.storage_cost_month.value == pytest.approx(0.02)
    small, large, gpu = job.on
    assert small.instance_hours.value == pytest.approx(2.5)
    assert small.cost.value == pytest.approx(1.25)
    assert small.spot_cost.value == pytest.approx(0.25)
    assert small.days.value == pytest.approx(2.5 / 24 / 10)
    assert large.cost.value == pytest.approx(1.25), "four times as fast at four times the price"
    assert large.spot_cost is None, "no price, no cost"
    assert gpu.instance_hours is None
    assert {kind: one.value for kind, one in job.requests.items()} == pytest.approx(
        {"get": 100 * (3 + 360 + 2), "put": 100 * (2 + 3), "list": 200, "sqs": 100 * (2.1 + 1)}
    )
    assert job.requests_cost.value == pytest.approx(36.5 + 1.0 + 0.6 + 1.24)
    assert plan.on == (), "one job is all jobs"


def test_every_figure_says_how_it_is_known():
    (job,) = make_plan([task()], PRICES, fleet=10).jobs
    assert job.volumes.basis is Basis.MEASURED
    assert job.pages_per_s.basis is Basis.MEASURED
    assert {one.basis for one in (job.hours_of_one_worker, job.written, job.on[0].cost)} == {
        Basis.EXTRAPOLATED
    }
    assert job.on[0].days.basis is Basis.ASSUMED, "that a fleet shares evenly is an assumption"
    measured = task(pages=Figure(10, Basis.MEASURED, "all looked at"))
    (job,) = make_plan([measured], None).jobs
    assert job.hours_of_one_worker.basis is Basis.EXTRAPOLATED, "none of these pages was done"


def test_core_hours_by_the_processor_time_of_a_page():
    spent = Figure(0.25, Basis.MEASURED, "tried", 0.05)
    known = attrs.evolve(task().measured, processor=spent)
    (job,) = make_plan([task(measured=known)], None).jobs
    assert job.processor_s == spent
    assert job.core_hours.value == pytest.approx(36_000 * 0.25 / 3600)
    assert job.core_hours.basis is Basis.EXTRAPOLATED
    assert job.core_hours.margin == pytest.approx(2.5 * (0.1**2 + 0.2**2) ** 0.5)
    assert job.measured_on == Machine(cores=2)
    (told,) = make_plan([task()], None).jobs
    assert (told.processor_s, told.core_hours) == (None, None)


def test_where_there_is_no_ground_there_is_no_figure():
    (job,) = make_plan([task(measured=Measured())], PRICES).jobs
    assert (job.pages_per_s, job.hours_of_one_worker, job.written) == (None, None, None)
    assert all(one.cost is None for one in job.on)
    assert job.requests["get"].basis is Basis.ASSUMED
    (job,) = make_plan([task(pages=None)], PRICES).jobs
    assert job.requests == {}
    assert job.requests_cost is None
    unpriced = attrs.evolve(PRICES, requests=RequestPrices(get=1.0))
    (job,) = make_plan([task()], unpriced).jobs
    assert job.requests_cost is None, "half of a sum is no sum"


def test_a_chain_is_summed_up():
    plan = make_plan([task(), task(name="ocrv1", type="ocrv1")], PRICES, fleet=10)
    assert plan.on[0].instance_hours.value == pytest.approx(5.0)
    assert plan.on[0].cost.value == pytest.approx(2.5)
    assert plan.on[2].instance_hours is None
    plan = make_plan([task(), task(name="ocrv1", type="ocrv1", measured=Measured())], PRICES)
    assert plan.on[0].instance_hours is None, "of one of them nothing is known"
