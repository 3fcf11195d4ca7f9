"""Which Parquet files a source means, and what is said of those that it doesn't."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.artifacts.writing.find import artifacts_of, find_artifacts


def volume(root: Path, i_id: str = "I0001", column: str = "a", *, marker: bool = True) -> Path:
    folder = root / "W1" / i_id / "abcdef"
    folder.mkdir(parents=True)
    path = folder / f"W1-{i_id}-abcdef.parquet"
    pq.write_table(pa.table({column: [1]}), path)
    if marker:
        (folder / "success.json").write_text("{}")
    return path


def test_a_folder_means_its_finished_volumes(tmp_path):
    volume(tmp_path, "I0001")
    volume(tmp_path, "I0002")
    late = volume(tmp_path, "I0003", marker=False)
    found = find_artifacts(str(tmp_path))
    assert [artifact.name for artifact in found.artifacts] == ["W1-I0001-abcdef", "W1-I0002-abcdef"]
    assert [Path(path) for path in found.unfinished] == [late]
    assert find_artifacts(tmp_path.as_uri()).artifacts == found.artifacts


def test_an_unfinished_volume_can_be_named(tmp_path):
    path = volume(tmp_path, marker=False)
    assert find_artifacts(str(path)).artifacts
    with pytest.raises(ExportError, match=r"no volume .* is finished: .*success\.json"):
        find_artifacts(str(tmp_path))


@pytest.mark.parametrize("source", ["nowhere", "empty", "ftp://host/x", "s3:/x"])
def test_what_is_not_there_is_named(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExportError, match=source):
        find_artifacts(source)


def test_files_without_the_columns_are_not_meant_but_damaged_ones_are(tmp_path):
    volume(tmp_path, "I0001", "a")
    volume(tmp_path, "I0002", "b", marker=False)
    volume(tmp_path, "I0003").write_bytes(b"PAR1 no")
    found = find_artifacts(str(tmp_path), columns=("a",))
    assert [artifact.name for artifact in found.artifacts] == ["W1-I0001-abcdef", "W1-I0003-abcdef"]
    assert found.unfinished == ()


def test_what_was_looked_for_is_said(tmp_path):
    volume(tmp_path)
    with pytest.raises(ExportError, match=r"there is no \.parquet file with text in "):
        find_artifacts(str(tmp_path), columns=("b",), content="text")
    with pytest.raises(ExportError, match=r"there is no \.parquet file in "):
        find_artifacts(str(tmp_path), columns=("b",))


def test_what_is_left_out_is_told_and_no_name_comes_twice(tmp_path):
    volume(tmp_path / "a")
    late = volume(tmp_path / "a", "I0002", marker=False)
    volume(tmp_path / "b", "I0003")
    volume(tmp_path / "c")
    told: list[str] = []
    sources = [str(tmp_path / name) for name in "abc"]
    names = [artifact.name for artifact in artifacts_of(sources[:2], find_artifacts, told.append)]
    assert names == ["W1-I0001-abcdef", "W1-I0003-abcdef"]
    assert told == [f"left out, as no success.json says that it is finished: {late}"]
    with pytest.raises(ExportError, match="two volumes W1-I0001-abcdef"):
        artifacts_of(sources, find_artifacts, told.append)


def test_a_reader_gets_the_files_bytes_and_its_refusal_names_the_file(tmp_path):
    path = volume(tmp_path)
    (artifact,) = find_artifacts(str(path)).artifacts
    assert artifact.read(bytes) == path.read_bytes()

    def refuse(_: bytes) -> None:
        raise ValueError("not mine")

    with pytest.raises(ExportError, match=r"W1-I0001-abcdef\.parquet can't be read: not mine"):
        artifact.read(refuse)
    path.unlink()
    with pytest.raises(ExportError, match="can't be read"):
        artifact.read(bytes)
