"""From artifacts to exported files: what is taken, what is left out, and the command."""

import io
import json
import subprocess
import sys
from pathlib import Path

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ocrv1.artifacts import CONTRACT, PageText, ReadLine
from bec_ocrv1.cli import ocrv1
from bec_ocrv1.export.read import find_texts, read_volume
from bec_ocrv1.records import to_parquet

LINE = ReadLine(
    "ཀ་", 0.75, (0, 10, 90, 50), ((-3.2, 10.4), (90.6, 11.5), (104, 66), (2, 40)), ((-3, 30), (90.6, 30.4))
)
PAGE = PageText("1.jpg", "ff", width=100, height=60, flags=("curved",), lines=(LINE,))
BLANK = PageText("2.jpg", "ff", width=100, height=60)
FAILED = PageText("3.jpg", None, ok=False, error_stage="decode", error_type="X", error_message="y")


def contract_only(*pages: PageText) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pq.read_table(pa.BufferReader(to_parquet(pages))).select(list(CONTRACT)), sink)
    return sink.getvalue()


def volume(
    root: Path, i_id: str = "I0001", job: str = "ocrv1", data: bytes | None = None, *, marker: bool = True
) -> Path:
    folder = root / job / "W1" / i_id / "abcdef"
    folder.mkdir(parents=True)
    path = folder / f"W1-{i_id}-abcdef.parquet"
    path.write_bytes(to_parquet((PAGE, BLANK, FAILED)) if data is None else data)
    if marker:
        (folder / "success.json").write_text("{}")
    return path


def lines_of(root: Path) -> Path:
    """Another job's artifact beside it, of the same name."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"img_file_name": ["1.jpg"]}), sink)
    return volume(root, job="ldv1", data=sink.getvalue())


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(ocrv1, ["export", *map(str, arguments)])


def test_pages_are_whole_pixels_inside_the_image(tmp_path):
    (artifact,) = find_texts(str(volume(tmp_path))).artifacts
    found = read_volume(artifact)
    assert (found.name, list(found.failed)) == ("W1-I0001-abcdef", ["3.jpg"])
    page, blank = found.pages
    assert (page.image, page.width, page.height, list(page.flags)) == ("1.jpg", 100, 60, ["curved"])
    assert page.lines[0].polygon == ((0, 10), (91, 12), (100, 60), (2, 40))
    assert page.lines[0].baseline == ((0, 30), (91, 30))
    assert (page.lines[0].text, page.lines[0].confidence, len(blank.lines)) == ("ཀ་", 0.75, 0)


@pytest.mark.parametrize(("form", "file"), [("jsonl", ".jsonl"), ("page", "/1.xml"), ("hocr", "/1.hocr")])
def test_the_command_says_titles_where_a_catalogue_is_configured(tmp_path, monkeypatch, form, file):
    path, out = volume(tmp_path), tmp_path / f"W1-I0001-abcdef{file}"
    assert call("--format", form, path, "--out", tmp_path).exit_code == 0
    assert "The Jewel" not in out.read_text()
    (tmp_path / "works.csv").write_text("work,title\nW1,The Jewel\n")
    monkeypatch.setenv("BEC_CATALOGUE", str(tmp_path / "works.csv"))
    assert call("--format", form, path, "--out", tmp_path).exit_code == 0
    assert "The Jewel" in out.read_text()


def test_a_folder_means_its_finished_volumes_with_text(tmp_path):
    volume(tmp_path, "I0001")
    late = volume(tmp_path, "I0003", marker=False)
    lines_of(tmp_path)
    found = find_texts(str(tmp_path))
    assert [artifact.name for artifact in found.artifacts] == ["W1-I0001-abcdef"]
    assert [Path(path) for path in found.unfinished] == [late]
    assert find_texts(tmp_path.as_uri()).artifacts == found.artifacts


def test_without_text_or_marker_it_is_said(tmp_path):
    lines_of(tmp_path)
    with pytest.raises(ExportError, match=r"no \.parquet file with recognised text"):
        find_texts(str(tmp_path))
    path = volume(tmp_path, "I0002", marker=False)
    with pytest.raises(ExportError, match=r"no volume .* is finished: .*success\.json"):
        find_texts(str(tmp_path))
    assert find_texts(str(path)).artifacts


@pytest.mark.parametrize("source", ["nowhere", "empty", "ftp://host/x", "s3:/x"])
def test_what_is_not_there_is_named(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    result = call("--format", "txt", "--out", "out", source)
    assert result.exit_code == 1
    assert source in result.output


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("txt", {"1.txt": "ཀ་\n", "2.txt": ""}),
        ("page", {"1.xml": "<Unicode>ཀ་</Unicode>", "2.xml": "<Page "}),
        ("alto", {"1.xml": 'CONTENT="ཀ་"', "2.xml": "<PrintSpace "}),
        ("hocr", {"1.hocr": ">ཀ་</span>", "2.hocr": "ocr_page"}),
    ],
)
def test_the_command_writes_a_file_a_page(tmp_path, form, files):
    volume(tmp_path / "in")
    result = call("--format", form, tmp_path / "in", "--out", tmp_path / "out")
    assert (result.exit_code, result.output) == (
        0,
        "W1-I0001-abcdef: 2 pages, 1 lines, 2 files, 1 failed pages left out\n",
    )
    folder = tmp_path / "out" / "W1-I0001-abcdef"
    assert {path.name for path in folder.iterdir()} == set(files)
    for name, part in files.items():
        assert part in (folder / name).read_text(encoding="utf-8")


def test_the_command_writes_json_lines(tmp_path):
    volume(tmp_path / "in")
    assert call("--format", "jsonl", tmp_path / "in", "--out", tmp_path / "out").exit_code == 0
    assert len((tmp_path / "out" / "W1-I0001-abcdef.jsonl").read_text().splitlines()) == 2


def test_of_the_contracts_columns_alone_there_is_text_and_nothing_else(tmp_path):
    path = volume(tmp_path, data=contract_only(PAGE))
    assert call("--format", "txt", path, "--out", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "W1-I0001-abcdef" / "1.txt").read_text() == "ཀ་\n"
    result = call("--format", "page", path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "the size of 1.jpg is not recorded" in result.output


def test_a_damaged_file_is_named(tmp_path):
    volume(tmp_path, data=b"no parquet")
    result = call("--format", "txt", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "W1-I0001-abcdef.parquet can't be read" in result.output


def test_two_volumes_of_one_name_are_refused(tmp_path):
    volume(tmp_path / "a")
    volume(tmp_path / "b")
    result = call("--format", "txt", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "two volumes W1-I0001-abcdef" in result.output


def test_listing_the_commands_imports_nothing_heavy():
    code = "import sys; import bec_ocrv1.cli; print(sorted({'pyarrow','numpy','cv2','onnxruntime'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"


def test_upright_gives_the_picture_that_viewers_show(tmp_path):
    data = to_parquet([attrs.evolve(PAGE, orientation=6)])  # viewers turn it clockwise by a quarter
    volume(tmp_path / "in", data=data)
    for options, size, first in (([], [100, 60], [0, 10]), (["--upright"], [60, 100], [49, 0])):
        result = call("--format", "jsonl", tmp_path / "in", "--out", tmp_path / "out", *options)
        assert result.exit_code == 0, result.output
        row = json.loads((tmp_path / "out" / "W1-I0001-abcdef.jsonl").read_text())
        assert row["size"] == size
        assert row["lines"][0]["polygon"][0] == first


def test_upright_needs_the_orientation_and_something_to_turn(tmp_path):
    volume(tmp_path / "in")
    result = call("--format", "page", tmp_path / "in", "--out", tmp_path / "out", "--upright")
    assert result.exit_code == 1
    assert "is not recorded" in result.output
    result = call("--format", "txt", tmp_path / "in", "--out", tmp_path / "out", "--upright")
    assert result.exit_code == 2
    assert "--upright does nothing to txt" in result.output
