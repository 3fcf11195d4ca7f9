"""A volume to export is its processed pages, and each becomes a file."""

from pathlib import Path

import pytest
from attrs import frozen
from pyarrow import fs

from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.artifacts.writing.find import Artifact
from bec_ldv1.artifacts.writing.volume import ExportVolume, volume_of, write_pages

ARTIFACT = Artifact(fs.LocalFileSystem(), "/x/W1-I0001-abcdef.parquet")


@frozen
class Scan:
    image: str
    ok: bool = True


def content(page: Scan) -> bytes:
    return page.image.encode()


def test_failed_pages_are_named_and_not_made():
    volume = volume_of(
        ARTIFACT, [Scan("1.jpg"), Scan("2.jpg", ok=False)], lambda page: Scan(f"of {page.image}")
    )
    assert (volume.name, volume.pages, volume.failed) == ("W1-I0001-abcdef", [Scan("of 1.jpg")], ["2.jpg"])


def test_a_page_that_is_refused_is_said_with_the_file():
    def refuse(page: Scan) -> Scan:
        raise ExportError(f"{page.image} is odd")

    with pytest.raises(ExportError, match=r"^/x/W1-I0001-abcdef\.parquet: 1\.jpg is odd$"):
        volume_of(ARTIFACT, [Scan("1.jpg")], refuse)


def test_every_page_has_its_file_and_an_old_one_is_replaced(tmp_path: Path):
    volume = ExportVolume("V", [Scan("1.jpg"), Scan("1.tif"), Scan("2.jpg")])
    (tmp_path / "V").mkdir()
    (tmp_path / "V" / "2.txt").write_text("old and longer")
    assert write_pages(volume, ".txt", content, tmp_path) == 3
    written = {path.name: path.read_text() for path in (tmp_path / "V").iterdir()}
    assert written == {"1.jpg.txt": "1.jpg", "1.tif.txt": "1.tif", "2.txt": "2.jpg"}
