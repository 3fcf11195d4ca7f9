"""Large artifacts: written to a file without a name, hashed as they grow, published from there by both stores."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from bec_core.artifacts import ArtifactStream, artifact_of
from bec_core.errors import ObjectChanged, ObjectNotFound, StorageError, StorageRefused
from bec_core.storage import FileBody, S3Options, Store, open_store
from bec_core.testing.checksum_job import CHECKSUM
from bec_core.testing.local import LocalTask, local_worker, write_pages
from support.bad_network import Fault, FaultyProxy


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[IO[bytes]]]:
    """The streams' files, closed after the test: whose they are is not what is tested."""
    files: list[IO[bytes]] = []
    make = tempfile.TemporaryFile

    def remember(**keywords: Any) -> IO[bytes]:
        files.append(make(**keywords))
        return files[-1]

    monkeypatch.setattr("bec_core.artifacts.stream.tempfile.TemporaryFile", remember)
    yield files
    for file in files:
        file.close()


@pytest.fixture(params=["file", "s3", "s3-large"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "file":
        return open_store((tmp_path / "store").as_uri())
    if request.param == "s3-large":
        monkeypatch.setattr("bec_core.storage.s3._IN_MEMORY", 1000)
    bucket = request.getfixturevalue("bucket")
    url = request.getfixturevalue("aws")
    return open_store(f"s3://{bucket}/pre", s3=S3Options(region="us-east-1", endpoint_url=url))


def staged(data: bytes) -> FileBody:
    stream = ArtifactStream(None)
    for at in range(0, len(data), 70_000):
        assert stream.write(data[at : at + 70_000]) == len(data[at : at + 70_000])
    stream.close()
    return stream.staged()


def test_what_is_written_is_counted_and_hashed() -> None:
    data = os.urandom(3_000_000)
    body = staged(data)
    assert (body.size, body.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert body.md5 == hashlib.md5(data).hexdigest()
    assert body.read() == body.read() == data
    assert artifact_of("a", body) == artifact_of("a", data)


def test_libraries_can_write_to_it() -> None:
    stream = ArtifactStream(None)
    with zipfile.ZipFile(stream, "w") as archive:  # type: ignore[call-overload]  # a stream without seek
        archive.writestr("a.txt", "ཀ" * 1000)
    assert zipfile.ZipFile(io.BytesIO(stream.staged().read())).read("a.txt").decode() == "ཀ" * 1000
    text = ArtifactStream(None)
    with io.TextIOWrapper(text, encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(["ཀ", 1])
    assert text.closed
    assert text.staged().read() == "ཀ,1\r\n".encode()


def test_parquet_can_be_written_to_it() -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = ArtifactStream(None)
    table = pa.table({"a": list(range(5000))})
    with pq.ParquetWriter(stream, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=500):
            writer.write_batch(batch)
    assert pq.read_table(io.BytesIO(stream.staged().read())) == table


def test_it_can_not_be_written_anywhere_but_at_its_end() -> None:
    stream = ArtifactStream(None)
    stream.write(b"abc")
    assert (stream.tell(), stream.seekable(), stream.readable()) == (3, False, False)
    with pytest.raises(io.UnsupportedOperation):
        stream.seek(0)
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        stream.write(b"d")


def test_it_has_no_name_in_its_folder(tmp_path: Path) -> None:
    stream = ArtifactStream(tmp_path)
    stream.write(b"x" * 100_000)
    assert list(tmp_path.iterdir()) == []
    stream.discard()


# -- in a task ----------------------------------------------------------------------------------------------


@pytest.fixture
def task(tmp_path: Path) -> LocalTask:
    return LocalTask(CHECKSUM, write_pages(tmp_path / "pages", {"1.jpg": b"x"}))


def write_half(task: LocalTask) -> None:
    with task.open_artifact(".b") as file:
        file.write(b"half")
        raise KeyError("in the middle")


def test_a_block_that_ends_well_stages_and_one_that_fails_does_not(
    task: LocalTask, opened: list[IO[bytes]]
) -> None:
    with task.open_artifact(".a") as file:
        file.write(b"good")
    with pytest.raises(KeyError, match="in the middle"):
        write_half(task)
    with local_worker(CHECKSUM) as worker:
        outcome = task.run(worker)
    assert outcome.artifact(".a") == b"good"
    assert all(file.closed for file in opened)
    assert {name.rpartition(".")[2] for name in outcome.files} == {"a", "json"}
    listed = {one["name"]: one for one in outcome.marker["artifacts"]}
    assert listed[f"{task.basename}.a"]["sha256"] == hashlib.sha256(b"good").hexdigest()


@pytest.mark.parametrize("suffix", ["a", "../x", "-errors.jsonl", ""])
def test_the_suffix_is_checked_before_anything_is_written(task: LocalTask, suffix: str) -> None:
    with pytest.raises(ValueError, match="can't be an artifact's suffix"), task.open_artifact(suffix):
        raise AssertionError("the block must not begin")


# -- in the stores ------------------------------------------------------------------------------------------


def test_both_stores_take_it_as_they_take_bytes(store: Store) -> None:
    data = os.urandom(2_500_000)
    body = staged(data)
    etag = store.swap("deep/er/a.bin", body, if_etag=None)
    assert store.get("deep/er/a.bin").data == data
    assert store.head("deep/er/a.bin").etag == etag
    if store.etags_are_md5:
        assert etag == body.md5
    assert b"".join(store.chunks("deep/er/a.bin")) == data
    with pytest.raises(ObjectChanged):
        store.swap("deep/er/a.bin", body, if_etag=None)
    with pytest.raises(ObjectChanged):
        store.swap("deep/er/a.bin", body, if_etag="0" * 32)
    with pytest.raises(ObjectChanged):
        store.swap("gone", body, if_etag="0" * 32)
    other = staged(os.urandom(1_200_000))
    assert store.swap("deep/er/a.bin", other, if_etag=etag) != etag
    assert store.get("deep/er/a.bin").data == other.read()


def test_a_missing_object_has_no_chunks(store: Store) -> None:
    with pytest.raises(ObjectNotFound):
        list(store.chunks("none"))
    store.put("empty", b"")
    assert b"".join(store.chunks("empty")) == b""


@pytest.fixture
def remote(bucket: str, impatient: S3Options, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("bec_core.storage.s3._IN_MEMORY", 1000)
    return open_store(f"s3://{bucket}/root", s3=impatient)


def test_a_busy_service_is_asked_again(remote: Store, proxy: FaultyProxy) -> None:
    body = staged(os.urandom(200_000))
    proxy.fail(Fault("status", status=503), times=2)
    assert remote.swap("a", body, if_etag=None) == body.md5
    assert remote.get("a").data == body.read()


def test_a_write_whose_answer_was_lost_is_ours(remote: Store, proxy: FaultyProxy) -> None:
    body = staged(os.urandom(200_000))
    proxy.fail(Fault("lose_answer"), times=1)
    assert remote.swap("a", body, if_etag=None) == body.md5


def test_a_refusal_is_said_and_not_repeated(remote: Store, proxy: FaultyProxy) -> None:
    proxy.fail(Fault("status", status=403), times=9)
    with pytest.raises(StorageRefused):
        remote.swap("a", staged(b"x" * 2000), if_etag=None)


def test_a_missing_bucket_is_said(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bec_core.storage.s3._IN_MEMORY", 1000)
    store = open_store("s3://no-such-bucket/x", s3=S3Options(region="us-east-1", endpoint_url=aws))
    with pytest.raises(StorageError, match="NoSuchBucket"):
        store.swap("a", staged(b"x" * 2000), if_etag=None)


def test_what_s3_can_not_take_in_one_piece_is_refused_at_once(
    bucket: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bec_core.storage.s3.LARGEST", 5000)
    store = open_store(f"s3://{bucket}", s3=S3Options(region="us-east-1", endpoint_url=aws))
    with pytest.raises(StorageRefused, match="let the job write several artifacts"):
        store.swap("a", staged(b"x" * 6000), if_etag=None)


_LARGE = """
import resource, sys
from bec_core.artifacts import ArtifactStream
from bec_core.artifacts.damage import damage_of
from bec_core.artifacts.marker import Marker
from bec_core.storage import S3Options, open_store

s3 = S3Options(region="us-east-1", endpoint_url=sys.argv[2]) if len(sys.argv) > 2 else None
store = open_store(sys.argv[1], s3=s3)
store.put("warm", b"x")
stream = ArtifactStream(None)
piece = bytes(1 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(200):
    stream.write(piece)
stream.close()
body = stream.staged()
store.swap("large", body, if_etag=None)
listed = {"artifacts": [{"name": "large", "size": body.size, "sha256": body.sha256}]}
assert list(damage_of(store, "", Marker(listed))) == []
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "s3"])
def test_two_hundred_megabytes_never_are_in_memory(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place = [tmp_path.as_uri()]
    if kind == "s3":
        place = [f"s3://{request.getfixturevalue('bucket')}/x", request.getfixturevalue("aws")]
    ended = subprocess.run(
        [sys.executable, "-c", _LARGE, *place], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 90_000, "kilobytes more in memory than before"


def test_a_temporary_file_is_written_read_and_gone(task: LocalTask) -> None:
    with task.temporary_file() as file:
        file.write(b"so much")
        file.seek(0)
        assert file.read() == b"so much"
    assert file.closed
    assert task.files() == {}
