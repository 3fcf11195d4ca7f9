"""The feeder as a service: its unit, and real processes of which one is killed."""

from __future__ import annotations

import configparser
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bec_cli.exits import Exit
from bec_cli.queue_feed import feed
from support.cli import Bec, write_archive_volume
from support.places import ROOT

UNIT = ROOT / "systemd" / "bec-feeder@.service"


def service(name: str) -> str:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    parser.read(UNIT)
    return parser["Service"][name]


def test_the_unit_calls_the_feeder_and_knows_its_exit_statuses() -> None:
    words = service("ExecStart").split()
    start = words.index("/opt/bec/bin/bec")
    assert words[start + 1 : start + 3] == ["queue", "feed"]
    known = {option for parameter in feed.params for option in parameter.opts}
    assert {word for word in words[start:] if word.startswith("--")} <= known
    assert {int(word) for word in service("SuccessExitStatus").split()} == {130, 143}
    assert {int(word) for word in service("RestartPreventExitStatus").split()} == {
        Exit.USAGE, Exit.NOT_FOUND, Exit.CONFLICT,
    }  # fmt: skip
    assert "StartLimitIntervalSec=0\n" in UNIT.read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "bec-feeder@ldv1.service"
    unit.write_text(UNIT.read_text().replace("/opt/bec/bin/bec", sys.executable))
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    ours = [line for line in ended.stderr.splitlines() if "bec-feeder" in line]
    assert (ended.returncode, ours) == (0, [])


@pytest.fixture
def start(bec: Bec, tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts a feeder of the job ``checksum``; what it says goes into a file of this name."""
    bec.ok("jobs", "create", "--name", "checksum", "--feed")
    started: list[subprocess.Popen[bytes]] = []

    def begin(name: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "bec_cli",
            "queue",
            "feed",
            "--job-name",
            "checksum",
            "--every",
            "0.2",
        ]
        with (tmp_path / name).open("wb") as said:
            started.append(subprocess.Popen(command, stdout=said, stderr=said))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_a_killed_feeder_is_followed_by_the_one_that_stands_by(
    bec: Bec, start: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    def sent() -> int:
        return int(bec.ok("queue", "stats", "--job-name", "checksum", "--json").json["available"])

    volumes = [word for n in range(6) for word in ("--volume", f"W1,I{n:04}")]
    bec.ok("queue", "enqueue", "--job-name", "checksum", *volumes)
    first = start("first")
    _until(lambda: sent() == 4)
    second = start("second")
    _until(lambda: "standing by" in (tmp_path / "second").read_text())
    first.send_signal(signal.SIGKILL)
    first.wait()
    bec.ok("queue", "purge", "--job-name", "checksum", "--yes")
    bec.ok("queue", "enqueue", "--job-name", "checksum", *volumes)
    _until(lambda: sent() == 4)
    assert f"{second.pid}, heard of" in bec.ok("jobs", "show", "checksum").out
    second.send_signal(signal.SIGTERM)
    assert second.wait(20) == Exit.TERMINATED


@pytest.mark.parametrize("kind", ["postgres", "sqs"])
def test_a_job_whose_feeder_is_away_gets_done_all_the_same(
    bec: Bec, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if kind == "sqs":
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("aws"))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("BEC_REGION", "us-east-1")
    monkeypatch.setenv("BEC_QUEUE", kind)
    monkeypatch.setattr("bec_core.worker.process._SWEEP_EVERY_S", 0.0)
    name = f"checksum-{uuid.uuid4().hex[:8]}"
    bec.ok("jobs", "create", "--name", name, "--type", "checksum", "--feed")
    for n in range(6):
        write_archive_volume(tmp_path / "archive", "W1", f"I{n:04}", [b"a"])
    volumes = [word for n in range(6) for word in ("--volume", f"W1,I{n:04}")]
    assert "for the feeder" in bec.ok("queue", "enqueue", "--job-name", name, *volumes).out
    ended = bec.ok("worker", "--job-name", name, "--poll-wait", "0", "--shutdown-after-empty", "3")
    assert "sent 4 messages in its place" in ended.err
    assert bec.ok("jobs", "stats", name, "--json").json["progress"]["done"] == 6

    bec.ok("queue", "enqueue", "--job-name", name, *volumes, "--force")
    bec.ok("jobs", "cancel", name)
    bec.ok("worker", "--job-name", name, "--poll-wait", "0", "--shutdown-after-empty", "3")
    assert bec.ok("queue", "stats", "--job-name", name, "--json").json["dead_letters"] == 0
    assert bec.ok("jobs", "stats", name, "--json").json["progress"]["waiting"] == 6


def _until(true: Callable[[], bool], within_s: float = 60) -> None:
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.1)
