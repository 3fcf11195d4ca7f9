"""Resources and settings of plugins on the command line: named, shared, in the recipe, refused early."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import boto3
import pytest

from support.cli import Bec, install_plugin, write_archive_volume


@pytest.fixture
def author(bec: Bec, tmp_path: Path) -> Bec:
    install_plugin(tmp_path / "plugins", "author", "support.author_job:AUTHOR")
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"10/1", b"20/1"])
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"{name}\nmore")
    bec.ok("jobs", "create", "--name", "a", "--type", "author")
    bec.ok("queue", "enqueue", "--job-name", "a", "--volume", "W1,I0001")
    return bec


WORKER = ("worker", "--job-name", "a", "--poll-wait", "0", "--shutdown-after-empty", "1")


def rows(tmp_path: Path) -> list[dict[str, Any]]:
    (path,) = (tmp_path / "artifacts/a").rglob("*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def marker(tmp_path: Path) -> dict[str, Any]:
    (path,) = (tmp_path / "artifacts/a").rglob("success.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "way", ["--resource model=two", "--model-path two", "config", "BEC_AUTHOR_MODEL", ".env"]
)
def test_every_way_of_naming_it_is_in_the_work_and_in_the_recipe(
    author: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    options: list[str] = way.split() if way.startswith("--") else []
    if way == "config":
        config = {"resources": {"model": f"{tmp_path / 'two'}#sha256={sha(tmp_path / 'two')}"}}
        author.ok("jobs", "update", "a", "--config-text", json.dumps(config))
        monkeypatch.setenv("BEC_AUTHOR_MODEL", str(tmp_path / "one"))
    elif way == ".env":
        tmp_path.chmod(0o700)
        (tmp_path / ".env").write_text(f"BEC_AUTHOR_MODEL={tmp_path / 'two'}\nBEC_AUTHOR_GREETING=no\n")
        (tmp_path / ".env").chmod(0o600)
    elif way.startswith("BEC_"):
        monkeypatch.setenv("BEC_AUTHOR_MODEL", str(tmp_path / "two"))
    ended = author.ok(*WORKER, *options)
    assert "knows no setting" not in ended.err
    assert [row["word"] for row in rows(tmp_path)] == ["two", "two"]
    assert [row["greeting"] for row in rows(tmp_path)] == ["hello", "hello"], "a found .env sets no settings"
    contents = marker(tmp_path)["recipe_contents"]
    assert contents["resources"] == {"model": sha(tmp_path / "two")}
    assert "resources" not in contents["config"]


def test_another_resource_is_another_recipe_and_another_place_of_the_same_is_not(
    author: Bec, tmp_path: Path
) -> None:
    (tmp_path / "copy").write_bytes((tmp_path / "one").read_bytes())
    recipes = []
    for name in ("one", "copy", "two"):
        author.ok(*WORKER, "--resource", f"model={name}")
        author.ok("queue", "enqueue", "--job-name", "a", "--volume", "W1,I0001", "--force")
        recipes.append(marker(tmp_path)["recipe"])
    assert recipes[0] == recipes[1] != recipes[2]


def test_a_folder_from_s3_is_fetched_into_bec_home(
    author: Bec, tmp_path: Path, bucket: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    monkeypatch.setenv("BEC_REGION", "us-east-1")
    monkeypatch.setenv("BEC_HOME", str(tmp_path / "home"))
    client = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
    for name in ("p1.txt", "deep/p2.txt"):
        client.put_object(Bucket=bucket, Key=f"truth/{name}", Body=name.encode())
    author.ok(*WORKER, "--resource", f"truth=s3://{bucket}/truth")
    (path,) = (tmp_path / "artifacts/a").rglob("*.truth.json")
    assert json.loads(path.read_text()) == ["deep", "p1.txt"]
    digest = marker(tmp_path)["recipe_contents"]["resources"]["truth"]
    assert (tmp_path / "home/cache" / digest / "truth/deep/p2.txt").read_text() == "deep/p2.txt"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--resource", "model=none"], "there is no file"),
        (["--resource", "model=two#sha256=" + "0" * 64], "has the SHA-256"),
        (["--resource", "modell=two"], "declares no such resource (declared: model, truth)"),
        (["--resource", "model"], "write NAME=PLACE"),
        (["--resource", "model=one", "--resource", "model=two"], "is given twice"),
        (["--resource", "model=one", "--model-path", "two"], "name two places"),
        (["--resource", "model=http://host/m"], "is a path, or an s3:// or https:// URL"),
        (["--resource", "model=https://host/m"], "say what must come from there"),
    ],
)
def test_what_is_wrong_ends_the_worker_before_any_volume(
    author: Bec, tmp_path: Path, options: list[str], said: str
) -> None:
    ended = author(*WORKER, *options)
    assert ended.code == 2
    assert said in ended.err
    assert "Processing message" not in ended.out
    assert author.ok("jobs", "stats", "a", "--json").json["total_tasks"] == 0


def test_an_option_of_another_plugin_is_refused(author: Bec, tmp_path: Path) -> None:
    author.ok("jobs", "create", "--name", "c", "--type", "checksum")
    ended = author("worker", "--job-name", "c", "--model-path", "one")
    assert ended.code == 2
    assert "--model-path is for another job type, not for checksum" in ended.err


def test_two_plugins_share_one_option(author: Bec) -> None:
    shown = " ".join(author.ok("worker", "--help").out.split())
    assert shown.count("--model-path PLACE") == 1
    assert "The words. [env: BEC_AUTHOR_MODEL] Or: The line detection model's checkpoint." in shown


def test_a_bad_resource_in_a_config_is_refused_when_the_job_is_made(author: Bec) -> None:
    for resources, said in (
        ({"x": "/m"}, "declares no such resource"),
        ({"model": "m"}, "not an absolute path"),
    ):
        ended = author(
            "jobs", "create", "--name", "b", "--type", "author", "--config-text", json.dumps({"resources": resources})
        )  # fmt: skip
        assert ended.code == 2
        assert said in ended.err


def test_run_volume_takes_resources(author: Bec, tmp_path: Path) -> None:
    author.ok("run-volume", "--job-name", "a", "--w", "W1", "--i", "I0001", "--model-path", "one")
    assert rows(tmp_path)[0]["word"] == "one"
    refused = author("run-volume", "--job-name", "a", "--w", "W1", "--i", "I0001", "--resource", "x=one")
    assert refused.code == 2


@pytest.mark.slow
def test_run_takes_resources_and_says_its_metrics(author: Bec, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BEC_")]:
        monkeypatch.delenv(name)
    with tempfile.TemporaryDirectory() as text:  # the embedded server's user must be able to reach it
        desk = Path(text)
        desk.chmod(0o755)
        monkeypatch.setenv("BEC_HOME", str(desk / "home"))
        (desk / "scans").mkdir()
        (desk / "scans/1.jpg").write_bytes(b"40/2")
        command = ["run", "author", str(desk / "scans"), "--out", str(desk / "out"), "--no-report"]
        ended = author.ok(*command, "--resource", "model=two")
        said = " ".join(ended.err.split())
        assert "error: 5.00 % (Share of wrong characters)" in said
        (path,) = (desk / "out").rglob("*.jsonl")
        assert json.loads(path.read_text())["word"] == "two"
        assert author(*command, "--resource", "x=two").code == 2


def test_a_plugins_own_settings_come_from_the_environment(
    author: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEC_AUTHOR_GREETING", "ho")
    (tmp_path / "more.env").write_text("BEC_AUTHOR_TIMES=3\nBEC_AUTHOR_GREETING=file\n")
    ended = author.ok("--env-file", str(tmp_path / "more.env"), *WORKER)
    assert "knows no setting" not in ended.err
    assert rows(tmp_path)[0]["greeting"] == "hohoho"


def test_bad_settings_end_the_worker_before_any_volume(author: Bec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEC_AUTHOR_TIMES", "9")
    monkeypatch.setenv("BEC_AUTHOR_GREETINGS", "typo")
    ended = author(*WORKER)
    assert ended.code == 2
    assert "settings of author: BEC_AUTHOR_TIMES='9'" in ended.err
    assert "(allowed: 1 to 3)" in ended.err
    assert "BEC knows no setting BEC_AUTHOR_GREETINGS" in ended.err


def test_plugins_show_tells_resources_settings_and_metrics(author: Bec) -> None:
    shown = " ".join(author.ok("plugins", "show", "author").out.split())
    for part in ("--model-path, BEC_AUTHOR_MODEL", "BEC_AUTHOR_TIMES", "mean by chars", "What is right."):
        assert part in shown
    found = author.ok("plugins", "show", "author", "--json").json
    assert [one["name"] for one in found["resources"]] == ["model", "truth"]
    assert [one["variable"] for one in found["settings"]] == [
        "BEC_AUTHOR_GREETING", "BEC_AUTHOR_TIMES", "BEC_AUTHOR_FOLDER",
    ]  # fmt: skip
    assert [one["name"] for one in found["metrics"]] == ["error", "chars", "pages"]


def test_scratch_must_be_a_folder(author: Bec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BEC_SCRATCH", str(tmp_path / "none"))
    ended = author(*WORKER)
    assert ended.code == 2
    assert "BEC_SCRATCH" in ended.err
    monkeypatch.setenv("BEC_SCRATCH", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    author.ok(*WORKER)
    assert list((tmp_path / "scratch").iterdir()) == []
