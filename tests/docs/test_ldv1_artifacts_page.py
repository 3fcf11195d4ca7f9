"""docs/ldv1-artifacts.md: its script runs, and it names all that there is."""

import re
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
from PIL import Image

from bec_ldv1 import artifacts
from bec_ldv1.lines import Line
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord, to_parquet
from support.drawn_lines import HEIGHT, WIDTH, course, drawn, outline, stored
from support.places import ROOT

PAGE = (ROOT / "docs" / "ldv1-artifacts.md").read_text()
_FILE = re.compile(r"^```python\n# ([\w./-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_its_script_cuts_a_pages_lines(tmp_path: Path):
    ((name, script),) = _FILE.findall(PAGE)
    (tmp_path / name).write_text(script)
    points = course(3, 30)
    line = Line(outline(points).astype(np.float32), points.astype(np.float32), 0.5)
    band = outline(points, 10).astype(np.int32)
    record = PageRecord(
        "1.png", "ff", contours=[band], contours_bboxes=np.array([[100, 200, 1_200, 100]], np.int32),
        details=PageDetails(WIDTH, HEIGHT, 0.1, (line,)),
    )  # fmt: skip
    failed = PageRecord.failed("2.png", None, stage="decode", error_type="X", message="the file is empty")
    (tmp_path / "volume.parquet").write_bytes(to_parquet([failed, record]))
    (tmp_path / "1.png").write_bytes(stored(drawn(points), 1))

    def run(image: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", name, "volume.parquet", image, "lines"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    ended = run("1.png")
    assert ended.returncode == 0, ended.stderr
    assert re.fullmatch(r"1 \(\d+, \d+\) \(\d+, \d+, \d+, \d+\) 0\.5 (19|20|21)\n", ended.stdout)
    with Image.open(tmp_path / "lines" / "001.png") as crop:
        assert f"({crop.height}, {crop.width})" in ended.stdout
    assert run("2.png").stderr == "detection failed: the file is empty\n"


def test_it_names_all_that_is_exported():
    table = PAGE[PAGE.index("## All names") :]
    assert [name for name in artifacts.__all__ if not re.search(rf"`{name}\b", table)] == []
    for kind in (artifacts.PageLines, artifacts.TextLine, artifacts.PageImage):
        row = next(line for line in table.splitlines() if line.startswith(f"| `{kind.__name__}` |"))
        names = [field.alias for field in attrs.fields(kind)]
        assert [name for name in names if f"`{name}" not in row] == []
    assert f"now {artifacts.VERSION} |" in table
    assert [flag for flag in artifacts.Flag if f"`{flag}`" not in table] == []
