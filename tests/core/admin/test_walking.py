"""Asking for what is new or has changed, by the archive's listing: on a disk and on S3."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from bec_core.admin import walking
from bec_core.admin.asking import ask
from bec_core.admin.job_making import create_job
from bec_core.admin.session import Session
from bec_core.admin.walking import Look, walk
from bec_core.archive.paths import volume_folder, volume_of_folder
from bec_core.archive.stored import BdrcArchive
from bec_core.db import volumes
from bec_core.errors import SettingsError
from bec_core.models import Job, VolumeRef
from bec_core.settings import load_settings
from support.cli import archive_objects, clean_environment, use_postgres
from support.services import PostgresServer

NEW, CHANGED = Look(new=True, changed=False), Look(new=False, changed=True)


@pytest.fixture(params=["file", "s3"])
def session(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer, tmp_path: Path
) -> Iterator[Session]:
    clean_environment(monkeypatch)
    (tmp_path / "archive").mkdir()
    place = (tmp_path / "archive").as_uri()
    if request.param == "s3":
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("aws"))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("BEC_REGION", "us-east-1")
        place = f"s3://{request.getfixturevalue('bucket')}"
    database = f"t_{uuid.uuid4().hex}"
    postgres.new_database(database)
    use_postgres(monkeypatch, postgres, database)
    monkeypatch.setenv("BEC_SOURCE_URL", place)
    monkeypatch.setenv("BEC_DEST_URL", (tmp_path / "artifacts").as_uri())
    with Session(load_settings(), connections=8) as opened:
        yield opened


@pytest.fixture
def job(session: Session) -> Job:
    return create_job(session, name="checksum", job_type="checksum").job


def put(session: Session, w_id: str, i_id: str, *pages: bytes) -> None:
    place = session.settings.source_location
    for key, data in archive_objects(w_id, i_id, pages):
        if place.startswith("s3://"):
            client: Any = boto3.client(
                "s3", endpoint_url=session.settings.endpoint_url, region_name="us-east-1"
            )
            client.put_object(Bucket=place.removeprefix("s3://"), Key=key, Body=data)
        else:
            path = Path(place.removeprefix("file://")) / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def done(session: Session, job: Job, w_id: str, i_id: str) -> None:
    """The volume was done as it is now."""
    volume = session.sources.resolve(VolumeRef(w_id, i_id))
    with session.database.connection() as connection:
        volume_id = volumes.upsert(connection, volume)
        connection.execute(
            "INSERT INTO task_executions (job_id, volume_id, s3_etag, version, status, done_at)"
            " VALUES (%s, %s, %s, %s, 'done', now())",
            (job.id, volume_id, volume.etag, volume.version),
        )
        connection.execute(
            "INSERT INTO ledger (job_id, volume_id, source, state) VALUES (%s, %s, 'bdrc', 'done')"
            " ON CONFLICT (job_id, volume_id) DO UPDATE SET state = 'done'",
            (job.id, volume_id),
        )


def names(refs: Any) -> set[str]:
    return {str(ref) for ref in refs}


def test_what_is_new_and_what_has_changed(session: Session, job: Job) -> None:
    for w_id, i_id in (("W1", "I0001"), ("W1", "I0002"), ("W2", "I2KG55"), ("W3", "I0001")):
        put(session, w_id, i_id, b"a")
    done(session, job, "W1", "I0001")
    done(session, job, "W1", "I0002")
    ask(session, job, [VolumeRef("W3", "I0001")])
    put(session, "W1", "I0002", b"a", b"b")

    dry = walk(session, job, Look(new=True, changed=True), dry_run=True)
    assert names(dry.asked.sent) == {"W1/I0002", "W2/I2KG55"}
    assert names(walk(session, job, CHANGED).asked.sent) == {"W1/I0002"}
    first = walk(session, job, NEW)
    assert names(first.asked.sent) == {"W2/I2KG55"}
    assert (first.parts, first.seen, first.volumes) == (256, 256, 4)
    again = walk(session, job, Look(new=True, changed=True))
    assert again.asked.sent == ()


def test_a_walk_goes_on_where_it_was_interrupted_and_begins_anew_once_it_is_over(
    session: Session, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        put(session, f"W{number}", "I0001", b"a")
    archive = session.sources.opened("bdrc")
    assert isinstance(archive, BdrcArchive)
    listed: list[str] = []
    real = archive.list_part

    def list_part(part: str) -> Any:
        listed.append(part)
        if part == "80" and len(listed) < 256:
            raise KeyboardInterrupt
        return real(part)

    monkeypatch.setattr(walking, "_AHEAD", 1)
    monkeypatch.setattr(archive, "list_part", list_part)
    with pytest.raises(KeyboardInterrupt):
        walk(session, job, NEW)
    before = len(listed)
    assert before == 129
    monkeypatch.setattr(archive, "list_part", lambda part: (listed.append(part), real(part))[1])
    rest = walk(session, job, NEW)
    assert (rest.seen_before, rest.seen, listed[before]) == (128, 128, "80")
    with session.database.connection() as connection:
        row = connection.execute("SELECT count(*) FROM ledger WHERE state = 'waiting'").fetchone()
    assert row == (12,)
    assert walk(session, job, NEW).seen_before == 0


def test_a_limit_breaks_off_and_the_next_walk_has_the_rest(session: Session, job: Job) -> None:
    for number in range(5):
        put(session, f"W{number}", "I0001", b"a")
    found: set[str] = set()
    for expected in (2, 2, 1):
        asked = walk(session, job, NEW, limit=2).asked
        assert len(asked.sent) == expected
        found |= names(asked.sent)
    assert len(found) == 5


def test_a_source_without_a_listing_is_refused(session: Session, job: Job) -> None:
    with pytest.raises(SettingsError, match="file can't be listed"):
        walk(session, job, NEW, source="file")
    with pytest.raises(SettingsError, match="no source 'nowhere'"):
        walk(session, job, NEW, source="nowhere")


@pytest.mark.parametrize(
    "ids", [("W22084", "I0886"), ("W1KG13780", "I1KG15541"), ("W1", "I00001"), ("W1", "x-1")]
)
def test_a_folder_tells_its_volume(ids: tuple[str, str]) -> None:
    assert volume_of_folder(volume_folder(*ids)) == ids


@pytest.mark.parametrize(
    "folder",
    ["Works/00/W1/images/W1-0001", "Works/c4/W1/scans/W1-1", "Works/c4/W1", "", "a/b/c/d/e", "Works/../W1/images/x"],
)  # fmt: skip
def test_a_folder_that_is_no_volumes_tells_none(folder: str) -> None:
    assert volume_of_folder(folder) is None
