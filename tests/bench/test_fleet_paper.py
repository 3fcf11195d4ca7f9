"""bench/fleet_paper.py and what it is made of: each figure says how it is known, each bad file what is wrong."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

from bec_core.admin.planning.figures import Basis
from bec_core.admin.planning.plan import make_plan
from bec_core.admin.planning.prices import Instance, Prices
from bec_core.admin.planning.rates import Machine
from bec_core.worker.options import WorkerOptions
from support.places import ROOT

sys.path.insert(0, str(ROOT / "bench"))

import fleet_paper
from measuring import fleet, services

SEEN = {
    "workers": 100, "lease_s": 30.0, "heartbeat_s": 10.0, "connections": 240, "connections_usual": 210.0,
    "volumes_per_s": 5.0, "transactions_per_s": 70.0, "server_cores": 0.035, "backend_mib": 3.0, "seconds": 40.0,
    "load": 1.0, "leases_lost": 0,
}  # fmt: skip
DATABASE = {"each": 4, "runs": [{**SEEN, "workers": 10, "connections": 21, "connections_usual": 21.0}, SEEN]}
CALLS = services.Calls(get_ms=1.0, sqs_ms=2.0, page_bytes=100, calls=40, load=0.5)
BOUND = {"pages_per_s": 4.0, "cpu_s": 0.25}
SPEED = {
    "job": "ldv1", "machine": "processor  a drawn one", "cores": 2, "load": [1.0, 2.0], "pages": 60, "model": "box",
    "of_what": "12 different, drawn", "cpu_s": 0.8, "in_turn": 2.0,
    "bounds": {"network": BOUND, "rest": BOUND, "decode": BOUND}, "run": {"pages_per_s": 2.0},
}  # fmt: skip
PRICES = """
currency = "XTS"
[instances."a"]
cores = 4
hourly = 0.5
[instances."gpu"]
cores = 4
gpus = 1
hourly = 9
"""


def figure(value: float, basis: str = "measured") -> dict[str, object]:
    return {"value": value, "basis": basis, "why": "tried: it was", "margin": None}


def plan_of(
    rate: object, machine: object = None, names: tuple[str, ...] = ("ldv1", "ocrv1")
) -> dict[str, object]:
    known = {
        "pages": figure(10), "read": figure(1000), "written": figure(100), "artifacts": 1, "pages_per_s": rate,
        "processor_s": figure(0.5), "measured_on": machine,
    }  # fmt: skip
    return {"jobs": [{"name": name, "type": name, **known} for name in names]}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of a call whose files are in order."""
    monkeypatch.setattr(fleet_paper, "measure_calls", lambda page_bytes: CALLS)
    plan = plan_of(figure(2.0), {"cores": 2, "gpus": 0, "instance": None})
    for name, content in (("plan", plan), ("speed", SPEED), ("database", DATABASE)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "prices.toml").write_text(PRICES)
    return [
        word
        for kind in ("plan", "speed", "database")
        for word in (f"--{kind}", str(tmp_path / f"{kind}.json"))
    ]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    fleet_paper.main(arguments)
    return capsys.readouterr().out


def test_what_goes_by_the_clock_and_what_by_the_volume_is_told_apart() -> None:
    options = WorkerOptions(lease_s=300.0, heartbeat_s=10.0)
    load = fleet.database_load(SEEN, 500, 2.0, options)

    # seen: 20 a second by the clock, so 50 for 5 volumes: 10 a volume
    assert load.transactions_per_s == pytest.approx(2.0 * 10 + 500 * (0.1 + 0.01))
    assert load.cores == pytest.approx(load.transactions_per_s * 0.035 / 70)


def test_connections_are_told_by_the_highest_of_all_runs_and_by_what_a_worker_may_open() -> None:
    rows = fleet.connection_rows(DATABASE, 500)
    assert [row.basis for row in rows] == [Basis.MEASURED] * 2 + [Basis.EXTRAPOLATED] * 3
    assert [row.shown for row in rows[:4]] == [
        "21 usually, 21 at most", "210 usually, 240 at most", "1,050 usually, 1,200 at most", "2,000",
    ]  # fmt: skip
    assert WorkerOptions().connections == DATABASE["each"]


def test_hours_are_pages_by_the_measured_rate_and_sizes_by_the_page() -> None:
    tasks = fleet_paper.tasks_of(plan_of(figure(2.0)), 1_000, 7_200_000)
    made = make_plan(tasks, None)

    assert [job.hours_of_one_worker and job.hours_of_one_worker.value for job in made.jobs] == [1000, 1000]
    assert [job.core_hours and job.core_hours.value for job in made.jobs] == [1000, 1000]
    assert made.jobs[0].read is not None
    assert made.jobs[0].read.value == pytest.approx(720e6)
    assert made.jobs[0].hours_of_one_worker is not None
    assert made.jobs[0].hours_of_one_worker.basis is Basis.EXTRAPOLATED
    assert made.jobs[1].requests["get"].value > made.jobs[0].requests["get"].value, "it reads an input"


@pytest.mark.parametrize(
    ("machine", "hours", "basis"),
    [({"cores": 2, "gpus": 0, "instance": None}, 500, Basis.EXTRAPOLATED), (None, 1000, Basis.ASSUMED)],
)
def test_a_rate_is_scaled_by_the_cores_it_was_measured_on(
    machine: object, hours: float, basis: Basis
) -> None:
    """What nobody knows the machine of is taken for one like the instance: assumed."""
    prices = Prices("p", "XTS", (Instance("a", 4, 0.5),))
    (task,) = fleet_paper.tasks_of(plan_of(figure(2.0), machine, ("ldv1",)), 1_000, 7_200_000)
    (on,) = make_plan([task], prices).jobs[0].on
    assert on.instance_hours is not None
    assert (on.instance_hours.value, on.instance_hours.basis) == (hours, basis)


def test_the_whole_paper(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, *files, "--prices", str(tmp_path / "prices.toml"), "--workers", "100")
    rows = [line for line in said.splitlines() if line.startswith("| ") and "figure | how" not in line]
    known = [line.split(" | ") for line in rows if not line.startswith("| ---")]
    assert len(known) > 30
    assert {row[2] for row in known} == {"measured", "extrapolated", "assumed", "**unknown**"}
    assert all(row[3].strip(" |") for row in known), "every row says from what"
    for words in (
        "| machine hours, all pages | 3,056 | extrapolated |",
        "| ldv1 on a: costs | 763.89 XTS | extrapolated |",
        "| ldv1 on gpu: instance hours |  | **unknown** |",
        "| everything else alone | 4.00 pages/s, 0.250 processor seconds a page | measured |",
        "the run has 100% of it by the clock, 62% by processor time",
        "| all workers | 200 pages/s | extrapolated | 100 times 2.00 pages/s |",
        "| **bound: how long a GET may take** | 4,000 ms | extrapolated |",
        "| S3, our side of a GET | 1.00 ms of processor, 0.1% of a worker's cores | measured |",
        "| its bounds |  | **unknown** | no --speed file: bench/speed.py --job ocrv1 --json FILE |",
        "| **bound: `max_connections`** | 400 | extrapolated |",
    ):
        assert words in said
    assert "No costs" not in said


def test_no_prices_no_costs(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, *files)
    assert "No costs" in said
    assert "XTS" not in said


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        (None, "can't be read: No such file"),
        ("currency = ", "is not TOML"),
        (PRICES.replace('currency = "XTS"', ""), "currency is missing"),
        (PRICES.replace("hourly = 0.5", ""), "instances.a.hourly is missing"),
    ],
)
def test_a_bad_price_file_is_said(
    files: list[str], tmp_path: Path, prices: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    if prices is not None:
        path.write_text(prices)
    with pytest.raises(SystemExit) as ended:
        fleet_paper.main([*files, "--prices", str(path)])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_machine_that_the_price_file_does_not_know(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    priced = [*files, "--prices", str(tmp_path / "prices.toml"), "--measured-on"]
    assert "| ldv1 on a: instance hours | 3,056 | extrapolated |" in printed(capsys, *priced, "a"), (
        "as measured"
    )
    for arguments in ([*priced, "b"], [*files, "--measured-on", "a"]):
        with pytest.raises(SystemExit) as ended:
            fleet_paper.main(arguments)
        assert ended.value.code == 2
        assert "has no such instance" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("plan", None, "No such file or directory; bec plan … --json writes it"),
        ("speed", "half a f", "is no JSON"),
        (
            "speed",
            "[]",
            "has no job, load, cpu_s, bounds, run: it is not what bench/speed.py --json writes now",
        ),
        ("database", '{"workers": 40}', "has no runs, each"),
        ("plan", json.dumps(plan_of(None)), "knows no rate of ldv1"),
    ],
)
def test_a_file_of_figures_that_does_not_fit_is_said(
    files: list[str],
    tmp_path: Path,
    name: str,
    content: str | None,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / f"{name}.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(SystemExit) as ended:
        fleet_paper.main(files)
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


# the parts that measure, small ----------------------------------------------------------------------------


def test_calls_of_s3_and_sqs_are_measured_against_a_server_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "bench")
    found = services.measure_calls(1_000, calls=8)
    assert attrs.astuple(found)[2:4] == (1_000, 8)
    assert 0 < found.get_ms < 1_000
    assert 0 < found.sqs_ms < 1_000


def _silent(port: object) -> None:
    time.sleep(30)


def _dies(port: object) -> None:
    os._exit(1)


@pytest.mark.parametrize("serve", [_silent, _dies])
def test_a_server_that_does_not_start_is_not_waited_for(serve: object) -> None:
    began = time.monotonic()
    with (
        pytest.raises(SystemExit, match="did not start"),
        services.moto(serve, start_s=20 if serve is _dies else 0.5),
    ):  # type: ignore[arg-type]
        pass
    assert time.monotonic() - began < 15


@pytest.mark.slow
def test_a_small_fleet_is_counted_and_its_file_fits(tmp_path: Path) -> None:
    path = tmp_path / "database.json"
    words = ["--workers", "1,3", "--seconds", "3", "--hold", "1", "--json", str(path)]
    subprocess.run([sys.executable, ROOT / "bench" / "fleet_database.py", *words], check=True, timeout=200)
    database = fleet_paper.read_figures(path, "database")
    one, three = database["runs"]
    assert (one["workers"], three["workers"]) == (1, 3)
    assert 1 <= one["connections"] <= database["each"]
    assert 3 <= three["connections"] <= 3 * database["each"], "the bench's own are not counted"
    assert one["backend_mib"] > 0.1
    assert three["transactions_per_s"] > 0
    assert len(fleet.connection_rows(database, 500)) == 5


def test_a_machine_is_what_the_plan_says() -> None:
    (task,) = fleet_paper.tasks_of(
        plan_of(figure(2.0), {"cores": 2, "gpus": 0, "instance": None}, ("ldv1",)), 1, 1
    )
    assert task.measured.rate is not None
    assert task.measured.rate.machine == Machine(2, 0, None)
