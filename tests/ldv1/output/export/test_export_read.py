"""From artifacts to exported files: what is taken, what is left out, and the command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.artifacts.writing.find import find_artifacts
from bec_ldv1.cli import ldv1
from bec_ldv1.lines import Line
from bec_ldv1.output.export.read import read_volume
from bec_ldv1.page.flags import Flag
from bec_ldv1.record.contract import SCHEMA
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord, to_parquet


def line(*polygon: tuple[float, float]) -> Line:
    course = [(polygon[0][0], 30), (polygon[1][0], 30.4)]
    return Line(np.array(polygon, np.float32), np.array(course, np.float32), 0.75)


def record(name: str, *lines: Line) -> PageRecord:
    details = PageDetails(100, 60, 0.1, lines, frozenset({Flag.CURVED}))
    return PageRecord(name, "ff", contours=[], contours_bboxes=np.empty((0, 4), np.int32), details=details)


PAGE = record("1.jpg", line((-3.2, 10.4), (90.6, 11.5), (104, 66), (2, 40)))
FAILED = PageRecord.failed("2.jpg", None, stage="decode", error_type="X", message="y")


def volume(root: Path, i_id: str = "I0001", *records: PageRecord, marker: bool = True) -> Path:
    folder = root / "ldv1" / "W1" / i_id / "abcdef"
    folder.mkdir(parents=True)
    path = folder / f"W1-{i_id}-abcdef.parquet"
    path.write_bytes(to_parquet(records or (PAGE, FAILED)))
    if marker:
        (folder / "success.json").write_text("{}")
    return path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(ldv1, ["export", *map(str, arguments)])


def test_pages_are_whole_pixels_inside_the_image(tmp_path):
    (artifact,) = find_artifacts(str(volume(tmp_path))).artifacts
    found = read_volume(artifact)
    assert (found.name, list(found.failed)) == ("W1-I0001-abcdef", ["2.jpg"])
    (page,) = found.pages
    assert (page.image, page.width, page.height, page.flags) == ("1.jpg", 100, 60, ["curved"])
    assert page.lines[0].polygon.tolist() == [[0, 10], [91, 12], [100, 60], [2, 40]]
    assert page.lines[0].baseline.tolist() == [[0, 30], [91, 30]]


def test_the_command_says_titles_and_links_where_a_catalogue_is_configured(tmp_path, monkeypatch):
    path = volume(tmp_path)

    def exported() -> tuple[str | None, str | None]:
        assert call("--format", "jsonl", path, "--out", tmp_path).exit_code == 0
        row = json.loads((tmp_path / "W1-I0001-abcdef.jsonl").read_text())
        return row["title"], row["link"]

    assert exported() == (None, None)
    (tmp_path / "works.csv").write_text("work,title\nW1,The Jewel\nW9,Another\n")
    monkeypatch.setenv("BEC_CATALOGUE", str(tmp_path / "works.csv"))
    monkeypatch.setenv("BEC_CATALOGUE_LINK", "https://example.org/{work}")
    assert exported() == ("The Jewel", "https://example.org/W1"), "by the file's name"
    marker = {"volume": {"w_id": "W9", "i_id": "I0001"}, "source": "file:///scans"}
    (path.parent / "success.json").write_text(json.dumps(marker))
    assert exported() == ("Another", None), (
        "by the marker; the pattern's links are of the library's own works"
    )
    (path.parent / "success.json").unlink()
    assert exported() == ("The Jewel", "https://example.org/W1")
    (tmp_path / "works.csv").write_text("nothing\n")
    result = call("--format", "jsonl", path, "--out", tmp_path)
    assert (result.exit_code, "must name the columns" in result.output) == (1, True)


def test_a_file_of_the_contracts_columns_alone_is_refused(tmp_path):
    path = volume(tmp_path)
    pq.write_table(pq.read_table(path, columns=SCHEMA.names), path)
    with pytest.raises(ExportError, match=r"only the contract's columns.*run the job again"):
        read_volume(find_artifacts(str(path)).artifacts[0])


def test_other_files_are_refused(tmp_path):
    path = volume(tmp_path)
    path.write_bytes(b"PAR1 no")
    result = call("--format", "csv", path, "--out", tmp_path / "out")
    assert (result.exit_code, "can't be read" in result.output) == (1, True)
    pq.write_table(pa.table({"a": [1]}), path)
    assert "no line-detection records" in call("--format", "csv", path, "--out", tmp_path / "out").output


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("page", ["V/1.xml"]),
        ("alto", ["V/1.xml"]),
        ("hocr", ["V/1.hocr"]),
        ("coco", ["V.json"]),
        ("csv", ["V.csv"]),
        ("jsonl", ["V.jsonl"]),
    ],
)
def test_the_command_writes_every_format(tmp_path, form, files):
    volume(tmp_path)
    out = tmp_path / "out"
    result = call("--format", form, tmp_path / "ldv1", "--out", out)
    assert result.exit_code == 0, result.output
    assert "1 pages, 1 lines" in result.output
    assert "1 failed pages left out" in result.output
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*"))
    assert found == [name.replace("V", "W1-I0001-abcdef") for name in files]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "page"],
        ["--out", "x"],
        ["--crops", "x"],
        [],
        ["--format", "docx", "--out", "x"],
    ],
)
def test_half_a_command_is_refused(tmp_path, arguments):
    assert call(tmp_path, *arguments).exit_code == 2


def test_two_volumes_of_one_name_are_refused(tmp_path):
    paths = [volume(tmp_path / side) for side in ("a", "b")]
    result = call("--format", "csv", *paths, "--out", tmp_path / "out")
    assert (result.exit_code, "two volumes W1-I0001-abcdef" in result.output) == (1, True)
    assert not (tmp_path / "out").exists()


def test_the_commands_are_listed_without_heavy_imports():
    code = "import sys, json, bec_ldv1.cli; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=os.environ)
    assert not {"torch", "cv2", "numpy", "pyarrow"} & set(json.loads(done.stdout))
