"""Which job a worker is for, and on which GPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bec_cli.worker_place import WorkerPlace
from bec_core.errors import ServiceError, SettingsError


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with two GPUs, and an environment that names none."""
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_number_is_the_gpu_that_the_worker_sees(devices: Path) -> None:
    place = WorkerPlace.parse("ldv1:1")
    assert place == WorkerPlace("ldv1", "1")
    place.take(devices)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"  # as nvidia-smi counts


def test_what_the_environment_says_counts(devices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-0123")
    WorkerPlace.parse("ldv1:1").take(devices)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-0123"


def test_a_gpu_that_is_not_there_is_said(devices: Path) -> None:
    with pytest.raises(ServiceError, match=r"no GPU 2 here \(2 found.*nvidia-smi"):
        WorkerPlace.parse("ldv1:2").take(devices)


@pytest.mark.parametrize("text", ["ldv1", "ldv1:b"])
def test_any_other_word_only_tells_workers_apart(devices: Path, text: str) -> None:
    WorkerPlace.parse(text).take(devices)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


@pytest.mark.parametrize("text", ["", "ldv1:", ":0"])
def test_half_a_name_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="write JOB, or JOB:GPU"):
        WorkerPlace.parse(text)
