"""A volume's page images are found, or it is said which folder is wanted."""

import io

import pytest
from PIL import Image

from bec_ldv1.artifacts.writing.errors import ExportError
from bec_ldv1.artifacts.writing.image_folders import images_of


def test_the_images_folder_is_found_by_the_volumes_name(tmp_path):
    for folder in ("W1/images/W1-0001", "W1/images/W1-0002", "W1/images/W1-I3KG1", "half"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("1.jpg", "2.jpg")[: 1 if folder == "half" else 2]:
            (tmp_path / folder / name).touch()
    pages = ["1.jpg", "2.jpg"]
    assert images_of("W1-I0002-abcdef", pages, tmp_path).place.name == "W1-0002"
    assert images_of("W1-I3KG1-abcdef", pages, tmp_path).place.name == "W1-I3KG1"
    assert images_of("anything", pages, tmp_path / "W1/images/W1-0001").place.name == "W1-0001"
    with pytest.raises(ExportError, match="more than one folder"):
        images_of("W1-I0009-abcdef", pages, tmp_path)
    with pytest.raises(ExportError, match=r"2\.jpg is not in .*half"):
        images_of("W1-I0001-abcdef", pages, tmp_path / "half")


def test_of_several_folders_the_volumes_own_is_taken_and_a_named_one_always(tmp_path):
    for folder in ("W1/images/W1-0001", "W1/images/W1-0002", "other"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.jpg").touch()
    assert images_of("W1-I0001-abcdef", ["1.jpg"], tmp_path).place == tmp_path / "W1/images/W1-0001"
    assert images_of("W1-I0001-abcdef", ["1.jpg"], tmp_path / "other").place == tmp_path / "other"
    with pytest.raises(ExportError, match="more than one folder may hold"):
        images_of("W2-I9-abcdef", ["1.jpg"], tmp_path)
    with pytest.raises(ExportError, match=r"no folder in .* holds all pages of .*; 2\.jpg is not in"):
        images_of("W1-I0001-abcdef", ["2.jpg"], tmp_path)


@pytest.mark.parametrize("name", ["../1.jpg", "/etc/passwd"])
def test_a_name_that_is_no_files_is_refused(tmp_path, name):
    with pytest.raises(ExportError, match="which is no file's name"):
        images_of("W1-I0001-abcdef", [name], tmp_path)


def test_the_pages_of_a_tiff_are_found_each(tmp_path):
    pages = [Image.new("L", (20 + n, 10), 255) for n in range(2)]
    pages[0].save(tmp_path / "1.tif", save_all=True, append_images=pages[1:])
    found = images_of("W1-I0001-abcdef", ["1.tif", "1.tif#2"], tmp_path)
    assert [Image.open(io.BytesIO(found.read(name))).width for name in ("1.tif", "1.tif#2")] == [20, 21]
    with pytest.raises(ExportError, match=r"1\.tif#3 is not in"):
        images_of("W1-I0001-abcdef", ["1.tif#3"], tmp_path)
