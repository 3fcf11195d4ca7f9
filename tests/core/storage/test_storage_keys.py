"""Keys and URLs: what can leave a store's root is refused before any store is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bec_core.errors import SettingsError
from bec_core.storage import FileStore, InvalidKey, check_key, folder_of_url, open_store


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "a//b",
        "a/",
        "./a",
        "a/.",
        "a\\b",
        "a\0b",
        "a\nb",
        "\ud800",
    ],
)
def test_keys_that_are_refused(key: str) -> None:
    with pytest.raises(InvalidKey, match="is not an object's key"):
        check_key(key)


@pytest.mark.parametrize("key", ["a", "a/b.jpg", "ཀ་ཁ/1 (2).tif", "a%20b#1?.jpg", "..a", "a..b", ".hidden"])
def test_keys_that_are_taken(key: str) -> None:
    assert check_key(key) == key


@given(st.text(max_size=40))
def test_an_accepted_key_stays_below_the_root(key: str) -> None:
    try:
        check_key(key)
    except InvalidKey:
        return
    root = Path("/root/of/store")
    assert (root / key).resolve().is_relative_to(root)
    assert (root / key) != root


def test_every_method_of_a_store_checks_its_key(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    (tmp_path / "secret").write_bytes(b"secret")
    bad = "../secret"
    for call in (
        lambda: store.get(bad),
        lambda: store.head(bad),
        lambda: store.exists(bad),
        lambda: store.put(bad, b""),
        lambda: store.put_new(bad, b""),
        lambda: store.swap(bad, b"", if_etag="x"),
        lambda: store.delete(bad),
        lambda: store.uri(bad),
        lambda: store.list(bad),
    ):
        with pytest.raises(InvalidKey):
            call()
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_a_file_url_with_escapes_names_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a b%#ཀ"
    assert folder_of_url(folder.as_uri()) == folder
    store = open_store(folder.as_uri())
    assert folder.is_dir()
    assert store.url == folder.as_uri()
    store.put("x y", b"1")
    assert store.uri("x y") == (folder / "x y").as_uri()


@pytest.mark.parametrize(
    "url",
    ["", "bucket", "/tmp/x", "http://x/y", "file://host/x", "file:relative", "file:///x?y", "file:///x#y",
     "s3://", "s3:///x", "s3://buc ket", "s3://bucket/../x", "s3://bucket/a//b"],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        open_store(url)
