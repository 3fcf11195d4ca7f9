"""The service manager's side of a worker: a real socket hears the real protocol."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from bec_core.settings import Supervision, load_supervision
from bec_core.worker import Life, ServiceManager, Watchdog
from bec_core.worker.watchdog import LOADING_S


class Listener:
    """A service manager's socket, and what it heard."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(0.05)

    def heard(self) -> list[str]:
        """The lines of all datagrams that wait."""
        lines: list[str] = []
        while True:
            try:
                lines += self.socket.recv(65536).decode().split("\n")
            except TimeoutError:
                return lines


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    made = Listener(str(tmp_path / "notify") if request.param == "path" else f"@bec-{time.monotonic_ns()}")
    yield made
    made.socket.close()


def watchdog_for(listener: Listener, watchdog_s: float | None = 2.0) -> Watchdog:
    return Watchdog(ServiceManager(Supervision(listener.address, watchdog_s)), Life())


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []
    logger.remove()
    logger.add(lambda message: lines.append(str(message)), level="INFO", format="{level} {message}")
    yield lines
    logger.remove()


def test_a_start_is_extended_and_the_end_of_it_said_once(listener: Listener) -> None:
    watchdog = watchdog_for(listener)
    watchdog.starting("starting")
    watchdog.look()
    assert listener.heard() == ["STATUS=starting", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=1500000"]
    with watchdog.loading("loading job ldv1"):
        # said at once: loading may hold the interpreter, so that no thread can say more
        assert listener.heard() == [
            "STATUS=loading job ldv1",
            f"EXTEND_TIMEOUT_USEC={LOADING_S * 1e6:.0f}",
            f"WATCHDOG_USEC={LOADING_S * 1e6:.0f}",
            "WATCHDOG=1",
        ]
    assert listener.heard() == ["WATCHDOG_USEC=2000000", "WATCHDOG=1"]
    watchdog.ready()
    assert listener.heard() == ["READY=1"]
    watchdog.idle("waiting\nfor more", 15)
    watchdog.look()
    assert listener.heard() == ["STATUS=waiting for more", "WATCHDOG=1"]


def test_a_thread_that_is_overdue_stops_the_feeding_and_is_named_with_all_stacks(
    listener: Listener, log: list[str]
) -> None:
    watchdog = watchdog_for(listener)
    watchdog.idle("waiting", 15)

    def hang() -> None:
        watchdog.life.says(lambda: "W1/I1: 3 of 9 pages", 0.0)

    slot = threading.Thread(target=hang, name="bec-slot-2")
    slot.start()
    slot.join()
    listener.heard()
    time.sleep(0.01)
    watchdog.look()
    watchdog.look()
    assert listener.heard() == ["STATUS=hung: W1/I1: 3 of 9 pages"]
    assert [line.split(" has")[0] for line in log if "not been heard of" in line] == ["CRITICAL bec-slot-2"]
    assert any("MainThread" in line and "test_watchdog.py" in line for line in log)


def test_progress_counts_as_life_and_a_thread_that_ends_owes_none() -> None:
    life = Life()
    heard = time.monotonic() + 100
    life.says("at work", -50.0, progress=lambda: heard)
    assert life.overdue() == []
    heard -= 100
    assert [sign.what() for sign in life.overdue()] == ["at work"]
    life.ends()
    assert life.overdue() == []


def test_a_drain_is_told_at_once_and_then_extended(listener: Listener) -> None:
    watchdog = watchdog_for(listener, 4.0)
    watchdog.idle("waiting", 15)
    watchdog.start()
    time.sleep(0.1)
    listener.heard()
    watchdog.life.drain()
    told = listener.heard()
    watchdog.close()
    assert told == ["STOPPING=1", "STATUS=stopping: waiting", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=3000000"]


def test_without_a_watchdog_the_process_ends_itself() -> None:
    script = (
        "import time\n"
        "from bec_core.settings import Supervision\n"
        "from bec_core.worker import Life, ServiceManager, Watchdog\n"
        "watchdog = Watchdog(ServiceManager(Supervision()), Life())\n"
        "watchdog.life.says('asleep', -1.0)\n"
        "watchdog.start()\n"
        "time.sleep(60)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 70
    assert "has not been heard of" in ended.stderr


def test_a_manager_that_is_gone_fails_nothing_and_is_said_once(tmp_path: Path, log: list[str]) -> None:
    manager = ServiceManager(Supervision(str(tmp_path / "nobody"), 1.0))
    manager.ready("working")
    manager.alive()
    assert len(log) == 1
    assert "can't be told" in log[0]


def test_a_watchdog_of_another_process_is_none_of_ours() -> None:
    assert load_supervision({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "3000000"}) == Supervision(
        "/run/x", 3.0
    )
    other = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    assert load_supervision(other) == Supervision("/run/x", None)
    assert load_supervision({"WATCHDOG_USEC": "soon"}) == Supervision()
