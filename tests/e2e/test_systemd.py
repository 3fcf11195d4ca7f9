"""A worker as a service of a real systemd, from our wheels in /opt/bec, on a machine without any state."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import real_systemd
from support.cli import install_checksum_plugin, write_archive_volume
from support.real_systemd import Machine
from support.services import PostgresServer, postgres_server

pytestmark = pytest.mark.skipif(real_systemd.why_not() is not None, reason=str(real_systemd.why_not()))

UNIT = "bec-worker"
# as the unit, but sooner; a drain takes longer than the time for stopping, so that it has to be extended
QUICK = "[Service]\nRestartSec=200ms\nWatchdogSec=3s\nTimeoutStopSec=2s\n"
_LIBRARIES = "LD_LIBRARY_PATH=/opt/python/lib"  # this Python lies elsewhere there
SETTINGS = """
BEC_SQL_HOST=/srv/sql
BEC_SQL_USER=postgres
BEC_SQL_DATABASE=service
BEC_QUEUE=postgres
BEC_SOURCE_URL=file:///srv/archive
BEC_DEST_URL=file:///var/lib/bec-worker/artifacts
BEC_JOB=checksum
BEC_WORKER_ARGS=--poll-wait 0.2 --shutdown-after-empty 2 --visibility-timeout 5 --tag "kind=a service"
"""


@dataclass
class Host:
    """A machine with BEC in /opt/bec, and a database beside it."""

    machine: Machine
    server: PostgresServer
    archive: Path

    @property
    def lab(self) -> Path:
        return self.machine.lab

    def bec(self, *arguments: str) -> str:
        return self.machine.run(
            "env", _LIBRARIES, "/opt/bec/bin/bec", "--env-file", "/etc/bec/worker.env", *arguments
        )

    def set(self, text: str = SETTINGS) -> None:
        (self.lab / "etc/bec/worker.env").write_text(f"{text}{_LIBRARIES}\n")

    def ask(self, number: int, pages: int = 1) -> str:
        """Ask for a new volume; its id."""
        name = f"I{number:04d}"
        write_archive_volume(self.archive, "W1", name, [b"page"] * pages)
        self.bec("queue", "enqueue", "--job-name", "checksum", "--volume", f"W1,{name}")
        return name

    def is_done(self, volume: str) -> bool:
        return any(
            (self.lab / "var/lib/private/bec-worker/artifacts").glob(f"checksum/W1/{volume}/*/success.json")
        )

    def status(self) -> str:
        return self.machine.property(UNIT, "StatusText")

    def restarts(self) -> int:
        return int(self.machine.property(UNIT, "NRestarts"))

    def lines(self) -> list[dict[str, Any]]:
        """The JSON log; every line of it must be JSON."""
        path = self.lab / "var/log/private/bec/worker.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def logged(self, text: str) -> bool:
        return any(text in line["message"] for line in self.lines())

    def until(self, what: Callable[[], bool], seconds: float = 30) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if what():
                return
            time.sleep(0.1)
        status = self.machine.systemctl("status", UNIT, ok=False)
        pytest.fail(f"not in time: {status}\n{json.dumps(self.lines()[-8:], indent=1)}")

    def wait_until_idle(self) -> None:
        self.until(lambda: "waiting for more" in self.status())


def install(machine: Machine, wheels: list[Path]) -> None:
    """An environment from our wheels; what they depend on comes from this one."""
    lab = machine.lab
    (lab / "opt/wheels").mkdir()
    for wheel in wheels:
        shutil.copy(wheel, lab / "opt/wheels")
    python = f"/opt/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    machine.run("env", _LIBRARIES, python, "-m", "venv", "--without-pip", "/opt/bec")
    names = [f"/opt/wheels/{wheel.name}" for wheel in wheels]
    (lab / "opt/pip").mkdir()
    (lab / "opt/pip/pip").symlink_to("/opt/site/pip")
    pip = (
        "env",
        _LIBRARIES,
        "PYTHONPATH=/opt/pip",
        python,
        "-m",
        "pip",
        "--python",
        "/opt/bec/bin/python",
        "install",
    )
    machine.run(*pip, "--quiet", "--no-deps", "--no-index", "--no-compile", *names)
    dependencies = lab / "opt/dependencies"
    dependencies.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("bec", "_bec", "__editable__")) and path.suffix != ".pth":
            (dependencies / path.name).symlink_to(f"/opt/site/{path.name}")
    install_checksum_plugin(dependencies)
    (site,) = (lab / "opt/bec/lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text("/opt/dependencies\n")


@pytest.fixture(scope="module")
def host(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    lab, archive = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("archive")
    for folder in (lab, archive):
        folder.chmod(0o755)
    with postgres_server() as server:
        server.new_database("service")
        server.folder.chmod(0o755)
        binds = {
            Path(sys.base_prefix): "/opt/python",
            Path(sysconfig.get_path("purelib")): "/opt/site",
            server.folder: "/srv/sql",
            archive: "/srv/archive",
        }
        with real_systemd.systemd(lab, {}, binds=binds) as machine:
            install(machine, wheels)
            found = Host(machine, server, archive)
            (lab / "etc/bec").mkdir()
            found.set()
            found.bec("jobs", "create", "--name", "checksum", "--config-text", '{"page_ms": 100}')
            # the guide's own lines
            machine.run(
                "sh", "-c", "cd /opt/bec/share/bec/systemd && cp bec-worker.service /etc/systemd/system/"
            )
            machine.systemctl("enable", UNIT)
            drop_in = lab / f"etc/systemd/system/{UNIT}.service.d/quick.conf"
            drop_in.parent.mkdir()
            drop_in.write_text(QUICK)
            machine.systemctl("daemon-reload")
            yield found


@pytest.fixture
def started(host: Host) -> Iterator[Host]:
    host.machine.systemctl("start", UNIT)
    yield host
    host.machine.systemctl("stop", UNIT)
    host.machine.systemctl("reset-failed", UNIT, ok=False)


def test_the_guides_lines_start_a_worker_that_waits_for_work_and_goes_on_when_there_is_more(
    started: Host,
) -> None:
    assert "active (running)" in started.machine.systemctl("status", UNIT)
    assert (started.lab / f"etc/systemd/system/multi-user.target.wants/{UNIT}.service").is_symlink()
    assert "waiting for more" in started.status()  # systemctl start came back although nothing waited
    first = started.ask(1)
    started.until(lambda: started.is_done(first))
    restarts = started.restarts()
    started.wait_until_idle()  # it ended with 0, and is there again
    assert started.restarts() == restarts + 1
    second = started.ask(2)
    started.until(lambda: started.is_done(second))
    assert started.logged("nothing is left to do: ending")
    assert not started.logged("systemd: the worker ended")


def test_a_worker_that_is_killed_is_started_again_and_its_log_says_so(started: Host) -> None:
    before = started.restarts()
    started.machine.systemctl("kill", "--signal=KILL", UNIT)
    started.until(lambda: started.restarts() > before)
    started.wait_until_idle()
    assert started.logged("systemd: the worker ended by signal (killed KILL)")


def test_a_worker_that_hangs_is_killed_by_the_watchdog_and_its_volume_done_by_the_next(started: Host) -> None:
    volume = started.ask(3, pages=20)
    started.until(lambda: "pages" in started.status())
    started.machine.systemctl("kill", "--kill-whom=main", f"--signal={signal.SIGSTOP}", UNIT)
    started.until(lambda: started.logged("systemd: the worker ended by watchdog (killed ABRT)"))
    started.until(lambda: started.is_done(volume), 60)


def test_a_stop_lets_the_volume_at_hand_finish_however_short_the_time_for_stopping_is(started: Host) -> None:
    volume = started.ask(4, pages=50)
    started.until(lambda: "of 50 pages" in started.status())
    began = time.monotonic()
    started.machine.systemctl("stop", UNIT)
    took = time.monotonic() - began
    assert started.is_done(volume), f"{took:.1f} s"
    assert took > 2.5
    assert started.machine.property(UNIT, "ActiveState") == "inactive"
    ends = [line for line in started.lines() if line.get("exit_status") == 143]
    assert (ends[-1]["level"], ends[-1]["message"]) == ("INFO", "the worker ended: it was told to stop")
    time.sleep(1)
    assert started.machine.property(UNIT, "ActiveState") == "inactive"


def test_bad_settings_fail_the_start_stand_in_the_log_and_are_not_tried_again(host: Host) -> None:
    host.set(SETTINGS + "BEC_SQL_PORT=five\n")
    try:
        assert "failed" in host.machine.systemctl("start", UNIT, ok=False)
        time.sleep(1)
        assert host.machine.property(UNIT, "ActiveState") == "failed"
        assert host.machine.property(UNIT, "ExecMainStatus") == "2"
        assert "BEC_SQL_PORT='five'" in host.status()
        (line,) = [line for line in host.lines() if line.get("exit_status") == 2]
        assert line["level"] == "CRITICAL"
        assert "BEC_SQL_PORT='five'" in line["message"]
    finally:
        host.set()
        host.machine.systemctl("reset-failed", UNIT)


def test_a_database_that_is_away_keeps_no_worker_down(host: Host) -> None:
    host.server.stop()
    try:
        host.machine.systemctl("start", "--no-block", UNIT)
        host.until(lambda: host.restarts() >= 3)
    finally:
        host.server.start()
    host.wait_until_idle()
    assert [line["exit_status"] for line in host.lines() if line.get("exit_status") == 5]
    host.machine.systemctl("stop", UNIT)


def test_several_workers_of_a_job_are_instances_of_the_template(host: Host) -> None:
    host.machine.run("cp", "/opt/bec/share/bec/systemd/bec-worker@.service", "/etc/systemd/system/")
    units = ["bec-worker@checksum:a", "bec-worker@checksum:b"]
    host.set(SETTINGS.replace("BEC_JOB=checksum\n", ""))
    (host.lab / "etc/bec/worker-checksum:b.env").write_text("BEC_WORKER_NAME=the-second\n")
    try:
        host.machine.systemctl("start", *units)
        assert [host.machine.property(unit, "SubState") for unit in units] == ["running"] * 2
        logs = [host.lab / f"var/log/private/bec/checksum:{name}.jsonl" for name in "ab"]

        def done() -> int:
            said = [json.loads(line) for log in logs if log.exists() for line in log.read_text().splitlines()]
            return sum(line["message"].startswith("done:") for line in said)

        host.ask(7)
        host.until(lambda: done() == 1)  # by one of them, maybe before the other has looked
        host.machine.systemctl("stop", units[0])
        host.ask(8)
        host.until(lambda: done() == 2)
        workers = json.loads(host.bec("workers", "list", "--json"))
        assert {one["name"] for one in workers} >= {"the-second"}
    finally:
        host.machine.systemctl("stop", *units)
        host.set()
