"""What the commands import: sets of packages, not times, so that starting stays as quick as it was made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.places import SAMPLES
from support.services import PostgresServer

SETTINGS = {"attr", "attrs", "cattrs", "click", "dotenv", "loguru", "platformdirs", "typing_extensions"}
"""What options, settings and the log take."""

CLIENT = SETTINGS | {"bec_cli", "bec_core", "pluggy", "psycopg", "psycopg_binary"}
PLUGINS = {"bec_iiif", "bec_ldv1", "bec_ocreval", "bec_ocrv1", "bec_pdf"}
DETECTION = {"PIL", "cv2", "numpy", "pyarrow", "torch"}
OF_TORCH = {"cloudpickle", "functorch", "torchgen", "tqdm"}
SERVER = {"psutil"}
HEAVY = {"boto3", "botocore", "moto", "obstore", "psycopg", *DETECTION}


def imported(*arguments: str, status: int = 0, **environment: str) -> set[str]:
    """The modules that a call of ``bec`` has imported.

    What Python starts with here (coverage, finders of editable installations) is not among them.
    """
    code = (
        "import sys; began = set(sys.modules);"
        f"from bec_cli.main import run; ended = run({list(arguments)!r});"
        "print(); print(int(ended), *sys.modules.keys() - began, file=sys.stderr)"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("BEC_", "AWS_"))}
    called = subprocess.run(
        [sys.executable, "-c", code], env={**clean, **environment}, capture_output=True, text=True, check=True
    )
    ended, *modules = called.stderr.splitlines()[-1].split()
    assert ended == str(status), called.stderr
    return set(modules)


def packages(modules: set[str]) -> set[str]:
    """Their packages, but for the standard library's and private ones."""
    tops = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    return {name for name in tops if not name.startswith("_") and name != "cython_runtime"}


def test_the_help_imports_click_alone() -> None:
    assert packages(imported("--help")) == {"bec_cli", "click"}


@pytest.mark.parametrize("command", ["worker", "run", "jobs"])
def test_a_command_s_help_imports_nothing_that_works(command: str) -> None:
    assert not imported(command, "--help") & (HEAVY - {"psycopg", "obstore"})


@pytest.mark.parametrize(
    ("words", "more"),
    [(["list", "--json"], set()), (["list"], {"rich"}), (["stats", "seen"], {"rich", *PLUGINS})],
)
def test_a_listing_imports_the_database_s_client_and_nothing_that_works(
    words: list[str], more: set[str], postgres: PostgresServer
) -> None:
    name = f"imports_{'_'.join(words).replace('-', '')}"
    postgres.new_database(name)
    world = {
        "BEC_SQL_HOST": str(postgres.folder), "BEC_SQL_USER": "postgres", "BEC_SQL_DATABASE": name,
        "BEC_QUEUE": "postgres",
    }  # fmt: skip
    imported("jobs", "create", "--name", "seen", "--type", "ldv1", **world)
    found = imported("jobs", *words, **world)
    assert packages(found) <= CLIENT | more
    rooms = {".".join(name.split(".")[:2]) for name in found if name.startswith("bec_core.")}
    assert not rooms & {"bec_core.archive", "bec_core.artifacts", "bec_core.storage", "bec_core.worker"}
    assert not found & {"bec_core.admin.job_making", "bec_core.admin.job_ending", "bec_core.queues.sweep"}


@pytest.fixture
def desk() -> Iterator[Path]:
    """A folder with one page in it, and room for BEC_HOME, that root's server can reach."""
    top = Path(tempfile.mkdtemp(prefix="bec-"))
    top.chmod(0o755)
    (top / "scans").mkdir()
    (top / "empty").mkdir()
    shutil.copyfile(min(SAMPLES.rglob("0*.jpg")), top / "scans" / "0001.jpg")
    yield top
    shutil.rmtree(top)


def test_a_run_of_nothing_imports_no_model_and_starts_no_server(desk: Path) -> None:
    found = imported("run", "ldv1", str(desk / "empty"), status=2, BEC_HOME=str(desk / "home"))
    assert not found & DETECTION
    assert not (desk / "home").exists()


@pytest.mark.slow
def test_a_run_imports_no_client_of_the_cloud_and_no_part_of_arrow_that_it_does_not_use(desk: Path) -> None:
    out = str(desk / "out")
    found = imported("run", "ldv1", str(desk / "scans"), "--out", out, BEC_HOME=str(desk / "home"))
    assert "pyarrow.compute" not in found
    assert packages(found) <= CLIENT | PLUGINS | DETECTION | OF_TORCH | SERVER | {"obstore", "rich"}
    assert (desk / "out" / "report" / "index.html").exists()
