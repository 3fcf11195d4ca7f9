"""The cloud's shape on this machine: PostgreSQL by BEC_SQL_*, SQS and S3 by moto's HTTP server, the real commands."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import uuid

import boto3
import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg.conninfo import conninfo_to_dict

from bec_core.archive import volume_folder
from support.places import SAMPLES

PECHA = SAMPLES / volume_folder("W1BEC1", "I0001")
MODERN = SAMPLES / volume_folder("W1BEC1", "I0002")
CONTRACT = {
    "img_file_name", "source_etag", "rotation_angle", "tps_points", "tps_alpha", "contours", "nb_contours",
    "contours_bboxes", "ok", "error_stage", "error_type", "error_message",
}  # fmt: skip


class Cloud:
    """An operator's shell: ``bec`` with the environment that the guide names."""

    def __init__(self, postgres, aws, folder):
        self.database = f"t_{uuid.uuid4().hex}"
        self.dsn = postgres.new_database(self.database)
        where = conninfo_to_dict(self.dsn)
        self.folder = folder
        self.names = {"source": f"archive-{uuid.uuid4().hex}", "dest": f"artifacts-{uuid.uuid4().hex}"}
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("BEC_", "AWS_"))},
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_ENDPOINT_URL_S3": aws,
            "AWS_ENDPOINT_URL_SQS": aws,
            "BEC_HOME": str(folder / "home"),
            "BEC_SQL_HOST": str(where["host"]),
            "BEC_SQL_USER": "postgres",
            "BEC_SQL_DATABASE": self.database,
            "BEC_REGION": "us-east-1",
            "BEC_SOURCE_S3_BUCKET": self.names["source"],
            "BEC_DEST_S3_BUCKET": self.names["dest"],
            "BEC_OCR_BENCHMARK_S3_BUCKET": self.names["source"],
        }
        self.s3 = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
        self.sqs = boto3.client("sqs", endpoint_url=aws, region_name="us-east-1")
        for name in self.names.values():
            self.s3.create_bucket(Bucket=name)

    def bec(self, *arguments, status=0):
        command = [sys.executable, "-m", "bec_cli", *arguments]
        done = subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        return done

    def work(self, **options):
        arguments = [
            part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        return self.bec(
            "worker", "--job-name", "ldv1", "--poll-wait", "1", "--shutdown-after-empty", "2", *arguments
        )

    def put(self, key, data, **more):
        return self.s3.put_object(Bucket=self.names["source"], Key=key, Body=data, **more)["ETag"].strip('"')

    def volume(self, w_id, i_id, pages, manifest, **more):
        folder = volume_folder(w_id, i_id)
        for name, data in pages.items():
            self.put(f"{folder}/{name}", data)
        return self.put(f"{folder}/dimensions.json", manifest, **more)

    def artifacts(self, prefix=""):
        found = self.s3.list_objects_v2(Bucket=self.names["dest"], Prefix=prefix).get("Contents", [])
        return {
            entry["Key"]: self.s3.get_object(Bucket=self.names["dest"], Key=entry["Key"])["Body"].read()
            for entry in found
        }

    def rows(self, statement):
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(statement).fetchall()

    def queue(self, name):
        return self.sqs.get_queue_url(QueueName=name)["QueueUrl"]


@pytest.fixture
def cloud(postgres, aws, tmp_path):
    made = Cloud(postgres, aws, tmp_path)
    made.bec("jobs", "create", "--name", "ldv1")
    yield made
    for name in ("bec_ldv1_tasks", "bec_ldv1_dlq"):
        made.sqs.delete_queue(QueueUrl=made.queue(name))


def pages_of(folder, count):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("0*"))[:count]}


def test_volumes_of_the_archive_become_artifacts_by_the_contract(cloud):
    pecha, modern = pages_of(PECHA, 2), pages_of(MODERN, 4)
    # Real manifests name themselves, lack sizes, carry extra keys and errors.
    entries = [
        {"filename": "dimensions.json"},
        {"filename": "0001.jpg", "width": 2200, "height": 470, "size": 987928374},
        {"filename": "0002.jpg", "pilmode": "RGB"},
        {"filename": "0009.jpg", "error": "could not be read", "width": 0, "height": 0},
        {"filename": "../0001.jpg"},
        {"width": 3},
    ]
    packed = gzip.compress(json.dumps(entries).encode())
    etag = cloud.volume("W22084", "I0886", pecha, packed)
    other = [{"filename": name} for name in modern]
    cloud.volume(
        "W1KG13780", "I1KG15541", modern, gzip.compress(json.dumps(other).encode()), ContentEncoding="gzip"
    )
    cloud.bec("jobs", "update", "ldv1", "--config-text", '{"max_page_error_rate": 0.5}')
    (cloud.folder / "volumes.txt").write_text("# two\nW22084,I0886\n\nW1KG13780 I1KG15541\n")
    cloud.bec("queue", "enqueue", "--job-name", "ldv1", "--file", "volumes.txt")
    cloud.work()

    version = etag[:6]
    folder = f"ldv1/W22084/I0886/{version}/"
    artifacts = cloud.artifacts(folder)
    basename = f"W22084-I0886-{version}"
    assert set(artifacts) == {
        folder + name for name in ("success.json", f"{basename}.parquet", f"{basename}-errors.jsonl")
    }
    table = pq.read_table(io.BytesIO(artifacts[f"{folder}{basename}.parquet"]))
    assert set(table.column_names) >= CONTRACT
    rows = table.to_pylist()
    assert [row["img_file_name"] for row in rows] == ["0001.jpg", "0002.jpg", "0009.jpg"]
    assert [row["ok"] for row in rows] == [True, True, False]
    assert rows[1]["nb_contours"] == len(rows[1]["contours"]) == len(rows[1]["contours_bboxes"]) > 0
    assert rows[0]["source_etag"] == cloud.s3.head_object(
        Bucket=cloud.names["source"], Key=f"{volume_folder('W22084', 'I0886')}/0001.jpg"
    )["ETag"].strip('"')
    (error,) = [json.loads(line) for line in artifacts[f"{folder}{basename}-errors.jsonl"].splitlines()]
    assert (error["img_filename"], error["stage"], error["retryable"]) == ("0009.jpg", "fetch", False)
    marker = json.loads(artifacts[f"{folder}success.json"])
    assert marker["volume"] == {"w_id": "W22084", "i_id": "I0886"}
    assert (marker["total_images"], marker["nb_errors"], marker["job_name"]) == (3, 1, "ldv1")

    assert cloud.rows(
        "SELECT v.bdrc_w_id, encode(t.s3_etag, 'hex'), t.status, t.total_images, t.nb_errors"
        " FROM task_executions t JOIN volumes v ON v.id = t.volume_id ORDER BY 1 DESC"
    )[0] == ("W22084", etag, "done", 3, 1)
    assert cloud.rows("SELECT count(*) FROM task_executions WHERE status = 'done'") == [(2,)]
    # Delivered again, done already: nothing changes.
    cloud.sqs.send_message(
        QueueUrl=cloud.queue("bec_ldv1_tasks"), MessageBody='{"w_id": "W22084", "i_id": "I0886"}'
    )
    cloud.work()
    assert cloud.artifacts(folder) == artifacts


def test_all_forms_of_a_message_and_the_flat_source(cloud):
    one = pages_of(PECHA, 1)
    for i_id in ("I0001", "I0002", "I0003"):
        cloud.volume("W1", i_id, one, json.dumps([{"filename": "0001.jpg"}]).encode())
    cloud.put("ocr_benchmark/images/W1/I0001/v007/0001.jpg", one["0001.jpg"])
    cloud.put("ocr_benchmark/images/W1/I0001/v007/notes.txt", b"no page")
    url = cloud.queue("bec_ldv1_tasks")

    def attributes(**values):
        return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}

    cloud.sqs.send_message(QueueUrl=url, MessageBody='{"w_id": "W1", "i_id": "I0001"}')
    cloud.sqs.send_message(
        QueueUrl=url, MessageBody="-", MessageAttributes=attributes(w_id="W1", i_id="I0002")
    )
    both = attributes(w_id="W1", i_id="I0003")
    cloud.sqs.send_message(
        QueueUrl=url, MessageBody='{"w_id": "W1", "i_id": "I0003"}', MessageAttributes=both
    )
    flat = {"w_id": "W1", "i_id": "I0001", "source": "ocr_benchmark", "i_version": "v007"}
    cloud.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(flat), MessageAttributes=attributes(**flat))
    cloud.sqs.send_message(QueueUrl=url, MessageBody="hello")
    cloud.sqs.send_message(
        QueueUrl=url, MessageBody='{"w_id": "W1", "i_id": "I0001", "source": "file:///etc"}'
    )
    cloud.work()

    assert cloud.rows(
        "SELECT v.bdrc_w_id, v.bdrc_i_id, t.version FROM task_executions t JOIN volumes v ON v.id = t.volume_id"
        " WHERE t.status = 'done' AND v.bdrc_w_id LIKE 'ocr%'"
    ) == [("ocr_benchmark:W1", "I0001", "v007")]
    assert "ldv1/W1/I0001/v007/W1-I0001-v007.parquet" in cloud.artifacts("ldv1/W1/I0001/v007/")
    assert cloud.rows("SELECT count(*) FROM task_executions WHERE status = 'done'") == [(4,)]
    dlq = cloud.sqs.receive_message(
        QueueUrl=cloud.queue("bec_ldv1_dlq"), MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )["Messages"]
    reasons = {message["Body"]: message["MessageAttributes"]["error_type"]["StringValue"] for message in dlq}
    assert set(reasons.values()) == {"InvalidMessage"}
    assert len(reasons) == 2


def test_preparing_the_database_can_be_tried_first(cloud):
    assert "has this version's schema" in cloud.bec("db", "init", "--dry-run").stderr
    with psycopg.connect(cloud.dsn) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    assert "Would create" in cloud.bec("db", "init", "--dry-run").stdout
    assert "bec db init" in cloud.bec("jobs", "list", status=5).stderr
    cloud.bec("db", "init")
    cloud.bec("db", "init")
    assert cloud.rows("SELECT count(*) FROM jobs") == [(0,)]


def test_a_missing_manifest_is_a_row_and_a_dead_letter(cloud):
    cloud.bec("queue", "enqueue", "--job-name", "ldv1", "--volume", "W404,I0404")
    cloud.work()
    assert cloud.rows("SELECT status, error_type FROM task_executions") == [
        ("terminal_failed", "ManifestMissing")
    ]
    stats = json.loads(cloud.bec("queue", "stats", "--job-name", "ldv1", "--json").stdout)
    assert stats["available"] == 0
