"""The wheels as users get them: built, installed elsewhere, run there."""

import os
import re
import subprocess
import sys
import zipfile

import pytest

from support.places import PACKAGES, ROOT


@pytest.fixture(scope="module")
def installed(wheels, tmp_path_factory):
    """A folder with nothing but our wheels; what they depend on comes from this environment."""
    target = tmp_path_factory.mktemp("installed")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        target,
    ]
    subprocess.run([*command, *wheels], check=True)
    return target


def run(installed, *arguments, **more):
    environment = {**os.environ, "PYTHONPATH": str(installed), **more}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=installed, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_wheel_is_typed_and_none_is_large(wheels):
    assert len(wheels) == len(PACKAGES)
    for wheel in wheels:
        names = zipfile.ZipFile(wheel).namelist()
        assert any(name.endswith("/py.typed") for name in names), wheel.name
        assert wheel.stat().st_size < 15_000_000, wheel.name


def test_the_units_come_with_the_command_line(wheels):
    cli = next(wheel for wheel in wheels if wheel.name.startswith("bec_cli"))
    names = zipfile.ZipFile(cli).namelist()
    for path in (ROOT / "systemd").iterdir():
        assert f"bec_cli-0.1.0.data/data/share/bec/systemd/{path.name}" in names


def test_the_schema_is_in_the_wheel(wheels):
    core = next(wheel for wheel in wheels if wheel.name.startswith("bec_core"))
    assert zipfile.ZipFile(core).read("bec_core/schema.sql") == (ROOT / "schema.sql").read_bytes()


def test_the_migrations_are_in_the_wheel(wheels, installed):
    core = next(wheel for wheel in wheels if wheel.name.startswith("bec_core"))
    folder = ROOT / "packages/bec-core/src/bec_core/db/migrations"
    names = set(zipfile.ZipFile(core).namelist())
    assert {f"bec_core/db/migrations/{path.name}" for path in folder.glob("*.sql")} <= names
    script = "from bec_core.db.migrations import carried; print(len(carried()))"
    assert int(run(installed, "-c", script)) == len(list(folder.glob("0*.sql")))


def test_the_installed_packages_find_each_other_and_the_model(installed):
    where = run(
        installed, "-c", "import bec_core, bec_cli, bec_ldv1; print(bec_core.__file__, bec_cli.__file__)"
    )
    assert all(str(installed) in path for path in where.split())
    listed = run(installed, "-m", "bec_cli", "plugins", "list")
    assert {"ldv1", "ocrv1", "ocreval", "iiif", "pdf", "bdrc"} <= set(re.findall(r"\w+", listed))
    script = "from bec_ldv1.network.checkpoint import load_model; print(load_model().name)"
    assert run(installed, "-W", "error", "-c", script).strip() == "box"


def test_the_recogniser_in_the_box_comes_with_its_wheel(installed):
    script = "from bec_ocrv1.box.recogniser import BoxRecogniser; print(len(BoxRecogniser.load().sha256))"
    assert run(installed, "-W", "error", "-c", script).strip() == "64"
