"""``bec worker`` is watched by the observers of every installed plugin, and never the worse for it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from support.cli import Bec, write_archive_volume
from support.plugin_folders import lay_out

_PLUGIN = """
from bec_core import ObserverSetup, ObserverType, Volume, WorkerObserver, hookimpl

class Witness(WorkerObserver):
    def __init__(self, setup):
        self.setup = setup

    def task_finished(self, volume, outcome, message=""):
        with open("witness.txt", "a") as file:
            file.write(f"{self.setup.job} {volume.ref} {outcome}\\n")

def open_witness(setup):
    return Witness(setup)

@hookimpl
def bec_observers():
    return [ObserverType("witness", "bec_witness:open_witness", "Keeps a list.")]
"""


def test_a_worker_is_watched(bec: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path / "plugins", "bec-witness", {"witness": "bec_witness"}, {"bec_witness.py": _PLUGIN})
    monkeypatch.setenv("BEC_EMF_FILE", str(tmp_path / "log" / "metrics.emf"))
    monkeypatch.setenv("BEC_EMF_NAMESPACE", "Library")
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"one", b"two"])
    bec.ok("jobs", "create", "--name", "checksum")
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0001")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = bec.ok(
            "worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1",
            "--metrics-port", port,
        )  # fmt: skip
    assert "BEC knows no setting" not in ended.err
    assert "the observer prometheus is left out: OSError" in ended.err
    assert (tmp_path / "witness.txt").read_text() == "checksum W1/I0001 done\n"
    (line,) = (tmp_path / "log" / "metrics.emf").read_text().splitlines()
    told = json.loads(line)
    assert (told["Pages"], told["VolumesDone"], told["_aws"]["CloudWatchMetrics"][0]["Namespace"]) == (
        2,
        1,
        "Library",
    )


def test_a_port_that_is_none_is_refused(bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    ended = bec("worker", "--job-name", "checksum", "--metrics-port", "here")
    assert (ended.code, "--metrics-port: 'here' is no port" in ended.err) == (2, True)
