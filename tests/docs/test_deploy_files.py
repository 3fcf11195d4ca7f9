"""What ships for Kubernetes and AWS Batch: it fits the engines' formats, the program, and the ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator

from bec_cli.main import cli
from bec_cli.queue_feed import feed
from bec_cli.worker import worker
from bec_core.db import Database, jobs, ledger, tasks, volumes
from bec_core.db.backlog import backlog
from bec_core.models import JobStatus, VolumeRef
from bec_core.settings import core_fields
from support.places import ROOT

DEPLOY = ROOT / "deploy"
VARIABLES = {name for names in core_fields().values() for name in names}


def documents() -> list[dict[str, Any]]:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [document for path in files for document in yaml.safe_load_all(path.read_text())]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in documents() if one["kind"] == kind]


def arguments_known(words: list[str]) -> None:
    command = {"worker": worker, "queue": feed}[words[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
    assert words[0] in cli.list_commands(None)  # type: ignore[arg-type]  # it needs none


def test_deployments_start_the_program_with_options_and_variables_that_it_has() -> None:
    deployments = of_kind("Deployment")
    assert [one["metadata"]["name"] for one in deployments] == ["bec-feeder-ldv1", "bec-worker-ldv1"]
    for one in deployments:
        pod = one["spec"]["template"]
        assert one["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        (container,) = pod["spec"]["containers"]
        arguments_known(container["args"])
        assert {variable["name"] for variable in container["env"]} <= VARIABLES
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    grace = int(of_kind("Deployment")[1]["spec"]["template"]["spec"]["containers"][0]["args"][-1])
    assert of_kind("Deployment")[1]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= grace + 60


def test_kedas_parts_name_each_other_and_its_database_is_ours() -> None:
    (scaled,) = of_kind("ScaledObject")
    (authentication,) = of_kind("TriggerAuthentication")
    (trigger,) = scaled["spec"]["triggers"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == "bec-worker-ldv1"
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    keys = {one["key"] for one in authentication["spec"]["secretTargetRef"]}
    assert keys == {name for name in VARIABLES if name.startswith("BEC_SQL_")}
    assert scaled["spec"]["minReplicaCount"] == 0


@pytest.mark.parametrize("status", [JobStatus.ACTIVE, JobStatus.PAUSED])
def test_kedas_query_counts_the_ledgers_backlog(database: Database, status: JobStatus) -> None:
    query = of_kind("ScaledObject")[0]["spec"]["triggers"][0]["metadata"]["query"]
    with database.connection() as connection:
        job = jobs.create(
            connection, name="ldv1", job_type="ldv1", config={}, queue_url="postgres:///a", dlq_url="postgres:///b"
        )  # fmt: skip
        refs = [VolumeRef("W1", f"I{n}") for n in range(6)]
        ids = volumes.upsert_refs(connection, refs)
        ledger.request(connection, job.id, list(zip(ids, refs, strict=True)))
        ledger.mark_sent(connection, job.id, ids[:3])
        connection.execute("UPDATE ledger SET state = 'blocked' WHERE volume_id = %s", (ids[5],))
        connection.execute("UPDATE ledger SET state = 'done' WHERE volume_id = %s", (ids[4],))
        tasks.claim(
            connection, job_id=job.id, volume_id=ids[0], etag=bytes(range(16)), version="v", worker_id=None,
            lease_s=60, config_revision=1, plugin_version="1",
        )  # type: ignore[arg-type]  # fmt: skip
        jobs.set_status(connection, job.id, status)
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        found = backlog(connection, job.id)
        assert found.running == 1
        assert row[0] == (found.total if status is JobStatus.ACTIVE else 0)


@pytest.mark.parametrize(
    ("file", "operation"),
    [
        ("job-definition.json", "RegisterJobDefinition"),
        ("compute-environment.json", "CreateComputeEnvironment"),
        ("job-queue.json", "CreateJobQueue"),
    ],
)
def test_batch_would_take_these(file: str, operation: str) -> None:
    given = json.loads(Path(DEPLOY / "batch" / file).read_text())
    shape = botocore.session.get_session().get_service_model("batch").operation_model(operation).input_shape
    assert shape is not None
    assert ParamValidator().validate(given, shape).generate_report() == ""
    if file == "job-definition.json":
        arguments_known(given["containerProperties"]["command"])
        assert {one["name"] for one in given["containerProperties"]["environment"]} <= VARIABLES
        assert len(given["retryStrategy"]["evaluateOnExit"]) <= 5  # Batch's own limit
