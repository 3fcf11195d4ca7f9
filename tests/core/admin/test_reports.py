"""Reports: one volume that can't be read never stops the others, and volumes lie where their rows say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bec_core.admin import reports
from bec_core.admin.job_making import update_config
from bec_core.admin.jobs import find_job
from bec_core.admin.session import Session
from bec_core.errors import StorageError
from bec_core.models import Work
from bec_core.settings import load_settings
from bec_core.storage.files import FileStore
from support.cli import Bec, write_archive_volume

NAMES = ["I0001", "I0002", "I0003"]


@pytest.fixture
def session(bec: Bec, tmp_path: Path) -> Iterator[Session]:
    bec.ok("jobs", "create", "--name", "checksum")
    for number, name in enumerate(NAMES):
        write_archive_volume(tmp_path / "archive", "W1", name, [b"page %d" % number])
        bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", f"W1,{name}")
    bec.ok("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")
    with Session(load_settings()) as opened:
        yield opened


def folder(tmp_path: Path, name: str) -> Path:
    return next((tmp_path / "artifacts/checksum/W1" / name).iterdir())


def shown(session: Session) -> list[str]:
    job = find_job(session, "checksum")
    return sorted(
        one.volume.ref.i_id
        for one in reports.finished_volumes(session, job, reports.done_volumes(session, job))
    )


def test_a_volume_knows_its_page_in_bec_serve(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    job = find_job(session, "checksum")
    refs = reports.done_volumes(session, job)
    assert {one.served_at for one in reports.finished_volumes(session, job, refs)} == {None}
    monkeypatch.setenv("BEC_SERVE_URL", "http://bec.example")
    with Session(load_settings()) as other:
        found = sorted(str(one.served_at) for one in reports.finished_volumes(other, job, refs))
    assert found == [f"http://bec.example/jobs/checksum/volumes/W1/{name}" for name in NAMES]


def test_a_volume_with_a_missing_artifact_is_left_out_and_the_others_are_shown(
    session: Session, tmp_path: Path
) -> None:
    assert shown(session) == NAMES
    next(path for path in folder(tmp_path, "I0002").iterdir() if path.name != "success.json").unlink()
    assert shown(session) == ["I0001", "I0003"]


def test_a_volume_whose_manifest_is_no_manifest_is_left_out_and_the_others_are_shown(
    session: Session, tmp_path: Path
) -> None:
    manifest = sorted((tmp_path / "archive").rglob("dimensions.json"))[0]
    manifest.write_bytes(b"no manifest")
    assert shown(session) == ["I0002", "I0003"]


def test_a_volume_whose_marker_can_not_be_read_is_left_out_and_the_others_are_shown(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = FileStore.get

    def refuse(self: FileStore, key: str, **kwargs: int) -> object:
        if "/I0003/" in key and key.endswith("success.json"):
            raise StorageError(f"{key}: 403 AccessDenied")
        return get(self, key, **kwargs)

    monkeypatch.setattr(FileStore, "get", refuse)
    assert shown(session) == ["I0001", "I0002"]


def test_a_volume_knows_what_the_catalogue_says_of_its_work(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "works.csv").write_text("work,title\nW1,The Jewel\n")
    monkeypatch.setenv("BEC_CATALOGUE", str(tmp_path / "works.csv"))
    monkeypatch.setenv("BEC_CATALOGUE_LINK", "https://example.org/{work}")
    job = find_job(session, "checksum")
    (ref, *_) = reports.done_volumes(session, job)
    (before,) = reports.finished_volumes(session, job, [ref])
    with Session(load_settings()) as configured:
        (after,) = reports.finished_volumes(configured, job, [ref])
    assert (before.work, after.work) == (Work(), Work("The Jewel", "https://example.org/W1"))


def test_what_was_done_before_the_prefix_changed_is_found_where_it_lies(session: Session) -> None:
    update_config(session, find_job(session, "checksum"), {"artifact_prefix": "elsewhere"})
    assert shown(session) == NAMES
