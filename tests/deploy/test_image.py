"""docker/Dockerfile: what it copies is there, what it installs is what a checkout installs, nobody is root."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from support.dockerfile import Stage, parse
from support.places import ROOT

ARGUMENTS, STAGES = parse((ROOT / "docker" / "Dockerfile").read_text())
BY_NAME = {stage.name: stage for stage in STAGES}
IGNORED = (ROOT / ".dockerignore").read_text().split()
DEVICES = ("cpu", "gpu")


def run_script() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("run_script", str(ROOT / "run"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def base(stage: Stage, device: str) -> str:
    return stage.base.replace("${PYTHON}", ARGUMENTS["PYTHON"]).replace("${DEVICE}", device)


@pytest.mark.parametrize("device", DEVICES)
def test_every_stage_begins_from_an_earlier_one_or_from_python(device: str) -> None:
    known: set[str | None] = set()
    for stage in STAGES:
        assert base(stage, device) in known | {"python:3.11-slim"}
        assert {start for start, _ in stage.copies() if start} <= known
        known.add(stage.name)


def test_what_is_copied_is_in_the_checkout_and_reaches_the_builder() -> None:
    copied = {
        source for stage in STAGES for start, sources in stage.copies() if not start for source in sources
    }
    assert copied
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert IGNORED[IGNORED.index("*") :][0] == "*"
    assert {name[1:] for name in IGNORED if name.startswith("!")} == copied


def test_links_in_the_packages_lead_to_what_is_copied() -> None:
    copied = {
        ROOT / source for start, sources in BY_NAME["wheels"].copies() if not start for source in sources
    }
    links = [path for path in (ROOT / "packages").rglob("*") if path.is_symlink()]
    assert links
    for link in links:
        assert any(link.resolve().is_relative_to(place) for place in copied), link


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_installed_is_what_a_checkout_installs(device: str, tmp_path: Path) -> None:
    """The step, run with a ``pip`` that only says what it is told."""
    packages = {path.name: extras for path, extras in run_script().PACKAGES.items()}
    (tmp_path / "wheels").mkdir()
    for path in (ROOT / "packages").iterdir():
        (tmp_path / "wheels" / f"{path.name.replace('-', '_')}-0.1.0-py3-none-any.whl").touch()
    for program in ("pip", "python"):
        (tmp_path / program).write_text(f'#!/bin/sh\nfor word in "$@"; do echo "{program} $word"; done\n')
        (tmp_path / program).chmod(0o755)
    (step,) = BY_NAME["installed"].all("RUN")
    done = subprocess.run(
        ["/bin/sh", "-ec", step.replace("/wheels", f"{tmp_path}/wheels")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "DEVICE": device, "TORCH_INDEX": "https://index.example"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = re.findall(r"^pip .*/wheels/(bec_\w+)-[^\[\n]*(\[\w+\])?$", done.stdout, re.MULTILINE)
    assert {name.replace("_", "-"): extras for name, extras in said} == packages
    assert len(said) == len(packages)
    assert "pip https://index.example\n" in done.stdout
    assert "pip /constraints.txt\n" in done.stdout
    assert done.stdout.endswith("pip onnxruntime-gpu\n") == (device == "gpu")


def test_torch_has_a_place_for_each_device() -> None:
    (cpu,), (gpu,) = (BY_NAME[f"for-{device}"].all("ARG") for device in DEVICES)
    assert cpu.startswith("TORCH_INDEX=https://")
    assert cpu.endswith("/cpu")
    assert gpu.startswith("TORCH_INDEX=https://")
    assert gpu != cpu


def test_nobody_is_root_and_the_end_is_told() -> None:
    last = STAGES[-1]
    assert last.all("USER") == ["10001:10001"]
    words = [word for word, _ in last.steps]
    assert "RUN" not in words[words.index("USER") :]
    assert "--uid 10001 " in last.all("RUN")[0]
    assert last.all("STOPSIGNAL") == ["SIGTERM"]
    assert last.all("ENTRYPOINT") == ['["bec"]']
    (check,) = last.all("HEALTHCHECK")
    assert check.endswith('CMD ["bec", "--version"]')
    assert any('test -n "${COMMIT}"' in step for step in last.all("RUN"))


def test_nothing_secret_is_asked_for_or_kept() -> None:
    for stage in STAGES:
        for word in ("ARG", "ENV"):
            assert not re.search(r"PASSWORD|SECRET|TOKEN|KEY", " ".join(stage.all(word)))


def no_builder() -> str | None:
    """Why no image can be built here."""
    docker = shutil.which("docker")
    if docker is None:
        return "there is no docker here"
    asked = subprocess.run([docker, "info"], capture_output=True, text=True, check=False)
    return None if asked.returncode == 0 else "docker is here, but no daemon answers it"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(no_builder() is not None, reason=str(no_builder()))
def test_the_image_is_built_and_does_a_volume(tmp_path: Path) -> None:
    name = f"bec-test:{os.getpid()}"
    build = [
        "docker",
        "build",
        "-q",
        "-f",
        "docker/Dockerfile",
        "--build-arg",
        "COMMIT=tested",
        "-t",
        name,
        ".",
    ]
    subprocess.run(build, cwd=ROOT, check=True)
    try:
        (tmp_path / "out").mkdir(mode=0o777)
        (tmp_path / "out").chmod(0o777)
        shutil.copytree(ROOT / "samples", tmp_path / "scans")
        mounts = ["-v", f"{tmp_path}/scans:/scans:ro", "-v", f"{tmp_path}/out:/out"]
        done = subprocess.run(
            ["docker", "run", "--rm", *mounts, name, "run", "ldv1", "/scans", "--out", "/out/here", "--no-report"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert list((tmp_path / "out").rglob("success.json"))
    finally:
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)
