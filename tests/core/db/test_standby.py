"""An embedded server that is kept up for its next user, with real servers and the real process that waits beside it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from bec_core.db.embedded import embedded_server, idle_s, stop_idle_server, waiting
from bec_core.db.embedded.cluster import Cluster, kill_and_wait

LONG_S = 600.0
SHORT_S = 1.0
ENDING = "bec_core.db.embedded.ending"


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A home whose database is made, and stopped."""
    # Not pytest's folder: that is private to root, and root's server runs as another account.
    top = Path(tempfile.mkdtemp(prefix="bec-"))
    top.chmod(0o755)
    with embedded_server(top):
        pass
    yield top
    shutil.rmtree(top)


@pytest.fixture
def home(template: Path) -> Iterator[Path]:
    top = Path(tempfile.mkdtemp(prefix="bec-"))
    top.chmod(0o755)
    subprocess.run(["cp", "-a", template / "postgres", top], check=True)
    cluster = Cluster(top / "postgres")
    cluster.seal.write_text(cluster.seal_text())  # as its owner is told to, for a copy
    yield top
    kill_and_wait([*waiters(top), *servers(top)])
    shutil.rmtree(top, ignore_errors=True)


def waiters(home: Path) -> list[psutil.Process]:
    """The processes that wait, or look whether the server is to be stopped."""
    root = home / "postgres"
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if (waiting.__file__ in words and str(root / "data") in words) or (
            ENDING in words and str(root) in words
        ):
            found.append(process)
    return found


def the_waiter(home: Path) -> psutil.Process:
    """The one that waits; a process that has just been started is not seen at once."""
    wait_until(lambda: len(waiters(home)) == 1)
    return waiters(home)[0]


def servers(home: Path) -> list[psutil.Process]:
    """The server's processes, also where its folder was removed."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd().startswith(str(home / "postgres" / "data")):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_up(home: Path) -> bool:
    return Cluster(home / "postgres").postmaster() is not None


def test_the_next_user_finds_it_running_and_one_process_waits(home: Path) -> None:
    with embedded_server(home, idle_s=LONG_S) as first:
        pid = first.process.pid
    with embedded_server(home, idle_s=LONG_S) as second:
        assert second.process.pid == pid
    the_waiter(home)
    assert stop_idle_server(home) is True
    assert not is_up(home)
    assert stop_idle_server(home) is None


def test_it_is_stopped_when_it_was_idle_and_nobody_waits_any_more(home: Path) -> None:
    with embedded_server(home, idle_s=SHORT_S):
        pass
    assert is_up(home)
    wait_until(lambda: not is_up(home) and not waiters(home))
    assert "database system is shut down" in (home / "postgres" / "server.log").read_text()


def test_without_idle_time_its_last_user_stops_it_though_somebody_waits(home: Path) -> None:
    with embedded_server(home, idle_s=LONG_S):
        pass
    with embedded_server(home):
        pass
    assert not is_up(home)


def test_it_is_not_stopped_under_a_user_and_then_by_the_last_one_s_time(home: Path) -> None:
    with embedded_server(home, idle_s=SHORT_S) as stays:
        pid = stays.process.pid
        with embedded_server(home, idle_s=SHORT_S):
            pass
        assert stop_idle_server(home) is False
        with embedded_server(home, idle_s=SHORT_S):
            assert not waiters(home), "nobody waits while it is in use"
        assert stays.process.pid == pid
    the_waiter(home)
    wait_until(lambda: not is_up(home))


def test_users_who_come_back_while_it_waits_put_its_end_off(home: Path) -> None:
    with embedded_server(home, idle_s=3.0) as server:
        pid = server.process.pid
    waiter = the_waiter(home)
    for _ in range(5):
        time.sleep(1)
        with embedded_server(home, idle_s=3.0) as server:
            assert server.process.pid == pid
    assert waiters(home) == [waiter]
    wait_until(lambda: not is_up(home))


def test_a_user_who_stays_longer_than_it_waits_is_left_alone(home: Path) -> None:
    with embedded_server(home, idle_s=SHORT_S):
        pass
    with embedded_server(home, idle_s=SHORT_S) as server:
        wait_until(lambda: not waiters(home))  # it has looked, and gone
        assert server.process is not None
    assert is_up(home)
    the_waiter(home)


def test_the_next_user_replaces_a_waiting_process_that_was_killed(home: Path) -> None:
    with embedded_server(home, idle_s=LONG_S):
        pass
    waiter = the_waiter(home)
    waiter.kill()
    waiter.wait(10)
    assert is_up(home)
    with embedded_server(home, idle_s=SHORT_S):
        pass
    wait_until(lambda: not is_up(home))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_waiting_process_ends_the_server_at_once(home: Path, number: signal.Signals) -> None:
    with embedded_server(home, idle_s=LONG_S):
        pass
    waiter = the_waiter(home)
    wait_until(lambda: caught(waiter, number))
    waiter.send_signal(number)
    wait_until(lambda: not is_up(home) and not waiters(home))


def caught(process: psutil.Process, number: signal.Signals) -> bool:
    """Whether the process has set a handler for the signal."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = int(status.partition("SigCgt:\t")[2].split("\n", 1)[0], 16)
    return bool(mask >> (number - 1) & 1)


def test_a_signal_to_the_waiting_process_ends_no_server_that_is_in_use(home: Path) -> None:
    with embedded_server(home, idle_s=LONG_S):
        pass
    with embedded_server(home, idle_s=LONG_S) as server:
        waiter = the_waiter(home)
        wait_until(lambda: caught(waiter, signal.SIGTERM))
        waiter.terminate()
        wait_until(lambda: not waiters(home))
        assert server.process is not None
    the_waiter(home)


def test_a_home_that_is_removed_takes_its_idle_server_along(home: Path) -> None:
    with embedded_server(home, idle_s=5.0):
        pass
    assert servers(home)
    shutil.rmtree(home)
    wait_until(lambda: not servers(home) and not waiters(home))


def test_an_idle_time_is_for_persons_at_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda _: True)
    monkeypatch.setattr(os, "getppid", lambda: 77)
    assert idle_s(None) == 300
    assert (idle_s(0), idle_s(20), idle_s(-1)) == (0, 20, 0)
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert idle_s(None) == 0
    monkeypatch.setattr(os, "getppid", lambda: 77)
    monkeypatch.setattr(os, "isatty", lambda number: number == 0)
    assert idle_s(None) == 0


def test_status_shows_the_server_and_stop_ends_it(home: Path) -> None:
    environment = {**os.environ, "BEC_HOME": str(home), "BEC_DATABASE_IDLE_S": "600"}

    def bec(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "bec_cli", "--env-file", os.devnull, *arguments]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stderr

    code, said = bec("db", "status")
    server = Cluster(home / "postgres").postmaster()
    assert code == 0
    assert server is not None
    assert f"(process {server.pid}), and stays 600 s for the next user" in said
    with embedded_server(home):
        code, said = bec("db", "stop")
        assert (code, "another bec uses the database" in said) == (4, True)
    with embedded_server(home, idle_s=LONG_S):
        pass
    assert bec("db", "stop") == (0, "✓ The database's server was stopped\n")
    assert bec("db", "stop") == (0, "The database's server does not run\n")
