"""``bec jobs``: creating, changing, marking, deleting, and the figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.cli import Bec, write_archive_volume

CONFIG = '{"page_ms": 1.5, "max_attempts": 2}'


def test_creating_a_job_makes_its_queues_and_says_so(bec: Bec) -> None:
    made = bec.ok("jobs", "create", "--name", "checksum", "--config-text", CONFIG)
    assert made.out == (
        "✓ Created queue: postgres:///bec_checksum_tasks\n"
        "✓ Created DLQ: postgres:///bec_checksum_dlq\n"
        "✓ Created job: id=1, name=checksum\n"
    )
    assert made.err == "Creating PostgreSQL queues for job 'checksum'...\n"


def test_queues_that_exist_are_used(bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    bec.ok("jobs", "delete", "checksum", "--yes")
    again = bec.ok("jobs", "create", "--name", "checksum")
    assert "✓ Using existing queue: postgres:///bec_checksum_tasks\n" in again.out


def test_custom_queues_must_exist(bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    urls = ["--queue-url", "postgres:///bec_checksum_tasks", "--dlq-url", "postgres:///bec_checksum_dlq"]
    bec.ok("jobs", "delete", "checksum", "--yes")  # its queues stay
    made = bec.ok("jobs", "create", "--name", "other", "--type", "checksum", *urls)
    assert "✓ Using existing queue: postgres:///bec_checksum_tasks" in made.out
    missing = bec(
        "jobs", "create", "--name", "third", "--type", "checksum", *urls[:2], "--dlq-url", "postgres:///nope"
    )
    assert missing.code == 3
    assert "there is no queue 'nope'" in missing.err
    assert bec("jobs", "create", "--name", "third", "--type", "checksum", *urls[:2]).code == 2


def test_a_bad_config_is_refused_with_every_path_and_nothing_is_created(bec: Bec) -> None:
    bad = bec(
        "jobs",
        "create",
        "--name",
        "checksum",
        "--config-text",
        '{"page_ms": -1, "pagems": 3, "max_attempts": "2"}',
    )
    assert bad.code == 2
    for part in ("page_ms", "pagems is unknown", "max_attempts", "0 to 60000"):
        assert part in bad.err
    assert "Creating" not in bad.err
    assert bec.ok("jobs", "list", "--json").json == []


def test_a_config_file_that_is_no_object_is_named(bec: Bec, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("[1]")
    refused = bec("jobs", "create", "--name", "checksum", "--config", str(file))
    assert refused.code == 2
    assert f"{file} must be a JSON object" in refused.err
    file.write_text("{,")
    assert f"{file} is not JSON" in bec("jobs", "create", "--name", "checksum", "--config", str(file)).err
    file.write_bytes(b'{"a": "\xff"}')
    assert (
        f"{file} is no text in UTF-8"
        in bec("jobs", "create", "--name", "checksum", "--config", str(file)).err
    )


def test_a_config_that_is_not_there_is_named_and_json_is_told_where_it_goes(bec: Bec, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    run = ("run", "checksum", str(tmp_path / "scans"), "--config")
    for given, hint in (("nowhere.json", False), (CONFIG, True)):
        refused = bec(*run, given)
        assert refused.code == 2
        assert f"--config {given} can't be read: No such file or directory" in refused.err
        assert ("--config-text" in refused.err) == hint


@pytest.mark.parametrize("name", ["with space", "-x", "a" * 61, "", "123", "ä"])
def test_names_that_queues_cannot_have_are_refused(bec: Bec, name: str) -> None:
    assert bec("jobs", "create", "--name", name).code == 2


def test_a_job_of_the_same_name_is_a_conflict(bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    again = bec("jobs", "create", "--name", "checksum")
    assert again.code == 4
    assert "there is a job named 'checksum' already; see: bec jobs show checksum" in again.err


def test_a_job_type_that_nobody_brings_is_a_warning(bec: Bec) -> None:
    made = bec.ok("jobs", "create", "--name", "nobody", "--config-text", '{"lang": "bod"}')
    assert "warning: no plugin here brings the job type 'nobody' (installed: checksum" in made.err
    assert "the config was not checked" in made.err
    bound = bec("jobs", "create", "--name", "other", "--type", "nobody", "--input", "lines=ldv1")
    assert bound.code == 2
    assert "no plugin here brings the job type 'nobody', so its inputs can't be bound" in bound.err
    assert [job["name"] for job in bec.ok("jobs", "list", "--json").json] == ["nobody"]


def test_dry_run_creates_nothing(bec: Bec) -> None:
    assert (
        "Would create job: name=checksum" in bec.ok("jobs", "create", "--name", "checksum", "--dry-run").out
    )
    assert bec.ok("jobs", "list", "--json").json == []


def test_listing_has_the_guides_columns(bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum", "--config-text", CONFIG)
    lines = bec.ok("jobs", "list").out.splitlines()
    assert [cell.strip() for cell in lines[1].strip("┃").split("┃")] == ["ID", "Name", "Queue", "Config"]
    cells = [cell.strip() for cell in lines[3].strip("│").split("│")]
    assert cells == ["1", "checksum", "bec_checksum_tasks", '{"page_ms": 1.5, "max_attempts": 2}']
    bec.ok("jobs", "pause", "checksum")
    assert "paused" in bec.ok("jobs", "list").out
    wide = bec.ok("jobs", "list", "--wide").out.splitlines()[1]
    assert "Revision" in wide


def test_a_job_is_shown_by_name_and_by_id(bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum", "--config-text", CONFIG)
    shown = bec.ok("jobs", "show", "checksum").out
    assert shown == bec.ok("jobs", "show", "1").out
    assert shown.startswith(
        "Job 1\nName: checksum\nQueue URL: postgres:///bec_checksum_tasks\nDLQ URL: postgres:///bec_checksum_dlq\n"
    )
    assert shown.endswith(f"Configuration:\n{json.dumps(json.loads(CONFIG), indent=2)}\n")
    missing = bec("jobs", "show", "nope")
    assert missing.code == 3
    assert missing.err == "bec: there is no job 'nope' (jobs: checksum)\n"


def test_updates_are_checked_and_their_revisions_kept(bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum", "--config-text", CONFIG)
    assert bec("jobs", "update", "checksum", "--config-text", '{"page": 1}').code == 2
    assert "config revision 2" in bec.ok("jobs", "update", "checksum", "--config-text", "{}").out
    assert "has this config already" in bec.ok("jobs", "update", "checksum", "--config-text", "{}").out
    assert "Would update" in bec.ok("jobs", "update", "1", "--config-text", CONFIG, "--dry-run").out
    shown = bec.ok("jobs", "show", "checksum", "--revisions", "--json").json
    assert shown["config"] == {}
    assert [entry["config"] for entry in shown["revisions"]] == [{}, json.loads(CONFIG)]


def test_moving_the_artifacts_is_said(bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    updated = bec.ok("jobs", "update", "checksum", "--config-text", '{"artifact_prefix": "sums"}')
    assert "artifacts go to sums/ from now on" in updated.err


def test_deleting_asks_first_and_says_what_goes(bec: Bec) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I1")
    would = bec.ok("jobs", "delete", "checksum", "--dry-run").out
    assert "0 tasks and 1 ledger entry" in would
    assert "bec_checksum_tasks (1 message)" in would
    refused = bec("jobs", "delete", "checksum")
    assert refused.code == 2
    assert "say --yes" in refused.err
    assert (
        bec.ok("jobs", "delete", "checksum", "--yes", "--purge-queues").out
        == "✓ Deleted job: id=1, name=checksum\n"
    )
    bec.ok("jobs", "create", "--name", "checksum")
    assert bec.ok("queue", "stats", "--job-name", "checksum", "--json").json["available"] == 0


def test_a_paused_jobs_workers_take_nothing_and_lose_nothing(bec: Bec, tmp_path: Path) -> None:
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"a", b"b"])
    bec.ok("jobs", "create", "--name", "checksum")
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0001")
    assert "✓ Job checksum (id=1) is cancelled; it was active" in bec.ok("jobs", "cancel", "checksum").out
    assert "is cancelled already" in bec.ok("jobs", "cancel", "checksum").out
    refused = bec("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I0001")
    assert refused.code == 4
    assert "bec jobs resume checksum" in refused.err
    bec.ok("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")
    figures = bec.ok("queue", "stats", "--job-name", "checksum", "--json").json
    assert (figures["available"], figures["dead_letters"]) == (0, 1)
    assert "is cancelled" in bec.ok("queue", "peek", "--job-name", "checksum", "--dlq").out


def test_the_figures_of_a_job(bec: Bec, tmp_path: Path) -> None:
    for i_id, pages in (
        ("I0001", [b"a", b"b"]),
        ("I0002", [b"c", *[b"x"] * 30, b"!bad-page"]),
        ("I0003", [b"!terminal"]),
    ):
        write_archive_volume(tmp_path / "archive", "W1", i_id, pages)
    bec.ok("jobs", "create", "--name", "checksum")
    volumes = [f"--volume=W1,I000{n}" for n in range(1, 5)]
    bec.ok("queue", "enqueue", "--job-name", "checksum", *volumes)
    bec.ok("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")

    shown = bec.ok("jobs", "stats", "checksum", "--stages").out
    assert shown.startswith("Job Statistics: checksum (id=1)\n\n")
    heading = next(line for line in shown.splitlines() if line.startswith("┃ Status"))
    assert [cell.strip() for cell in heading.strip("┃").split("┃")] == [
        "Status", "Count", "Total Images", "Total Errors", "Avg Duration (ms)",
    ]  # fmt: skip
    for line in (
        "Overall Totals:",
        "  Total Tasks: 4",
        "  Total Images: 35",
        "  Total Errors: 1",
        "  Done: 2 (50%)",
        "  Failed: 2",
    ):
        assert f"{line}\n" in shown
    assert "checksum" in shown.partition("Stages")[2]

    figures = bec.ok("jobs", "stats", "1", "--json", "--hourly-price", "2").json
    assert figures["progress"]["asked"] == 4
    assert figures["progress"]["waiting"] == 0
    assert figures["progress"]["pages_per_s"] > 0
    assert figures["cost"]["so_far"] > 0

    tasks = bec.ok("jobs", "tasks", "checksum", "--json").json
    assert {task["status"] for task in tasks} == {"done", "terminal_failed"}
    assert {task["config_revision"] for task in tasks} == {1}
    listed = bec.ok("jobs", "tasks", "checksum", "--status", "done", "--limit", "1").out
    assert listed.startswith("Recent Task Executions: checksum (id=1)\n\n")
    heading, row = listed.splitlines()[3], listed.splitlines()[5]
    assert [cell.strip() for cell in heading.strip("┃").split("┃")] == [
        "ID", "Volume", "Status", "Images", "Errors", "Duration (s)", "Worker",
    ]  # fmt: skip
    assert "│ W1/I0002 │ done" in row
