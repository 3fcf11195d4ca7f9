"""``bec worker``, a real process, in a network that falls silent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.cli import Bec
from support.services import PostgresServer
from support.silent_network import SilentNetwork


@pytest.mark.slow
def test_sigterm_ends_a_worker_whose_server_answers_nothing_within_its_grace(
    bec: Bec, postgres: PostgresServer, tmp_path: Path
) -> None:
    bec.ok("jobs", "create", "--name", "checksum", "--type", "checksum")
    (tmp_path / "artifacts").mkdir(exist_ok=True)
    with SilentNetwork(postgres.folder / ".s.PGSQL.5432") as network, (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bec_cli", "worker", "--job-name", "checksum", "--stay", "--grace", "1"],
            env={
                **os.environ,
                "BEC_SQL_HOST": "127.0.0.1",
                "BEC_SQL_PORT": str(network.port),
                "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(tmp_path / "plugins")]),
                "BEC_LOG_LEVEL": "INFO",
            },
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(tmp_path / "log", "Worker initialized", process)
            time.sleep(2)
            network.fall_silent()
            time.sleep(2)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            assert time.monotonic() - began < 1 + 10, (tmp_path / "log").read_text()
            assert process.returncode == 143, (tmp_path / "log").read_text()
        finally:
            process.kill()


def _wait_for(log: Path, words: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while words not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
