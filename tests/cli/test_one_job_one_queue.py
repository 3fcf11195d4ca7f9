"""Jobs don't share queues, and several that start at once make one job."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bec_core.admin.job_making import ensure_job
from bec_core.admin.jobs import list_jobs
from bec_core.admin.session import Session
from bec_core.admin.volume_list import parse_volume, parse_volumes
from bec_core.errors import SettingsError
from bec_core.settings import load_settings
from support.cli import Bec, write_archive_volume


def test_one_url_for_queue_and_dead_letters_is_refused(bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    url = "postgres:///bec_checksum_tasks"
    ended = bec(
        "jobs", "create", "--name", "other", "--type", "checksum", "--queue-url", url, "--dlq-url", url
    )
    assert ended.code == 4
    assert "give two" in ended.err


@pytest.mark.parametrize("swapped", [False, True])
def test_another_jobs_queue_is_refused_by_the_jobs_name(bec: Bec, swapped: bool) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    urls = ["postgres:///bec_checksum_tasks", "postgres:///bec_checksum_dlq"]
    urls = urls[::-1] if swapped else urls
    ended = bec(
        "jobs",
        "create",
        "--name",
        "other",
        "--type",
        "checksum",
        "--queue-url",
        urls[0],
        "--dlq-url",
        urls[1],
    )
    assert ended.code == 4
    assert "job checksum uses" in ended.err
    assert [job["name"] for job in bec.ok("jobs", "list", "--json").json] == ["checksum"]


@pytest.mark.parametrize("kind", ["postgres", "sqs"])
def test_six_that_start_at_once_make_one_job(
    bec: Bec, kind: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEC_QUEUE", kind)
    monkeypatch.setenv("BEC_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    name = f"race-{kind}"
    together = threading.Barrier(6)

    def start() -> int:
        with Session(load_settings()) as session:
            list_jobs(session)  # connected before the race begins
            together.wait(30)
            return ensure_job(session, name=name, job_type="checksum", config={}).id

    with ThreadPoolExecutor(6) as pool:
        ids = [future.result(60) for future in [pool.submit(start) for _ in range(6)]]
    assert len(set(ids)) == 1
    assert [job["name"] for job in bec.ok("jobs", "list", "--json").json] == [name]


@pytest.mark.parametrize(
    "header", ["w_id,i_id", "W_ID,I_ID", "work,volume", "\ufeffwork_id;image_group", "w_id\ti_id\tversion"]
)
def test_a_csv_header_is_no_volume(header: str) -> None:
    refs = parse_volumes([header, "W1,I1"], where="v.csv", find=lambda text: [parse_volume(text)])
    assert [(ref.w_id, ref.i_id) for ref in refs] == [("W1", "I1")]


def test_only_the_first_line_can_be_a_header_and_no_volume_is_one() -> None:
    assert (
        len(
            parse_volumes(
                ["W22084,I0886", "w_id,i_id"], where="v.csv", find=lambda text: [parse_volume(text)]
            )
        )
        == 2
    )
    assert (
        len(parse_volumes(["work1,volume2", "W1,I1"], where="v.csv", find=lambda text: [parse_volume(text)]))
        == 2
    )
    with pytest.raises(SettingsError):
        parse_volumes(["nonsense"], where="v.csv", find=lambda text: [parse_volume(text)])


def test_volumes_show_says_where_the_task_put_its_artifacts(bec: Bec, tmp_path: Path) -> None:
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"a"])
    bec.ok("jobs", "create", "--name", "checksum")
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0001")
    bec.ok("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")
    with Session(load_settings()) as session, session.database.connection() as connection:
        connection.execute("UPDATE task_executions SET artifact_root = 'elsewhere'")
    (volume,) = bec.ok("volumes", "show", "W1,I0001", "--json").json
    assert "/elsewhere/W1/I0001/" in volume["tasks"][0]["artifacts"]
