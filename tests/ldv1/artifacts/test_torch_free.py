"""Without torch: results are read, lines cut and plugins listed; what needs it says how to install it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bec_ldv1.artifacts import __all__ as exported
from bec_ldv1.lines import Line
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord, to_parquet
from support.cli import Bec, write_archive_volume
from support.drawn_lines import HEIGHT, WIDTH, course, drawn, outline, stored

_HIDE = """
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name="torch")
import sys
sys.meta_path.insert(0, NoTorch())
"""


@pytest.fixture
def without_torch(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that has no torch, whatever it starts."""
    (tmp_path / "sitecustomize.py").write_text(_HIDE)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "BEC_HOME": str(tmp_path / "home")}


def run(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_torch_is_really_hidden(without_torch):
    assert "No module named 'torch'" in run(without_torch, "-c", "import torch").stderr


def test_artifacts_are_read_and_lines_cut(without_torch, tmp_path):
    points = course(3, 30)
    line = Line(outline(points).astype(np.float32), points.astype(np.float32), 0.5)
    details = PageDetails(WIDTH, HEIGHT, 0.1, (line,))
    boxes = np.empty((0, 4), np.int32)
    record = PageRecord("1.png", "ff", contours=[], contours_bboxes=boxes, details=details)
    (tmp_path / "lines.parquet").write_bytes(to_parquet([record]))
    (tmp_path / "1.png").write_bytes(stored(drawn(points), 1))
    script = """if True:
        import sys
        from pathlib import Path
        from bec_ldv1.artifacts import cut_line, decode_page, read_lines
        folder = Path(sys.argv[1])
        page, = read_lines((folder / "lines.parquet").read_bytes())
        image = decode_page((folder / "1.png").read_bytes())
        page = page.on(image)
        print(*cut_line(image, page, page.lines[0]).shape)
        """
    ended = run(without_torch, "-W", "error", "-c", script, tmp_path)
    assert ended.returncode == 0, ended.stderr
    height, width = map(int, ended.stdout.split())
    assert (height, width) == pytest.approx((52, 1_210), abs=8)


def test_all_that_is_exported_is_there_without_torch(without_torch):
    script = "import bec_ldv1.artifacts as a; print(*(n for n in a.__all__ if getattr(a, n) is not None))"
    assert run(without_torch, "-c", script).stdout.split() == exported


def test_plugins_are_listed_and_lines_exported(without_torch):
    assert "Find the text lines" in run(without_torch, "-m", "bec_cli", "plugins", "show", "ldv1").stdout
    assert run(without_torch, "-m", "bec_cli", "ldv1", "export", "--help").returncode == 0


def test_the_worker_says_what_to_install(without_torch):
    script = """if True:
        from bec_core import SettingsError, WorkerSetup
        from bec_ldv1.config import Ldv1Config
        from bec_ldv1.plugin import bec_job_types
        from bec_core.plugins import load_object
        build = load_object(bec_job_types()[0].worker)
        try:
            build(WorkerSetup(config=Ldv1Config(), declared=("model",)))
        except SettingsError as error:
            print(error)
        """
    ended = run(without_torch, "-c", script)
    assert 'pip install "bec-ldv1[torch]"' in ended.stdout, ended.stderr


def test_a_command_ends_with_status_2_and_says_what_to_install(without_torch, tmp_path):
    (tmp_path / "1.png").write_bytes(stored(drawn(course()), 1))
    ended = run(without_torch, "-m", "bec_cli", "ldv1", "preview", tmp_path / "1.png")
    assert ended.returncode == 2
    assert 'pip install "bec-ldv1[torch]"' in ended.stderr


def test_a_worker_ends_with_status_2_before_any_volume(bec: Bec, tmp_path, monkeypatch):
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [stored(drawn(course()), 1)])
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    bec.ok("jobs", "create", "--name", "lines", "--type", "ldv1")
    bec.ok("queue", "enqueue", "--job-name", "lines", "--volume", "W1,I0001")
    ended = bec("worker", "--job-name", "lines", "--poll-wait", "0", "--shutdown-after-empty", "1")
    assert ended.code == 2
    assert 'pip install "bec-ldv1[torch]"' in ended.err
    stats = bec.ok("jobs", "stats", "lines", "--json").json
    assert (stats["total_tasks"], stats["progress"]["waiting"]) == (0, 1)
