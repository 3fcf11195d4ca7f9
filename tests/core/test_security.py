"""What BEC may do in AWS, what it never shows, and where it never writes."""

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import botocore.client
import pytest

from bec_cli.exits import Exit
from bec_core.db.pool import external_conninfo
from bec_core.models import OutgoingMessage, VolumeRef
from bec_core.queues import create_queues
from bec_core.settings import load_settings
from bec_core.storage import S3Store, open_store
from bec_core.testing.checksum_job import Trouble
from support.cli import archive_objects, install_checksum_plugin, write_archive_volume
from support.places import ROOT
from support.worker_lab import Lab

POLICIES = ROOT / "docs" / "iam"
FOLDERS = ("/.bec/probe/", "/.bec/parts/")
"""The folders in a bucket in which workers may delete."""
PLANTED = "PLANTED-c0ffee-secret"


# -- AWS's permissions -------------------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch, proxy):
    """Every action that is asked of AWS, with what it is asked of: sqs actions by queue, s3 actions by bucket."""
    seen = set()
    real = botocore.client.BaseClient._make_api_call

    def recorded(self, operation, parameters):
        name = operation.replace("Batch", "")
        queue = parameters.get("QueueUrl", parameters.get("QueueName", parameters.get("SourceArn", "")))
        seen.add((f"sqs:{name}", "dlq" if queue.endswith("_dlq") else "tasks"))
        return real(self, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", recorded)
    delete = S3Store.delete

    def deleted(self, key):  # the request names the key in its body, which the proxy does not keep
        bucket = self.url.removeprefix("s3://").partition("/")[0]
        seen.add(("s3:DeleteObject", bucket + folder_of(key)))
        delete(self, key)

    monkeypatch.setattr(S3Store, "delete", deleted)

    def all_calls():
        for method, target, _ in proxy.seen:
            place = urlsplit(target)
            if method == "POST" and place.query.startswith("delete"):
                continue
            bucket, _, key = place.path.strip("/").partition("/")
            if not bucket:  # the doctor looks at the service's clock, unsigned
                continue
            seen.add((s3_action(method, key, place.query), bucket + folder_of(key)))
        return seen

    return all_calls


def folder_of(text):
    """Which of the folders a key or a resource is in; none: ""."""
    return next((folder for folder in FOLDERS if folder in f"/{text}"), "")


def s3_action(method, key, query):
    if method == "GET" and not key:
        return "s3:ListBucket"
    return {
        "GET": "s3:GetObject",
        "HEAD": "s3:GetObject",
        "PUT": "s3:PutObject",
        "DELETE": "s3:DeleteObject",
    }[method]


@pytest.fixture
def cloud(bec, aws, proxy, monkeypatch):
    """``bec`` in the cloud's shape: SQS, and S3 through the proxy; the names of source and destination."""
    names = tuple(f"{what}-{uuid.uuid4().hex}" for what in ("source", "dest"))
    client = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
    for name in names:
        client.create_bucket(Bucket=name)
    for i_id, page in (("I0001", b"one"), ("I0002", Trouble.TERMINAL), ("I0003", Trouble.BAD_PAGE)):
        for key, data in archive_objects("W1", i_id, [page, b"two"]):
            client.put_object(Bucket=names[0], Key=key, Body=bytes(data))
    monkeypatch.setenv("BEC_QUEUE", "sqs")
    monkeypatch.setenv("BEC_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", aws)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    monkeypatch.setenv("BEC_SOURCE_URL", f"s3://{names[0]}")
    monkeypatch.setenv("BEC_DEST_URL", f"s3://{names[1]}")
    return names


VOLUMES = [argument for n in (1, 2, 3, 404) for argument in ("--volume", f"W1,I{n:04}")]


def policy(name, source, dest):
    """What a policy allows: actions by bucket, or by kind of queue."""
    allowed = set()
    for statement in json.loads((POLICIES / f"{name}.json").read_text())["Statement"]:
        resources = statement["Resource"]
        for resource in [resources] if isinstance(resources, str) else resources:
            for action in statement["Action"]:
                if action.startswith("s3:"):
                    bucket = dest if "DEST_BUCKET" in resource else source
                    allowed.add((action, bucket + folder_of(resource)))
                elif resource.endswith("bec_*"):
                    allowed |= {(action, "tasks"), (action, "dlq")}
                else:
                    allowed.add((action, resource.rpartition("_")[2]))
    return allowed


def test_a_worker_needs_just_what_its_policy_allows(bec, cloud, calls, proxy, monkeypatch):
    source, dest = cloud
    name = f"c{uuid.uuid4().hex[:8]}"
    bec.ok("jobs", "create", "--name", name, "--type", "checksum")
    bec.ok("queue", "enqueue", "--job-name", name, *VOLUMES)
    calls().clear()
    proxy.seen.clear()
    worker = bec("worker", "--job-name", name, "--poll-wait", "1", "--shutdown-after-empty", "1")
    assert worker.code in (Exit.OK, Exit.WORK_LEFT), worker.err
    needed, allowed = calls(), policy("worker", source, dest)
    assert needed - allowed == set()
    # A store answers 403 instead of 404 to those who may not list, so listing is needed to see that nothing is there;
    # volumes of less than a minute keep nothing;
    # hiding a message and renewing it (SendMessage), and reading a queue's size, are for tasks that go less well.
    unused = {
        ("s3:ListBucket", source), ("s3:ListBucket", dest), ("sqs:SendMessage", "tasks"),
        ("sqs:ChangeMessageVisibility", "tasks"), ("sqs:GetQueueAttributes", "tasks"),
        *((f"s3:{what}Object", dest + "/.bec/parts/") for what in ("Get", "Put", "Delete")),
    }  # fmt: skip
    assert allowed - needed <= unused


def test_an_operator_needs_just_what_its_policy_allows(bec, cloud, calls, proxy):
    source, dest = cloud
    name = f"c{uuid.uuid4().hex[:8]}"
    worker = ("worker", "--job-name", name, "--poll-wait", "1", "--shutdown-after-empty", "1")
    bec.ok("jobs", "create", "--name", name, "--type", "checksum")
    bec.ok("queue", "enqueue", "--job-name", name, *VOLUMES)
    mine = set(calls())
    assert bec(*worker).code in (Exit.OK, Exit.WORK_LEFT)
    calls().clear()
    proxy.seen.clear()
    for command in (
        ("doctor", "--job-name", name),
        ("queue", "stats", "--job-name", name),
        ("queue", "peek", "--job-name", name, "--dlq"),
        ("audit", "--job-name", name, "--all"),
        ("queue", "enqueue", "--job-name", name, "--force", "--volume", "W1,I0001"),
        ("queue", "redrive", "--job-name", name),
        ("queue", "purge", "--job-name", name, "--yes"),
    ):
        ended = bec(*command)
        assert ended.code in (0, 6), (command, ended.out, ended.err)
    needed, allowed = mine | calls(), policy("operator", source, dest)
    assert needed - allowed == set()
    by_action = {action for action, _ in allowed} - {action for action, _ in needed}
    # moving a queue's whole content is SQS's own task, which moto does not play; what a look by receiving (peek
    # --receive, a redrive by choice) does not take is shown again
    assert by_action <= {"sqs:StartMessageMoveTask", "sqs:ChangeMessageVisibility"}


# -- secrets -----------------------------------------------------------------------------------------------


def test_a_planted_secret_is_in_no_log_no_traceback_no_process_list_and_no_marker(
    postgres, database, tmp_path, aws
):
    """The secrets of a real worker process, at the most talkative level, with failures of every kind."""
    install_checksum_plugin(tmp_path / "plugins")
    for i_id, page in (("I0001", b"one"), ("I0002", Trouble.UNEXPECTED), ("I0003", Trouble.TERMINAL)):
        write_archive_volume(tmp_path / "archive", "W1", i_id, [page])
    name = database._conninfo.rpartition("dbname=")[2]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BEC_", "AWS_"))} | {
        "BEC_SQL_HOST": str(postgres.folder), "BEC_SQL_USER": "postgres", "BEC_SQL_DATABASE": name,
        "BEC_SQL_PASSWORD": PLANTED, "AWS_ACCESS_KEY_ID": "AKIAPLANTED", "AWS_SECRET_ACCESS_KEY": PLANTED,
        "AWS_SESSION_TOKEN": PLANTED, "BEC_QUEUE": "postgres", "BEC_REGION": "us-east-1",
        "BEC_SOURCE_URL": (tmp_path / "archive").as_uri(), "BEC_DEST_URL": (tmp_path / "out").as_uri(),
        "BEC_LOG_LEVEL": "TRACE", "PYTHONPATH": str(tmp_path / "plugins"),
    }  # fmt: skip
    (tmp_path / "config.json").write_text('{"max_attempts": 1, "page_ms": 500}')
    shown = ""
    for command in (
        ("jobs", "create", "--name", "checksum", "--config", "config.json"),
        ("queue", "enqueue", "--job-name", "checksum", *VOLUMES),
        ("worker", "--job-name", "checksum", "--poll-wait", "1", "--shutdown-after-empty", "1"),
        ("errors", "list", "--job-name", "checksum", "--json"),
    ):
        shown += told_by(command, environment, tmp_path)
    assert "nobody thought of this" in shown  # the traceback was told
    broken = environment | {"BEC_SQL_HOST": "127.0.0.1", "BEC_SQL_PORT": "9", "BEC_SQL_SSLMODE": "disable"}
    shown += told_by(("jobs", "list"), broken, tmp_path)
    shown += told_by(("jobs", "list"), environment | {"BEC_SQL_PORT": "none"}, tmp_path)
    broken = environment | {"BEC_DEST_URL": "s3://nowhere", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    shown += told_by(
        ("report", "--job-name", "checksum", "--out", str(tmp_path / "report")), broken, tmp_path
    )
    assert PLANTED not in shown
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert any(path.name == "success.json" for path in files)
    assert not [path for path in files if PLANTED.encode() in path.read_bytes()]
    with database.connection() as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT t::text FROM "{table}" t'.encode()).fetchall()
            assert not [row for row in rows if PLANTED in row[0]], table


def told_by(command, environment, folder):
    """What a process of ``bec`` writes, and what others see of it in the process list meanwhile."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bec_cli", *command], env=environment, cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    listed = ""
    deadline = time.monotonic() + 1
    while process.poll() is None and time.monotonic() < deadline:
        listed += Path(f"/proc/{process.pid}/cmdline").read_bytes().decode(errors="replace")
        time.sleep(0.1)
    told, _ = process.communicate(timeout=120)
    return told + listed


def test_tls_is_required_off_this_machine_unless_said_otherwise():
    def conninfo(**more):
        return external_conninfo(load_settings({"BEC_SQL_USER": "u", "BEC_QUEUE": "postgres", **more}))

    assert "sslmode=require" in conninfo(BEC_SQL_HOST="db.example.org")
    assert "sslmode=prefer" in conninfo(BEC_SQL_HOST="127.0.0.1")
    assert "sslmode=verify-full" in conninfo(BEC_SQL_HOST="db.example.org", BEC_SQL_SSLMODE="verify-full")


# -- strangers' messages -----------------------------------------------------------------------------------

NASTY = ["../../x", "/etc/passwd", "a/b", "..", ".", "W1'; DROP TABLE jobs; --", "\x00", "W1\n", "%2e%2e", "\\\\x",
         "~root", "$(id)", "W" * 300, "\u202e"]  # fmt: skip


def test_messages_of_strangers_end_as_letters_and_write_nothing_outside_the_jobs_prefix(database, tmp_path):
    queues = create_queues("checksum", "postgres", database=database)
    (tmp_path / "scans").mkdir()
    store = open_store((tmp_path / "out").as_uri())
    lab = Lab(
        database, queues.tasks, queues.dead_letters, store, tmp_path / "scans",
        archive=(tmp_path / "archive").as_uri(),
    )  # fmt: skip
    write_archive_volume(tmp_path / "archive", "W1", "I0001", [b"one"])
    before = {path for path in tmp_path.rglob("*") if "out" not in path.parts}
    bodies = [json.dumps({"w_id": bad, "i_id": "I1"}) for bad in NASTY]
    bodies += [json.dumps({"w_id": "W1", "i_id": bad}) for bad in NASTY]
    bodies += [json.dumps({"w_id": "W1", "i_id": "I1", "source": bad}) for bad in NASTY]
    bodies += [
        json.dumps({"w_id": "W1", "i_id": "I1", "source": "ocr_benchmark", "i_version": b}) for b in NASTY
    ]
    assert lab.tasks.send([OutgoingMessage(body) for body in bodies]) == []
    lab.ask(VolumeRef("W1", "I0001"))
    lab.work()
    assert lab.messages() == (0, len(bodies))
    assert {letter.attributes["error_type"] for letter in lab.dead_letters.peek(1000)} == {"InvalidMessage"}
    assert {path for path in tmp_path.rglob("*") if "out" not in path.parts} == before
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"checksum", ".bec"}
    assert [path.name for path in (tmp_path / "out" / "checksum").iterdir()] == ["W1"]
