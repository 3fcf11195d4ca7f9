"""Manifests: what the archive's look like, and what somebody might put there."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_core.archive import manifest as module
from bec_core.archive import parse_manifest
from bec_core.errors import ManifestInvalid
from bec_core.models import Page


def names(entries: object) -> list[str]:
    return [page.filename for page in parse_manifest(gzip.compress(json.dumps(entries).encode()))]


def test_a_manifest_in_reading_order() -> None:
    entries = [
        {"filename": "I0886002.jpg", "width": 2550, "height": 3300},
        {"filename": "I0886001.tif", "width": 9, "height": 8.0, "extra": [1, {"x": None}]},
    ]
    pages = (Page(0, "I0886002.jpg", 2550, 3300), Page(1, "I0886001.tif", 9, 8))
    plain = json.dumps(entries).encode()
    assert parse_manifest(gzip.compress(plain, mtime=0)) == pages
    assert parse_manifest(plain) == pages
    assert parse_manifest(b"\xef\xbb\xbf" + plain) == pages
    two_members = gzip.compress(plain[:20], mtime=0) + gzip.compress(plain[20:], mtime=0)
    assert parse_manifest(two_members) == pages


def test_what_is_no_page() -> None:
    assert names(
        [
            {"filename": "1.jpg"},
            {"filename": "dimensions.json"},
            {"filename": "../../etc/passwd.jpg"},
            {"filename": "/etc/passwd.jpg"},
            {"filename": "sub/2.jpg"},
            {"filename": "..\\2.jpg"},
            {"filename": "nul\0.jpg"},
            {"filename": "\ud800.jpg"},
            {"filename": "notes.txt"},
            {"filename": None},
            {"filename": ""},
            {"width": 3},
            {},
            {"filename": "2.JPEG", "error": "could not be read"},
            {"filename": "ཀ 3.png"},
        ]
    ) == ["1.jpg", "2.JPEG", "ཀ 3.png"]


def test_of_two_entries_with_one_name_the_first_counts() -> None:
    entries = [{"filename": "1.jpg", "width": 1}, {"filename": "2.jpg"}, {"filename": "1.jpg", "width": 2}]
    assert parse_manifest(json.dumps(entries).encode()) == (Page(0, "1.jpg", 1), Page(1, "2.jpg"))


@pytest.mark.parametrize("size", [0, -1, "2550", None, True, [], 0.5, 1e300, 2**31])
def test_a_size_that_is_none(size: object) -> None:
    (page,) = parse_manifest(json.dumps([{"filename": "1.jpg", "width": size, "height": size}]).encode())
    assert (page.width, page.height) == (None, None)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b'[{"filename": "1.jpg"', "not JSON"),
        (b"\xff\xfe\xfd", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"filename": "1.jpg"}', "an object, not a list"),
        (b'"x"', "a string, not a list"),
        (b"null", "null, not a list"),
        (b'[{"filename": "1.jpg"}, 5]', "entry 2 of the manifest is a number"),
        (b"[[]]", "entry 1 of the manifest is a list"),
        (b'[{"filename": 5}]', "entry 1 of the manifest: the filename is a number"),
        (b"\x1f\x8b not gzip", "gzip data is broken"),
        (gzip.compress(b"[]", mtime=0)[:-4], "gzip data is broken"),
        (gzip.compress(b"[]" * 500, mtime=0)[:20], "gzip data is broken"),
        (gzip.compress(b"[]", mtime=0) + b"garbage", "gzip data is broken"),
        (gzip.compress(gzip.compress(b"[]", mtime=0), mtime=0), "not JSON"),
        (b"[" + b"9" * 5000 + b"]", "not JSON"),
    ],
)
def test_what_is_no_manifest(data: bytes, message: str) -> None:
    with pytest.raises(ManifestInvalid, match=message):
        parse_manifest(data)


def test_no_pages_is_no_error_here() -> None:
    assert parse_manifest(b"[]") == ()


def test_a_bomb_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", 1_000_000)
    bomb = gzip.compress(b" " * 100_000_000, 1, mtime=0)
    tracemalloc.start()
    with pytest.raises(ManifestInvalid, match="unpacks to more than 1,000,000 bytes"):
        parse_manifest(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("value", [b"{},", b"[],", b"1,"])
def test_many_small_values_are_refused_unparsed(value: bytes) -> None:
    with pytest.raises(ManifestInvalid, match="more than 3,000,000 values"):
        parse_manifest(gzip.compress(b"[" + value * 4_000_000 + b"1]", 1, mtime=0))


def test_a_hundred_thousand_pages() -> None:
    entries = [
        {"filename": f"I1{n:06}.jpg", "width": 2500, "height": 3300, "mime": "image/jpeg"}
        for n in range(100_000)
    ]
    data = gzip.compress(json.dumps(entries).encode(), 1)
    started = time.process_time()
    pages = parse_manifest(data)
    assert time.process_time() - started < 5
    assert len(pages) == 100_000
    assert pages[-1] == Page(99_999, "I1099999.jpg", 2500, 3300)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["filename", "width", "height", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(_json, st.booleans())
def test_any_json_gives_pages_or_the_named_error(value: object, packed: bool) -> None:
    data = json.dumps(value).encode()
    try:
        pages = parse_manifest(gzip.compress(data, mtime=0) if packed else data)
    except ManifestInvalid:
        return
    assert [p.index for p in pages] == list(range(len(pages)))
    for page in pages:
        page.filename.encode()
        assert "/" not in page.filename


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x1f\x8b", gzip.compress(b'[{"filename": "1.jpg"}]', mtime=0)[:18]]),
)
def test_any_bytes_give_pages_or_the_named_error(data: bytes, head: bytes) -> None:
    try:
        parse_manifest(head + data)
    except ManifestInvalid:
        return
