"""The archive's folders, by the contract's own examples and its edges."""

from __future__ import annotations

import hashlib

import pytest

from bec_core.archive import is_image_name, volume_folder
from bec_core.errors import InvalidMessage


@pytest.mark.parametrize(
    ("w_id", "i_id", "folder"),
    [
        ("W22084", "I0886", "Works/60/W22084/images/W22084-0886"),
        ("W1KG13780", "I1KG15541", None),
        ("W1", "I12345", None),  # five digits keep their I
        ("W1", "I123", None),
        ("W1", "0886", None),
        ("W1", "i0886", None),
        ("W1", "I088a", None),
    ],
)
def test_the_folder_of_a_volume(w_id: str, i_id: str, folder: str | None) -> None:
    first = hashlib.md5(w_id.encode()).hexdigest()[:2]
    assert volume_folder(w_id, i_id) == (folder or f"Works/{first}/{w_id}/images/{w_id}-{i_id}")


def test_only_ascii_digits_make_an_old_id() -> None:
    with pytest.raises(InvalidMessage):
        volume_folder("W1", "I٠٨٨٦")


@pytest.mark.parametrize(
    ("w_id", "i_id"), [("../x", "I1"), ("W1", "a/b"), ("", "I1"), ("W1", ".."), ("W1", "a\0")]
)
def test_ids_that_would_leave_the_folder(w_id: str, i_id: str) -> None:
    with pytest.raises(InvalidMessage, match="is not an id"):
        volume_folder(w_id, i_id)


def test_which_names_are_images() -> None:
    for name in ("a.jpg", "a.JPG", "a.jpeg", "b.Png", "c.tif", "d.TIFF", "ཀ.jpg"):
        assert is_image_name(name)
    for name in ("a", "jpg", "a.jpg.txt", "a.pdf", "dimensions.json", "a.jp2", "a.gif", ""):
        assert not is_image_name(name)
