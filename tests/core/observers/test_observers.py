"""Metrics of a real worker, for Prometheus and for CloudWatch; and that no observer can fail or delay anything."""

from __future__ import annotations

import inspect
import json
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from bec_core.db import Database
from bec_core.errors import SettingsError
from bec_core.models import Volume, VolumeRef
from bec_core.observer import OUTCOMES, ObserverSetup, ObserverType, Step, TaskFigures, WorkerObserver
from bec_core.observers.catalog import CATALOG
from bec_core.observers.emf import EmfObserver
from bec_core.observers.prometheus import PrometheusObserver
from bec_core.observers.settings import EmfSettings, address_of
from bec_core.queues import create_queues
from bec_core.storage import open_store
from bec_core.testing.checksum_job import Trouble
from bec_core.worker import aside, ending
from bec_core.worker.aside import Aside, watched_by
from bec_core.worker.observer import Watchers
from support.worker_lab import QUICK, Lab

SETUP = ObserverSetup("checksum", "checksum", "w1")
VOLUME = Volume(VolumeRef("W1", "I1"), bytes(16), "v", (), None)


@pytest.fixture
def lab(database: Database, tmp_path: Path) -> Lab:
    (tmp_path / "scans").mkdir()
    queues = create_queues("checksum", "postgres", database=database)
    store = open_store((tmp_path / "out").as_uri())
    return Lab(
        database, queues.tasks, queues.dead_letters, store, tmp_path / "scans", config={"max_attempts": 2}
    )


def asked(lab: Lab) -> None:
    lab.ask(
        lab.volume("good", *[b"fine"] * 19, Trouble.BAD_PAGE),
        lab.volume("bad", b"fine", Trouble.BAD_PAGE),
        lab.volume("gone", b"fine"),
    )
    for page in (lab.scans / "gone").iterdir():
        page.unlink()
    (lab.scans / "gone").rmdir()


def test_prometheus_is_told_every_metric_of_the_catalog(lab: Lab) -> None:
    observer = PrometheusObserver(SETUP, "127.0.0.1", 0)
    try:
        asked(lab)
        lab.work(attrs.evolve(QUICK, shutdown_after_empty=8), observer)
        with urllib.request.urlopen(f"http://127.0.0.1:{observer.port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    finally:
        observer.close()
    told = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE")}
    assert told == {metric.prometheus: metric.kind.value for metric in CATALOG}
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    for name, value in (
        ('bec_pages_total{job="checksum"}', 20 + 2 * 2),
        ('bec_page_errors_total{job="checksum",stage="decode"}', 1 + 2),
        ('bec_volumes_total{job="checksum",outcome="done"}', 1),
        ('bec_volumes_total{job="checksum",outcome="retryable_failed"}', 1),
        ('bec_volumes_total{job="checksum",outcome="terminal_failed"}', 1),
        ('bec_dead_letters_total{job="checksum"}', 2),
        ('bec_volume_seconds_bucket{job="checksum",le="+Inf"}', 3),
        ('bec_volumes_at_hand{job="checksum"}', 0),
        ('bec_quiet_seconds{job="checksum"}', 0),
        ('bec_worker_up{job="checksum"}', 1),
    ):
        assert float(values[name]) == value, name


def test_cloudwatch_is_told_every_metric_with_two_dimensions(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "log" / "metrics.emf"
    observer = EmfObserver(SETUP, EmfSettings(file=file, instance_type="g5.xlarge"), file, every_s=0.1)
    asked(lab)
    lab.work(attrs.evolve(QUICK, shutdown_after_empty=8), observer)
    file.rename(file.with_suffix(".1"))  # rotated under it
    time.sleep(0.3)
    observer.close()
    lines = [
        json.loads(line) for one in (file.with_suffix(".1"), file) for line in one.read_text().splitlines()
    ]
    named = {}
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert (directive["Namespace"], directive["Dimensions"]) == ("BEC", [["Job", "InstanceType"]])
        assert (line["Job"], line["InstanceType"]) == ("checksum", "g5.xlarge")
        assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60
        assert all(one["Name"] in line for one in directive["Metrics"])
        named |= {one["Name"]: one["Unit"] for one in directive["Metrics"]}
    assert named == dict(pair for metric in CATALOG for pair in metric.emf)

    def total(name: str) -> float:
        return sum(line.get(name, 0) for line in lines)

    assert [total(name) for name in ("Pages", "PageErrors", "VolumesDone", "VolumesFailed", "DeadLetters")] == [
        24, 3, 1, 1, 2,
    ]  # fmt: skip
    assert sum(len(line.get("VolumeSeconds", [])) for line in lines) == 3
    assert (lines[0]["Workers"], lines[-1]["Workers"]) == (1, 0)


def test_a_file_that_can_not_be_written_loses_nothing_and_fails_nothing(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.write_text("a file where a folder should be")
    file = place / "metrics.emf"
    observer = EmfObserver(SETUP, EmfSettings(file=file), file, every_s=0.02)
    observer.page_done(VOLUME, 1, 2)
    observer.task_measured(VOLUME, TaskFigures(2, 0, 1500.0))
    time.sleep(0.1)
    place.unlink()
    observer.close()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert sum(line["Pages"] for line in lines) == 1
    assert [line["VolumeSeconds"] for line in lines if "VolumeSeconds" in line] == [[1.5]]


# -- no observer can fail or delay anything ----------------------------------------------------------------

EVENTS: dict[str, tuple[Any, ...]] = {
    "step": (Step.CLAIMED,),
    "message_taken": ("m", VOLUME),
    "task_started": (VOLUME, 1),
    "task_resumed": (VOLUME, 7),
    "page_done": (VOLUME, 1, 2),
    "task_measured": (VOLUME, TaskFigures(1, 0, 1.0)),
    "task_finished": (VOLUME, "done", ""),
}


class Recording(WorkerObserver):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in EVENTS or name == "close":
            return lambda *_: self.seen.append(name)
        return super().__getattribute__(name)


def test_every_event_is_passed_on() -> None:
    events = [
        name for name, _ in inspect.getmembers(WorkerObserver, inspect.isfunction) if not name.startswith("_")
    ]
    assert sorted(events) == sorted([*EVENTS, "close"])
    recorder = Recording()
    apart = Aside("recording", lambda: recorder)
    for watchers in (Watchers([recorder]), apart):
        for name, arguments in EVENTS.items():
            getattr(watchers, name)(*arguments)
    apart.close()
    assert sorted(recorder.seen) == sorted([*EVENTS, *EVENTS, "close"])


def test_the_outcomes_are_those_that_there_are() -> None:
    endings = {one.name for one in ending.Ending.__args__}
    assert set(OUTCOMES) == endings - {"set-aside"}


class Raising(WorkerObserver):
    def task_started(self, volume: Volume, attempt: int) -> None:
        raise SystemExit(3)

    def close(self) -> None:
        raise KeyboardInterrupt


class Hanging(WorkerObserver):
    def page_done(self, volume: Volume, done: int, total: int) -> None:
        time.sleep(60)


def no_opening() -> WorkerObserver:
    raise SystemExit("no")


def slow_opening() -> WorkerObserver:
    time.sleep(60)
    return WorkerObserver()


def test_whatever_an_observer_does_the_work_is_done(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "_CLOSE_S", 0.2)
    monkeypatch.setattr(aside, "_MOST", 5)
    openers: list[Callable[[], WorkerObserver | None]] = [
        Raising,
        Hanging,
        no_opening,
        slow_opening,
        lambda: None,
    ]
    watching = [Aside(f"n{number}", opener) for number, opener in enumerate(openers)]
    began = time.monotonic()
    lab.ask(lab.volume("vol1", *[b"fine"] * 30))
    lab.work(observer=Watchers(watching))
    for one in watching:
        one.close()
    assert time.monotonic() - began < 20
    assert lab.rows("SELECT status FROM task_executions") == [("done",)]


def test_observers_are_opened_with_their_settings_and_one_with_bad_ones_is_left_out(
    lab: Lab, tmp_path: Path
) -> None:
    emf = ObserverType("emf", "bec_core.observers.opening:open_emf", "x", settings=EmfSettings)
    none = ObserverType("none", "bec_core.no_such_module:open", "x")
    file = tmp_path / "metrics.emf"
    with watched_by([emf, none], {"BEC_EMF_FILE": str(file)}, job=lab.job, worker="w1") as found:
        for observer in found:
            observer.page_done(VOLUME, 1, 2)
    (line,) = file.read_text().splitlines()
    assert (json.loads(line)["Pages"], json.loads(line)["Worker"]) == (1, "w1")
    with watched_by([emf], {}, job=lab.job, worker="w1"):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name in ("bec-observer-emf", "bec-emf")]


@pytest.mark.parametrize(
    ("text", "address"),
    [("9464", ("127.0.0.1", 9464)), ("0.0.0.0:1", ("0.0.0.0", 1)), ("[::1]:2", ("::1", 2))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["", "x", "99999", "host:", ":-1"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="no port"):
        address_of(text)


def test_prometheus_without_its_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from bec_core.observers import opening
    from bec_core.observers.settings import PrometheusSettings

    monkeypatch.setitem(__import__("sys").modules, "bec_core.observers.prometheus", None)
    asked_for = ObserverSetup("j", "checksum", "w", PrometheusSettings(port="0"))
    with pytest.raises(SettingsError, match=r"pip install 'bec-core\[prometheus\]'"):
        opening.open_prometheus(asked_for)
    assert opening.open_prometheus(attrs.evolve(asked_for, settings=PrometheusSettings())) is None
