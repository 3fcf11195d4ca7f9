"""Sources: from a reference to pages and their bytes, on stores of files."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bec_core.admin.folder_run import left_out_words
from bec_core.archive import (
    BdrcArchive,
    FlatVersionedFolder,
    LocalFolder,
    Sources,
    find_volumes,
    folder_sources,
    pages,
    volume_folder,
)
from bec_core.archive.folders import natural_key
from bec_core.builtin import bec_sources
from bec_core.errors import (
    InvalidMessage,
    ManifestInvalid,
    ManifestMissing,
    PageError,
    SettingsError,
    StorageError,
)
from bec_core.models import Page, Volume, VolumeRef, check_id
from bec_core.source import Source, SourceType
from bec_core.storage import FileStore, ObjectInfo, Store, StoredObject
from support.sources import stored_sources

REF = VolumeRef("W22084", "I0886")
FOLDER = volume_folder("W22084", "I0886")


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "archive")


def put_manifest(store: Store, *names: str) -> bytes:
    data = gzip.compress(json.dumps([{"filename": name} for name in names]).encode(), mtime=0)
    store.put(f"{FOLDER}/dimensions.json", data)
    return data


class Renamed(Store):
    """A store whose etags are what the test says."""

    def __init__(self, inner: Store, etag: str | None) -> None:
        self.inner, self.etag = inner, etag

    url = "s3://test"
    etags_are_md5 = True

    def uri(self, key: str) -> str:
        return f"s3://test/{key}"

    def get(self, key: str, *, max_bytes: int | None = None) -> StoredObject:
        return StoredObject(
            self.inner.get(key).data, self.etag, datetime(2020, 1, 1, tzinfo=UTC), self.uri(key)
        )

    def head(self, key: str) -> ObjectInfo:
        raise NotImplementedError

    chunks = exists = put = swap = list = delete = head  # type: ignore[assignment]


# The archive ------------------------------------------------------------------------------------------


def test_a_volume_of_the_archive(store: FileStore) -> None:
    data = put_manifest(store, "I0886002.jpg", "dimensions.json", "I0886001.jpg")
    store.put(f"{FOLDER}/I0886001.jpg", b"page one")
    source: Source = BdrcArchive(store)
    volume = source.resolve(REF)
    assert volume.etag == hashlib.md5(data).digest()
    assert volume.version == hashlib.md5(data).hexdigest()[:6]
    assert [p.filename for p in volume.pages] == ["I0886002.jpg", "I0886001.jpg"]
    assert volume.last_modified is not None
    page = source.read_page(volume, volume.pages[1])
    assert page.data == b"page one"
    assert page.uri == store.uri(f"{FOLDER}/I0886001.jpg")
    assert page.etag == store.head(f"{FOLDER}/I0886001.jpg").etag


@pytest.mark.parametrize("suffix", ["", "-12"])
def test_the_version_is_the_etags_md5(store: FileStore, suffix: str) -> None:
    put_manifest(store, "1.jpg")
    volume = BdrcArchive(Renamed(store, "00112233445566778899aabbccddeeff" + suffix)).resolve(REF)
    assert volume.etag.hex() == "00112233445566778899aabbccddeeff"
    assert volume.version == "001122"


@pytest.mark.parametrize("etag", [None, "", "abc", "0x8D4BCC2E4835CD0", "00112233445566778899aabbccddeeff-x"])
def test_an_etag_that_is_no_md5_is_replaced_by_the_contents(store: FileStore, etag: str | None) -> None:
    data = put_manifest(store, "1.jpg")
    assert BdrcArchive(Renamed(store, etag)).resolve(REF).etag == hashlib.md5(data).digest()


def test_a_changed_manifest_is_a_new_version(store: FileStore) -> None:
    put_manifest(store, "1.jpg")
    first = BdrcArchive(store).resolve(REF)
    put_manifest(store, "1.jpg", "2.jpg")
    assert BdrcArchive(store).resolve(REF).etag != first.etag


def test_missing_and_broken_manifests_have_their_errors(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = BdrcArchive(store)
    with pytest.raises(ManifestMissing, match=r"W22084/I0886 has no manifest: file:.*dimensions\.json"):
        source.resolve(REF)
    store.put(f"{FOLDER}/dimensions.json", b"<html>")
    with pytest.raises(ManifestInvalid, match=r"dimensions\.json: the manifest is not JSON"):
        source.resolve(REF)
    monkeypatch.setattr("bec_core.archive.stored.MAX_STORED_BYTES", 3)
    with pytest.raises(ManifestInvalid, match="too large"):
        source.resolve(REF)
    with pytest.raises(InvalidMessage):
        source.resolve(VolumeRef("../W1", "I1"))


def test_an_empty_volume_is_the_workers_to_refuse(store: FileStore) -> None:
    put_manifest(store)
    assert BdrcArchive(store).resolve(REF).pages == ()


def test_what_goes_wrong_with_a_page_is_a_page_error(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_manifest(store, "gone.jpg", "big.jpg")
    store.put(f"{FOLDER}/big.jpg", b"12345")
    source = BdrcArchive(store)
    volume = source.resolve(REF)
    monkeypatch.setattr(pages, "MAX_PAGE_BYTES", 4)
    for page, kind in ((volume.pages[0], "ObjectNotFound"), (volume.pages[1], "ObjectTooLarge"),
                       (Page(2, "../x.jpg"), "InvalidKey")):  # fmt: skip
        with pytest.raises(PageError) as caught:
            source.read_page(volume, page)
        assert (caught.value.stage, caught.value.error_type, caught.value.retryable) == ("fetch", kind, False)

    def broken(*_: object, **__: object) -> StoredObject:
        raise StorageError("503")

    monkeypatch.setattr(store, "get", broken)
    with pytest.raises(PageError, match="503") as caught:
        source.read_page(volume, volume.pages[0])
    assert (caught.value.error_type, caught.value.retryable) == ("StorageError", True)
    with pytest.raises(StorageError):
        source.resolve(REF)


# Flat folders -----------------------------------------------------------------------------------------


def test_a_flat_versioned_folder(store: FileStore) -> None:
    ref = VolumeRef("W1", "I1", "ocr_benchmark", "v2")
    for name in ("10.jpg", "2.jpg", "notes.txt", "sub/3.jpg", "._2.jpg", "3.webp"):
        store.put(f"ocr_benchmark/images/W1/I1/v2/{name}", name.encode())
    store.put("ocr_benchmark/images/W1/I1/v22/other.jpg", b"")
    source: Source = FlatVersionedFolder(store)
    volume = source.resolve(ref)
    assert [p.filename for p in volume.pages] == ["10.jpg", "2.jpg"], "sorted by name, as the contract says"
    assert volume.version == "v2"
    assert volume.etag == hashlib.md5(b"ocr_benchmark|W1|I1|v2").digest()
    assert source.read_page(volume, volume.pages[1]).data == b"2.jpg"


def test_a_flat_folder_needs_its_version(store: FileStore) -> None:
    source = FlatVersionedFolder(store)
    with pytest.raises(InvalidMessage, match="needs an i_version"):
        source.resolve(VolumeRef("W1", "I1", "ocr_benchmark"))
    with pytest.raises(InvalidMessage, match="is not an id"):
        source.resolve(VolumeRef("W1", "I1", "ocr_benchmark", "../v"))
    with pytest.raises(ManifestMissing, match="has no folder"):
        source.resolve(VolumeRef("W1", "I1", "ocr_benchmark", "v1"))


# A person's own folders -------------------------------------------------------------------------------


def local(folder: Path) -> VolumeRef:
    return VolumeRef("W", "I", folder.as_uri())


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode())


def test_a_local_folder_in_natural_order(tmp_path: Path) -> None:
    folder = tmp_path / "my scans %#ཀ"
    touch(folder, "img10.JPG", "img2.jpg", "img1.tif", ".hidden.jpg", "._img1.tif", "notes.txt")
    (folder / "sub.jpg").mkdir()
    (folder / "dangling.jpg").symlink_to(folder / "none")
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    source: Source = LocalFolder()
    volume = source.resolve(local(folder))
    assert [(p.index, p.filename) for p in volume.pages] == [
        (0, "img1.tif"),
        (1, "img2.jpg"),
        (2, "img10.JPG"),
    ]
    assert volume.version == volume.etag.hex()[:6]
    assert source.read_page(volume, volume.pages[2]).data == b"img10.JPG"
    (folder / "img10.JPG").unlink()
    with pytest.raises(PageError) as caught:
        source.read_page(volume, volume.pages[2])
    assert caught.value.stage == "fetch"


def test_the_version_follows_names_sizes_and_times(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "2.jpg", "notes.txt")
    versions = [LocalFolder().resolve(local(tmp_path)).etag]
    assert LocalFolder().resolve(local(tmp_path)).etag == versions[0]
    os.utime(tmp_path / "1.jpg", ns=(1, 1))
    versions.append(LocalFolder().resolve(local(tmp_path)).etag)
    (tmp_path / "1.jpg").write_bytes(b"longer than before")
    os.utime(tmp_path / "1.jpg", ns=(1, 1))
    versions.append(LocalFolder().resolve(local(tmp_path)).etag)
    (tmp_path / "1.jpg").rename(tmp_path / "0.jpg")
    versions.append(LocalFolder().resolve(local(tmp_path)).etag)
    assert len(set(versions)) == 4
    (tmp_path / "notes.txt").write_text("not a page")
    assert LocalFolder().resolve(local(tmp_path)).etag == versions[-1]


def test_a_folder_that_is_not_there_is_not_created(tmp_path: Path) -> None:
    volume = Volume(local(tmp_path / "none"), bytes(16), "000000", (Page(0, "1.jpg"),))
    with pytest.raises(ManifestMissing, match="no folder"):
        LocalFolder().resolve(volume.ref)
    with pytest.raises(PageError):
        LocalFolder().read_page(volume, volume.pages[0])
    assert not (tmp_path / "none").exists()


ODD = (b"two\nlines.jpg", b"a\\b.jpg", b"caf\xe9.jpg", b"\x1b[2J.jpg")


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_name_fails_one_page_and_stops_no_other(tmp_path: Path, odd: bytes) -> None:
    touch(tmp_path, "1.jpg", "z2.jpg")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + odd)).write_bytes(b"x")
    volume = LocalFolder().resolve(local(tmp_path))
    assert len(volume.pages) == 3
    failed = []
    for page in volume.pages:
        page.filename.encode()  # a table can hold it
        try:
            LocalFolder().read_page(volume, page)
        except PageError as error:
            failed.append((page.filename, error.error_type, error.retryable))
    ((name, kind, retryable),) = failed
    assert name not in ("1.jpg", "z2.jpg")
    assert (kind, retryable) == ("InvalidKey", False)


def test_a_folder_whose_name_is_no_unicode_is_a_volume(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/scans/caf\xe9\nx"))
    odd.mkdir(parents=True)
    (odd / "1.jpg").write_bytes(b"x")
    (ref,) = find_volumes(tmp_path / "scans").volumes
    volume = LocalFolder().resolve(ref)
    assert LocalFolder().read_page(volume, volume.pages[0]).data == b"x"


def test_one_folder_that_cannot_be_read_leaves_a_listing_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1").write_bytes(b"x")
    real = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert [info.key for info in FileStore(tmp_path).list()] == ["b/1"]
    with pytest.raises(StorageError):
        FileStore(tmp_path).list("a")


def test_natural_order() -> None:
    names = ["b", "a10", "a2", "A1", "a", "10", "9", "༢", "༡༠", "a2b10", "a2b9", "a02", ""]
    assert sorted(names, key=natural_key) == [
        "",
        "༢",
        "9",
        "10",
        "༡༠",
        "a",
        "A1",
        "a02",
        "a2",
        "a2b9",
        "a2b10",
        "a10",
        "b",
    ]


# The registry -----------------------------------------------------------------------------------------


def test_the_registry_picks_by_name(tmp_path: Path, store: FileStore) -> None:
    put_manifest(store, "1.jpg")
    bench = FileStore(tmp_path / "bench")
    bench.put("ocr_benchmark/images/W1/I1/v1/1.jpg", b"x")
    touch(tmp_path / "scans", "1.jpg")
    sources = stored_sources(store.url, bench.url, own_runs=True)
    for ref in (REF, VolumeRef("W1", "I1", "ocr_benchmark", "v1"), local(tmp_path / "scans")):
        assert len(sources.resolve(ref).pages) == 1
    assert sources.read_page(sources.resolve(local(tmp_path / "scans")), Page(0, "1.jpg")).data == b"1.jpg"


@pytest.mark.parametrize("name", ["http://evil", "s3://other/bucket", "nobody"])
def test_a_message_that_names_no_source_that_is_here_is_invalid(name: str) -> None:
    sources = stored_sources("s3://archive", "s3://bench")
    with pytest.raises(InvalidMessage, match="there is no source"):
        sources.resolve(VolumeRef("W1", "I1", name))


def test_a_message_makes_no_cloud_worker_read_its_files(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg")
    sources = stored_sources("s3://archive", "s3://bench")
    with pytest.raises(InvalidMessage, match="folders of this machine are not a source here"):
        sources.resolve(local(tmp_path))
    volume = LocalFolder().resolve(local(tmp_path))
    with pytest.raises(InvalidMessage):
        sources.read_page(volume, volume.pages[0])


@pytest.mark.parametrize("source", ["other", "s3://x/y", "", "BDRC", "bdrc ", "FILE:///etc"])
def test_an_unknown_source_names_the_known_ones(source: str) -> None:
    sources = stored_sources("file:///none", "file:///none", own_runs=True)
    with pytest.raises(InvalidMessage, match="known: bdrc, file, ocr_benchmark"):
        sources.resolve(VolumeRef("W1", "I1", source))


@pytest.mark.parametrize("source", ["file:", "file:relative", "file://host/x", "file:///x?y"])
def test_a_folders_url_must_be_one(source: str) -> None:
    with pytest.raises(InvalidMessage):
        folder_sources().resolve(VolumeRef("W1", "I1", source))


def test_a_source_is_opened_when_first_needed(store: FileStore, tmp_path: Path) -> None:
    opened = []

    def opener(one: SourceType) -> Source:
        opened.append(one.name)
        return BdrcArchive(store)

    put_manifest(store, "1.jpg")
    sources = Sources(bec_sources(), opener, own_runs=True)
    assert opened == []
    sources.resolve(REF)
    sources.resolve(REF)
    assert opened == ["bdrc"]


# Finding volumes --------------------------------------------------------------------------------------


def test_every_folder_with_images_is_a_volume(tmp_path: Path) -> None:
    top = tmp_path / "Kangyur"
    for folder in ("vol10", "vol2", "deep/er/vol1", ".hidden/v", "out/ldv1"):
        touch(top / folder, "1.jpg")
    touch(top / "empty", "notes.txt")
    (top / "vol2" / "loop").symlink_to(top)
    (top / "vol11").symlink_to(top / "vol10")
    found = find_volumes(top, skip=top / "out").volumes
    assert [(v.w_id, v.i_id) for v in found] == [
        ("Kangyur", "deep--er--vol1"),
        ("Kangyur", "vol2"),
        ("Kangyur", "vol10"),
    ]
    assert [v.source for v in found] == [(top / p).as_uri() for p in ("deep/er/vol1", "vol2", "vol10")]
    assert all(len(LocalFolder().resolve(ref).pages) == 1 for ref in found)


def test_ids_are_unique_stable_and_valid(tmp_path: Path) -> None:
    top = tmp_path / "བཀའ་འགྱུར"
    folders = ["ཀ", "ཁ", "a b", "a-b", "a/b", "a--b", "a_b", "_x", "..x", "x" * 200, "x" * 199 + "y",
               "deep/" * 60 + "x", "deep/" * 60 + "y", "vol 1", "Vol 1", "-", "CON.jpg"]  # fmt: skip
    for folder in folders:
        touch(top / folder, "1.jpg")
    touch(top, "1.jpg")
    found = find_volumes(top).volumes
    hidden = 1  # '..x' starts with a dot
    assert len(found) == len(folders) + 1 - hidden
    assert len({v.i_id for v in found}) == len(found)
    for ref in found:
        check_id(ref.w_id, "w_id")
        check_id(ref.i_id, "i_id")
    assert find_volumes(top).volumes == found
    assert {v.w_id for v in found} == {found[0].w_id}
    by_path = {v.source: v.i_id for v in found}
    touch(top / "new folder", "1.jpg")
    assert by_path.items() < {v.source: v.i_id for v in find_volumes(top).volumes}.items()


def test_the_top_folder_may_be_a_volume_itself(tmp_path: Path) -> None:
    touch(tmp_path / "scans", "1.jpg")
    touch(tmp_path / "scans" / "scans", "1.jpg")
    first, second = find_volumes(tmp_path / "scans").volumes
    assert (first.w_id, first.i_id) == ("scans", "scans")
    assert second.i_id.startswith("scans-")


def test_no_folder_to_search(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg")
    for path in (tmp_path / "none", tmp_path / "1.jpg"):
        with pytest.raises(SettingsError, match="is not a folder"):
            find_volumes(path)
    assert find_volumes(tmp_path / "..", skip=tmp_path / "..").volumes == ()


def test_all_that_can_be_decoded_is_a_page_and_the_rest_is_counted(tmp_path: Path) -> None:
    top = tmp_path / "scans"
    pages_there = ["1.jp2", "2.JPX", "3.j2k", "4.webp", "5.bmp", "6.gif", "7.tiff"]
    touch(top, *pages_there, "._1.jp2", "._x", ".DS_Store", "a.txt", "b.TXT", "c.xml", "README", "d.pdf")
    touch(top / "texts", "e.txt")
    touch(top / ".hidden", "f.txt")
    found = find_volumes(top, files={".pdf": "pdf"})
    assert [ref.source_name for ref in found.volumes] == ["file", "pdf"]
    assert [page.filename for page in LocalFolder().resolve(found.volumes[0]).pages] == pages_there
    assert found.left_out == {".txt": 3, ".xml": 1, "._*": 2, "files without an ending": 1}
    assert left_out_words(found.left_out) == "3 .txt, 2 ._*, 1 .xml, 1 files without an ending"


def test_what_others_and_we_put_into_a_folder_is_no_volume(tmp_path: Path) -> None:
    top = tmp_path / "scans"
    touch(top / "vol1", "1.jpg")
    touch(top / "vol1" / "@eaDir" / "1.jpg", "SYNOPHOTO_THUMB_XL.jpg")
    touch(top / "__MACOSX", "1.jpg")
    touch(top / "earlier" / "ldv1" / "scans" / "vol1" / "0a1b2c", "success.json", "scans.parquet", "crop.png")
    touch(top / "earlier" / "report" / "scans-vol1", "index.html", "volume.json")
    touch(top / "earlier" / "report" / "scans-vol1" / "pages", "0001.jpg")
    found = find_volumes(top)
    assert [ref.i_id for ref in found.volumes] == ["vol1"]
    assert found.left_out == {}


def test_links_out_of_the_folder_are_no_volumes(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", "1.jpg", "1.pdf")
    top = tmp_path / "scans"
    touch(top / "vol1", "1.jpg", "1.pdf")
    (top / "out").symlink_to(tmp_path / "elsewhere")
    (top / "out.pdf").symlink_to(tmp_path / "elsewhere" / "1.pdf")
    (top / "in").symlink_to(top / "vol1")
    (top / "vol1" / "2.jpg").symlink_to(tmp_path / "elsewhere" / "1.jpg")
    found = find_volumes(top, files={".pdf": "pdf"})
    assert [ref.i_id for ref in found.volumes] == ["in", "in--1.pdf"]
    assert found.left_out == {"links out of the folder": 2}
    assert len(LocalFolder().resolve(found.volumes[0]).pages) == 2, "a page may be a link to anywhere"
    (tmp_path / "link").symlink_to(top)
    assert find_volumes(tmp_path / "link", files={".pdf": "pdf"}) == found
