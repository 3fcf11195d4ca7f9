"""One conformance suite for both stores, then what each promises when the world behaves badly."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bec_core.errors import ObjectChanged, ObjectNotFound, SettingsError, StorageError
from bec_core.storage import FileStore, ObjectTooLarge, S3Options, Store, open_store
from support.bad_network import Fault, FaultyProxy


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "file":
        return open_store((tmp_path / "store").as_uri())
    bucket = request.getfixturevalue("bucket")
    url = request.getfixturevalue("aws")
    return open_store(f"s3://{bucket}/pre/fix", s3=S3Options(region="us-east-1", endpoint_url=url))


@pytest.fixture
def remote(bucket: str, impatient: S3Options) -> Store:
    return open_store(f"s3://{bucket}/root", s3=impatient)


def test_what_is_put_can_be_read(store: Store) -> None:
    for key in ("a", "deep/er/page 1.jpg", "ཀ་ཁ/a%20b#1.jpg"):
        data = os.urandom(3000)
        etag = store.put(key, data)
        found = store.get(key)
        assert (found.data, found.etag, found.uri) == (data, etag, store.uri(key))
        head = store.head(key)
        assert (head.key, head.size, head.etag) == (key, 3000, etag)
        assert abs(head.last_modified.timestamp() - time.time()) < 60
        assert '"' not in str(etag)
        if store.etags_are_md5:
            assert etag == hashlib.md5(data).hexdigest()


def test_an_empty_object_is_an_object(store: Store) -> None:
    store.put("empty", b"")
    assert store.get("empty").data == b""
    assert store.exists("empty")


def test_a_missing_object_has_its_error(store: Store) -> None:
    store.put("file", b"x")
    for key in ("none", "file/below", "fil"):
        assert not store.exists(key)
        for read in (store.get, store.head):
            with pytest.raises(ObjectNotFound, match=key):
                read(key)
    store.delete("none")
    assert store.list("none") == []


def test_listing_is_sorted_and_stays_in_its_folder(store: Store) -> None:
    for key in ("v/b.jpg", "v/a.jpg", "v/sub/c.jpg", "vv/d.jpg", "top"):
        store.put(key, key.encode())
    assert [o.key for o in store.list()] == ["top", "v/a.jpg", "v/b.jpg", "v/sub/c.jpg", "vv/d.jpg"]
    assert [o.key for o in store.list(recursive=False)] == ["top"]
    assert [o.key for o in store.list("v", recursive=False)] == ["v/a.jpg", "v/b.jpg"]
    found = store.list("v")
    assert [o.key for o in found] == ["v/a.jpg", "v/b.jpg", "v/sub/c.jpg"]
    assert [(o.size, o.etag, o.uri) for o in found] == [
        (len(o.key), store.head(o.key).etag, store.uri(o.key)) for o in found
    ]


def test_delete_removes(store: Store) -> None:
    store.put("a/b", b"x")
    store.delete("a/b")
    assert not store.exists("a/b")
    assert store.list() == []


def test_an_object_above_the_bound_is_not_read(store: Store) -> None:
    store.put("big", b"x" * 1001)
    assert len(store.get("big", max_bytes=1001).data) == 1001
    with pytest.raises(ObjectTooLarge, match=r"1,001 bytes; at most 1,000") as caught:
        store.get("big", max_bytes=1000)
    assert not caught.value.retryable


def test_put_new_creates_once(store: Store) -> None:
    etag = store.put_new("job/success.json", b"mine")
    assert store.get("job/success.json").etag == etag
    for data in (b"other", b"mine"):
        with pytest.raises(ObjectChanged, match=r"success\.json exists already"):
            store.put_new("job/success.json", data)
    assert store.get("job/success.json").data == b"mine"
    assert [o.key for o in store.list()] == ["job/success.json"]


def test_of_many_creators_one_wins(store: Store) -> None:
    def create(n: int) -> bool:
        try:
            store.put_new("marker", str(n).encode())
        except ObjectChanged:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = [n for n, ok in enumerate(pool.map(create, range(40))) if ok]
    assert len(won) == 1
    assert store.get("marker").data == str(won[0]).encode()


def test_swap_replaces_only_what_was_seen(store: Store) -> None:
    first = store.put_new("m", b"1")
    second = store.swap("m", b"2", if_etag=first)
    assert second not in (first, None)
    with pytest.raises(ObjectChanged):
        store.swap("m", b"3", if_etag=first)
    assert store.get("m").data == b"2"
    assert store.get("m").etag == second
    store.delete("m")
    with pytest.raises(ObjectChanged):
        store.swap("m", b"3", if_etag=second)
    assert not store.exists("m")
    with pytest.raises(ObjectChanged):
        store.swap("never", b"3", if_etag=second)


def test_no_swap_is_lost(store: Store) -> None:
    """Eight threads count up in one object: every success must be in the sum.

    Each writes bytes of its own, as markers are: of a repeated attempt, what holds just its bytes counts as its own.
    """
    store.put_new("counter", b"0 by nobody")

    def add(thread: int) -> int:
        done = 0
        for _ in range(20):
            seen = store.get("counter")
            try:
                mine = f"{int(seen.data.split()[0]) + 1} by {thread}".encode()
                store.swap("counter", mine, if_etag=seen.etag)
                done += 1
            except ObjectChanged:
                continue
        return done

    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(add, range(8)))
    assert int(store.get("counter").data.split()[0]) == total
    assert total >= 20


def test_a_store_is_opened_again_by_its_url(store: Store) -> None:
    assert store.url.endswith(("/store", "/pre/fix"))
    assert store.uri("a").startswith(store.url + "/")


# file:// ------------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(tmp_path)
    store.put("m", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (store.put, store.put_new):
        with pytest.raises(StorageError, match="No space left on device"):
            write("m2", b"new")
    with pytest.raises(StorageError, match="No space left"):
        store.put("m", b"new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m"]
    assert store.get("m").data == b"old"


def test_without_hard_links_creation_is_still_exclusive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    test_of_many_creators_one_wins(FileStore(tmp_path))


def test_unfinished_writes_links_and_pipes_are_not_objects(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("d/a", b"1")
    (tmp_path / "d" / ".bec-tmp-0123").write_bytes(b"half")
    (tmp_path / "d" / "loop").symlink_to(tmp_path)
    (tmp_path / "d" / "dangling").symlink_to(tmp_path / "none")
    (tmp_path / "d" / "tab\tname").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    assert [o.key for o in store.list()] == ["d/a", "d/tab\tname"]
    with pytest.raises(ObjectNotFound):
        store.get("pipe")
    with pytest.raises(ObjectNotFound):
        store.get("d")


def test_what_killed_writers_left_is_removed_but_not_what_living_ones_write(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    dead, alive, young = (tmp_path / "d" / f".bec-tmp-{name}" for name in ("dead", "alive", "young"))
    dead.parent.mkdir()
    for path in (dead, alive, young):
        path.write_bytes(b"half")
    for path in (dead, alive):
        os.utime(path, (1, 1))
    with alive.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        store.put_new("d/a", b"whole")
        store.swap("d/a", b"another", if_etag=store.head("d/a").etag)
    assert {path.name for path in dead.parent.iterdir()} == {"a", alive.name, young.name}


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("a", b"1")
    with pytest.raises(StorageError, match=r"Not a directory|in the way"):
        store.put("a/b", b"2")
    with pytest.raises(StorageError, match=r"Not a directory|in the way"):
        open_store((tmp_path / "a" / "b").as_uri())


def test_two_writes_in_one_tick_have_two_etags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel stamps by its tick and reuses inodes; our own stamp is of the nanosecond."""
    store = FileStore(tmp_path)
    clock = iter(range(10**18, 10**18 + 3))
    monkeypatch.setattr(time, "time_ns", lambda: next(clock))
    etags = [str(store.put("k", b"same")) for _ in range(3)]
    assert [int(etag.split("-")[1], 16) for etag in etags] == [10**18, 10**18 + 1, 10**18 + 2]


# s3:// --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503])
def test_a_busy_service_is_asked_again(remote: Store, proxy: FaultyProxy, status: int) -> None:
    proxy.fail(Fault("status", status=status), times=2)
    remote.put("a", b"data")
    proxy.fail(Fault("status", status=status), times=2)
    assert remote.get("a").data == b"data"
    proxy.fail(Fault("status", status=status), times=2)
    assert [o.key for o in remote.list()] == ["a"]
    proxy.fail(Fault("status", status=status), times=2)
    remote.put_new("new", b"x")
    assert sum(fault == "status" for *_, fault in proxy.seen) == 8


def test_a_service_that_stays_busy_is_an_error_with_its_name(remote: Store, proxy: FaultyProxy) -> None:
    proxy.fail(Fault("status"), times=1000)
    calls: list[Callable[[], object]] = [
        lambda: remote.get("page.jpg"),
        lambda: remote.put("page.jpg", b"x"),
        lambda: remote.put_new("page.jpg", b"x"),
        lambda: remote.head("page.jpg"),
    ]
    for call in calls:
        proxy.seen.clear()
        with pytest.raises(StorageError, match=r"s3://bucket-\w+/root/page\.jpg: .*503") as caught:
            call()
        assert caught.value.retryable
        assert "\n" not in str(caught.value)
        assert len(proxy.seen) == 4


@pytest.mark.parametrize("kind", ["truncate", "stall", "hang", "drop"])
def test_a_body_that_does_not_arrive_whole_is_asked_for_again(
    remote: Store, proxy: FaultyProxy, kind: str
) -> None:
    data = os.urandom(200_000)
    remote.put("page.jpg", data)
    proxy.fail(Fault(kind), method="GET", times=1)  # type: ignore[arg-type]
    assert remote.get("page.jpg").data == data


@pytest.mark.parametrize("kind", ["truncate", "stall", "hang", "drop"])
def test_short_data_never_looks_whole(remote: Store, proxy: FaultyProxy, kind: str) -> None:
    remote.put("page.jpg", os.urandom(200_000))
    proxy.fail(Fault(kind), method="GET", times=1000)  # type: ignore[arg-type]
    started = time.monotonic()
    with pytest.raises(StorageError, match=r"root/page\.jpg: "):
        remote.get("page.jpg")
    assert time.monotonic() - started < 10


def test_an_upload_that_is_dropped_half_way_is_sent_again(remote: Store, proxy: FaultyProxy) -> None:
    data = os.urandom(2_000_000)
    for key, write in (("a", remote.put), ("b", remote.put_new)):
        proxy.fail(Fault("drop_upload"), method="PUT", times=2)
        write(key, data)
        assert remote.get(key).data == data


def test_a_marker_whose_answer_was_lost_is_ours(remote: Store, proxy: FaultyProxy) -> None:
    """The first attempt created it; the second is told that it exists. Nobody else was first."""
    proxy.fail(Fault("lose_answer"), method="PUT", times=1)
    etag = remote.put_new("success.json", b'{"attempt": 1}')
    assert remote.get("success.json").etag == etag
    proxy.fail(Fault("lose_answer"), method="PUT", times=1)
    after = remote.swap("success.json", b'{"attempt": 2}', if_etag=etag)
    assert remote.get("success.json").etag == after
    assert remote.get("success.json").data == b'{"attempt": 2}'
    with pytest.raises(ObjectChanged):
        remote.put_new("success.json", b'{"attempt": 2}')


def test_a_marker_of_another_is_not_ours_after_a_retry(remote: Store, proxy: FaultyProxy) -> None:
    remote.put("success.json", b'{"worker": "them"}')
    proxy.fail(Fault("status"), method="PUT", times=1)
    with pytest.raises(ObjectChanged):
        remote.put_new("success.json", b'{"worker": "mine"}')


def test_a_missing_bucket_is_no_missing_object(aws: str) -> None:
    store = open_store("s3://no-such-bucket-here", s3=S3Options(region="us-east-1", endpoint_url=aws))
    for call in (lambda: store.get("x"), lambda: store.put("x", b""), lambda: store.put_new("x", b"")):
        with pytest.raises(StorageError, match="no such bucket"):
            call()


def test_a_refusal_is_not_repeated(remote: Store, proxy: FaultyProxy) -> None:
    proxy.fail(Fault("status", status=403, code="AccessDenied"), times=1000)
    for call in (lambda: remote.get("x"), lambda: remote.put_new("x", b"")):
        proxy.seen.clear()
        with pytest.raises(StorageError, match="AccessDenied"):
            call()
        assert len(proxy.seen) == 1


def test_an_endpoint_that_nobody_listens_on(aws: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        options = S3Options(
            region="us-east-1", endpoint_url=f"http://127.0.0.1:{free.getsockname()[1]}", max_retries=1
        )
        with pytest.raises(StorageError, match="s3://bucket/x"):
            open_store("s3://bucket", s3=options).get("x")


def test_the_named_endpoint_wins_over_the_environment(
    bucket: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = open_store(f"s3://{bucket}", s3=S3Options(region="us-east-1", endpoint_url=aws, max_retries=0))
    store.put("a", b"1")
    assert store.get("a").data == b"1"


def test_no_credentials_is_said_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="no AWS credentials"):
        open_store("s3://bucket", s3=S3Options(region="us-east-1"))


def test_a_profile_gives_the_credentials(
    bucket: str, aws: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    credentials = tmp_path / "credentials"
    credentials.write_text("[scans]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_PROFILE", "scans")
    store = open_store(f"s3://{bucket}", s3=S3Options(region="us-east-1", endpoint_url=aws))
    store.put("a", b"1")
    assert store.get("a").data == b"1"


def test_many_threads_share_a_store(store: Store) -> None:
    keys = [uuid.uuid4().hex for _ in range(40)]
    barrier = threading.Barrier(8)

    def work(part: int) -> None:
        barrier.wait()
        for key in keys[part::8]:
            store.put(key, key.encode())
            assert store.get(key).data == key.encode()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert [o.key for o in store.list()] == sorted(keys)


def test_a_write_returns_when_the_file_and_each_new_name_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(tmp_path / "root")
    synced: list[Path] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    store.swap("W1/I1/v/a.json", b"one", if_etag=None)
    root = tmp_path / "root"
    assert synced[0].parent == root / "W1/I1/v", "the content first"
    assert set(synced[1:]) == {root, root / "W1", root / "W1/I1", root / "W1/I1/v"}
    del synced[:]
    store.swap("W1/I1/v/b.json", b"two", if_etag=None)
    assert synced[1:] == [root / "W1/I1/v"]
