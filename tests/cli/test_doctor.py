"""``bec doctor`` finds what would keep a run from working, in both worlds, and always comes to an end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest

from bec_core.admin.doctor import machine, services
from bec_core.admin.doctor.check import Outcome, look_at, ok
from bec_core.errors import StorageError
from bec_core.settings import Settings
from support.cli import Bec, write_archive_volume
from support.http_server import QuietServer

NO_GPU = 'print(\'{"version": "2.9", "gpus": []}\')'


@pytest.fixture(autouse=True)
def a_good_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the real one takes seconds; and this machine's disk may be full."""
    monkeypatch.setattr(machine, "_TORCH", NO_GPU)
    monkeypatch.setattr(machine, "_LEAST", 0)
    monkeypatch.setattr(machine, "_LITTLE", 0)


def outcomes(found: list[dict[str, Any]], *, besides: str = "ok") -> list[tuple[str, str]]:
    return [(one["name"], one["outcome"]) for one in found if one["outcome"] != besides]


@pytest.fixture
def cloud(bec: Bec, aws: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Queues and buckets on moto; gives clients."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("BEC_REGION", "us-east-1")
    monkeypatch.setenv("BEC_QUEUE", "sqs")
    monkeypatch.delenv("BEC_SOURCE_URL")
    monkeypatch.delenv("BEC_DEST_URL")

    def client(name: str) -> Any:
        return boto3.client(name, endpoint_url=aws, region_name="us-east-1")  # type: ignore[call-overload]

    for variable in ("BEC_SOURCE_S3_BUCKET", "BEC_DEST_S3_BUCKET"):
        bucket = f"b-{time.time_ns()}"
        client("s3").create_bucket(Bucket=bucket)
        monkeypatch.setenv(variable, bucket)
    return client


def test_on_one_machine_all_is_well(bec: Bec, tmp_path: Path) -> None:
    write_archive_volume(tmp_path / "archive", "W1", "I1", [b"page"])
    assert bec.ok("doctor").out.count("\n") >= 7
    bec.ok("jobs", "create", "--name", "checksum")
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume", "W1,I1")
    found = bec.ok("doctor", "--job-name", "checksum", "--json").json
    assert outcomes(found) == []
    assert "W1/I1 can be read: 1 pages" in [one["text"] for one in found]
    assert {
        "plugins",
        "schema",
        "server",
        "home",
        "device",
        "archive",
        "artifacts",
        "queues of checksum",
    } <= {one["name"] for one in found}
    assert not list((tmp_path / "artifacts").rglob("doctor-*"))
    assert bec("doctor", "--job-name", "nope").code == 3


def test_a_volume_that_can_not_be_read_is_told(bec: Bec, tmp_path: Path) -> None:
    write_archive_volume(tmp_path / "archive", "W1", "I1", [b"page"])
    for job, volume in (("checksum", "W1,I1"), ("other", "W9,I9")):
        bec.ok("jobs", "create", "--name", job, "--type", "checksum")
        bec.ok("queue", "enqueue", "--job-name", job, "--volume", volume)
    (page,) = (tmp_path / "archive").rglob("*.jpg")
    page.unlink()
    ended = bec("doctor", "--json")
    assert (ended.code, outcomes(ended.json)) == (
        6, [("a volume of checksum", "trouble"), ("a volume of other", "warning")],
    )  # fmt: skip


def test_in_the_cloud_all_is_well(bec: Bec, cloud: Callable[[str], Any]) -> None:
    bec.ok("jobs", "create", "--name", f"c{time.time_ns()}", "--type", "checksum")
    found = bec.ok("doctor", "--json").json
    assert outcomes(found) == []
    assert {"region", "credentials", "clock"} <= {one["name"] for one in found}


def test_what_is_wrong_in_the_cloud_is_told_with_its_remedy(
    bec: Bec, cloud: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone", "loose"):
        bec.ok("jobs", "create", "--name", name, "--type", "checksum")
    sqs = cloud("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="bec_gone_tasks")["QueueUrl"])
    url = sqs.get_queue_url(QueueName="bec_loose_tasks")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": "", "MessageRetentionPeriod": "3600"})
    monkeypatch.setenv("BEC_DEST_S3_BUCKET", "there-is-none-of-this-name")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token")
    ended = bec("doctor", "--json")
    assert ended.code == 6
    assert sorted(outcomes(ended.json)) == [
        ("artifacts", "trouble"),
        ("credentials", "warning"),
        ("queues of gone", "trouble"),
        ("queues of loose", "trouble"),
        ("queues of loose", "warning"),
    ]
    remedies = [one["remedy"] for one in ended.json if one["name"] == "queues of loose" and one["remedy"]]
    assert all("aws sqs set-queue-attributes --region us-east-1" in remedy for remedy in remedies)
    assert "✗ trouble: artifacts: " in bec("doctor").out


def test_what_is_wrong_on_a_machine_is_told(
    bec: Bec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bec.ok("jobs", "create", "--name", "checksum")
    bec.ok("jobs", "pause", "checksum")
    bec.ok("jobs", "create", "--name", "lines", "--type", "ldv1", "--config-text",
           '{"use_gpu": true, "resources": {"model": "/no/such/model.pth"}}')  # fmt: skip
    monkeypatch.setattr(machine, "_LEAST", 1 << 60)
    (tmp_path / "artifacts").write_text("a file where a folder should be")
    (tmp_path / "plugins" / "bec_broken-0.1.dist-info").mkdir()
    (tmp_path / "plugins" / "bec_broken-0.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: bec-broken\nVersion: 0.1\n"
    )
    (tmp_path / "plugins" / "bec_broken-0.1.dist-info" / "entry_points.txt").write_text(
        "[bec]\nbroken = no_module\n"
    )
    ended = bec("doctor", "--json")
    assert ended.code == 6
    assert sorted(outcomes(ended.json)) == [
        ("archive", "trouble"),
        ("artifacts", "trouble"),
        ("device", "warning"),
        ("home", "trouble"),
        ("job checksum", "warning"),
        ("model of lines", "trouble"),
        ("plugins", "trouble"),
        ("temporary files", "trouble"),
    ]


def test_a_silent_database_is_told_within_its_deadline(bec: Bec, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("BEC_SQL_HOST", "127.0.0.1")
        monkeypatch.setenv("BEC_SQL_PORT", str(silent.getsockname()[1]))
        began = time.monotonic()
        ended = bec("doctor", "--job-name", "checksum", "--json")
        assert time.monotonic() - began < 25
    assert ended.code == 6
    assert outcomes(ended.json)[:2] == [("database", "trouble"), ("jobs", "warning")]
    assert all(one["remedy"] for one in ended.json if one["name"] == "database")
    assert ("home", "ok") in outcomes(ended.json, besides="")


def test_a_look_that_hangs_or_fails_hides_no_other() -> None:
    def hangs() -> Iterator[Any]:
        yield ok("hangs", "the first")
        time.sleep(30)

    def refused() -> Iterator[Any]:
        yield ok("refused", "the first")
        raise StorageError("no")

    def broken() -> Iterator[Any]:
        raise KeyError("x")

    looks = {"hangs": hangs, "refused": refused, "broken": broken, "good": lambda: iter([ok("good", "yes")])}
    found = [(one.name, one.outcome, one.text) for one in look_at(looks, within_s=0.3)]
    assert found == [
        ("hangs", Outcome.OK, "the first"),
        ("hangs", Outcome.TROUBLE, "no answer in time"),
        ("refused", Outcome.OK, "the first"),
        ("refused", Outcome.TROUBLE, "no"),
        ("broken", Outcome.TROUBLE, "could not be looked at: KeyError: 'x'"),
        ("good", Outcome.OK, "yes"),
    ]


@pytest.mark.parametrize(("off", "outcome"), [(0, "ok"), (60, "warning"), (-900, "trouble")])
def test_the_clock_is_compared_with_the_services(off: int, outcome: str) -> None:
    class Late(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(403)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(int(time.time()) - off)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = QuietServer(("127.0.0.1", 0), Late)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        (check,) = services.clock(Settings(endpoint_url=f"http://127.0.0.1:{server.server_port}"))
    finally:
        server.shutdown()
        server.server_close()
    assert check.outcome.value == outcome
    assert abs(off) < 100 or "15 min" in check.text


def test_a_service_that_is_away_has_no_clock() -> None:
    (check,) = services.clock(Settings(endpoint_url="http://127.0.0.1:9"))
    assert (check.name, check.outcome.value) == ("clock", "trouble")


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    (check,) = services.credentials()
    assert check.outcome.value == "trouble"
    assert "role" in check.remedy


def test_a_torch_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_TORCH", "raise OSError('libcudart.so: no such file')")
    (check,) = machine.device([], within_s=20)
    assert (check.outcome.value, "libcudart" in check.text) == ("trouble", True)
    monkeypatch.setattr(machine, "_TORCH", "import time; time.sleep(20)")
    (check,) = machine.device([], within_s=0.2)
    assert "nvidia-smi" in check.remedy
