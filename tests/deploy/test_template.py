"""deploy/aws/bec.yaml: a stack of it in moto has what BEC makes and asks for itself, and no more rights."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from bec_core.queues.policy import GOOD_LIMIT, trouble
from bec_core.queues.sqs import SqsQueue
from bec_core.queues.sqs_client import LONG_POLL_S
from bec_core.settings import core_fields, load_settings
from support.cli import Bec
from support.places import ROOT
from support.stack import NOT_PLAYED, REGION, TEMPLATE, Account, Stack

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")  # moto plays some, not all

IAM = ROOT / "docs" / "iam"
DAY_S = 24 * 3600
OF_THE_UNIT = {"BEC_WORKER_ARGS"}


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their arguments."""


def _argument(loader: Loader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


Loader.add_multi_constructor("!", _argument)
WRITTEN = yaml.load(TEMPLATE.read_text(), Loader)


@pytest.fixture(scope="module")
def stacks(moto_url: str) -> Iterator[tuple[Stack, Stack]]:
    """The first stack, and that of a second job."""
    account = Account(moto_url)
    first = Stack.first(account, "tmpl-ldv1")
    second = Stack(account, f"{first.name}-ocr", JobName="tmpl-ocr", SharedStack=first.name)
    yield first, second
    second.delete()
    first.delete()


def properties(resource: str) -> dict[str, Any]:
    return dict(WRITTEN["Resources"][resource]["Properties"])


def test_every_resource_is_made_and_a_second_job_shares_the_database(stacks: tuple[Stack, Stack]) -> None:
    first, second = stacks
    written = {name: one["Type"] for name, one in WRITTEN["Resources"].items()}
    missing = {kind for name, kind in written.items() if name not in first.ids}
    assert missing <= NOT_PLAYED
    assert {"Database", "ArtifactBucket", "WorkerRole", "Desk"}.isdisjoint(second.ids)
    assert {"Tasks", "DeadLetters", "Fleet", "WorkerTemplate", "Settings", "Dashboard"} <= set(second.ids)
    host = first.outputs["DatabaseHost"]
    assert f"BEC_SQL_HOST={host}\n" in second.settings("tmpl-ocr")
    assert first.outputs["DatabaseSecretArn"] in second.launch_template("WorkerTemplate")[1]
    assert (
        first.launch_template("WorkerTemplate")[0]["IamInstanceProfile"]
        == (second.launch_template("WorkerTemplate")[0]["IamInstanceProfile"])
    )


def test_the_queues_are_as_bec_makes_them(stacks: tuple[Stack, Stack], moto_url: str) -> None:
    client = stacks[0].account.client("sqs")
    urls = [stacks[0].outputs[name] for name in ("TaskQueue", "DeadLetterQueue")]
    assert [url.rpartition("/")[2] for url in urls] == ["bec_tmpl-ldv1_tasks", "bec_tmpl-ldv1_dlq"]
    tasks, letters = (
        client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for url in urls
    )
    assert json.loads(tasks["RedrivePolicy"])["maxReceiveCount"] == GOOD_LIMIT
    assert int(tasks["MessageRetentionPeriod"]) == 4 * DAY_S
    assert int(letters["MessageRetentionPeriod"]) == 14 * DAY_S
    assert {int(one["ReceiveMessageWaitTimeSeconds"]) for one in (tasks, letters)} == {LONG_POLL_S}
    queue, dead = (SqsQueue(url, client=client) for url in urls)
    assert trouble(queue, dead) is None


def test_the_first_job_finds_the_queues_and_settings_of_the_stack(
    stacks: tuple[Stack, Stack], bec: Bec, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = dict(line.split("=", 1) for line in stacks[0].settings("tmpl-ldv1").splitlines())
    for name in ("BEC_REGION", "BEC_DEST_S3_BUCKET"):
        monkeypatch.setenv(name, values[name])
    monkeypatch.delenv("BEC_DEST_URL")
    monkeypatch.setenv("BEC_QUEUE", "sqs")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    made = bec.ok("jobs", "create", "--name", "tmpl-ldv1", "--type", "checksum", "--json").json
    for key, output in (("queue_url", "TaskQueue"), ("dlq_url", "DeadLetterQueue")):
        assert urlsplit(made[key]).path == urlsplit(stacks[0].outputs[output]).path
    bec.ok("queue", "enqueue", "--job-name", "tmpl-ldv1", "--volume", "W1,I0001")
    assert bec.ok("queue", "stats", "--job-name", "tmpl-ldv1", "--json").json["available"] == 1


@pytest.mark.parametrize("path", sorted(IAM.glob("*.json")), ids=lambda path: path.stem)
def test_the_roles_have_the_rights_of_the_documentation_and_no_others(
    stacks: tuple[Stack, Stack], path: Path
) -> None:
    first = stacks[0]
    text = path.read_text().replace("DEST_BUCKET", first.outputs["Artifacts"])
    text = text.replace("REGION", REGION).replace("ACCOUNT", "123456789012").replace("/GROUP", "/bec-*")
    assert _plain(first.policy(f"{path.stem.capitalize()}Policy")) == _plain(json.loads(text))


def _plain(policy: dict[str, Any]) -> list[Any]:
    """Statements, with single values as lists of one."""

    def listed(key: str, value: Any) -> Any:
        return [value] if key in ("Action", "Resource") and isinstance(value, str) else value

    return [{key: listed(key, value) for key, value in one.items()} for one in policy["Statement"]]


def test_nothing_but_what_knows_no_single_resources_is_allowed_everywhere() -> None:
    for name, resource in WRITTEN["Resources"].items():
        if resource["Type"] != "AWS::IAM::ManagedPolicy":
            continue
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not any("*" in action for action in actions), (name, statement["Sid"])
            if statement["Resource"] == "*":
                assert statement["Sid"] in ("LookAtGroups", "PublishTheBacklog", "LetOperatorsIn")


def test_workers_can_not_write_what_machines_install() -> None:
    for policy in ("WorkerPolicy", "ScalingPolicy", "MachinePolicy", "OperatorPolicy"):
        for statement in properties(policy)["PolicyDocument"]["Statement"]:
            if "ReleaseBucket" in str(statement["Resource"]):
                assert set(statement["Action"]) == {"s3:GetObject", "s3:ListBucket"}


def test_bec_knows_the_settings_of_the_machines(stacks: tuple[Stack, Stack]) -> None:
    text = stacks[0].settings("tmpl-ldv1")
    values = dict(line.split("=", 1) for line in text.splitlines())
    known = {name for names in core_fields().values() for name in names}
    assert set(values) - OF_THE_UNIT <= known
    settings = load_settings(values)
    assert settings.queue_kind == "sqs"
    assert settings.sslmode == "require"
    assert settings.dest_location == f"s3://{stacks[0].outputs['Artifacts']}"
    assert values["BEC_ASG_NAME"] == stacks[0].outputs["FleetName"]
    (hook,) = properties("Fleet")["LifecycleHookSpecificationList"]
    assert values["BEC_ASG_HOOK"] == hook["LifecycleHookName"]
    assert values["BEC_SQL_USER"] == properties("Database")["MasterUsername"]
    assert values["BEC_SQL_DATABASE"] == properties("Database")["DBName"]


@pytest.mark.parametrize("resource", ["WorkerTemplate", "DeskTemplate"])
def test_machines_speak_imdsv2_alone_and_their_disks_are_encrypted(
    stacks: tuple[Stack, Stack], resource: str
) -> None:
    data, script = stacks[0].launch_template(resource)
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert all(one["Ebs"]["Encrypted"] for one in data["BlockDeviceMappings"])
    assert "KeyName" not in data
    assert '"s3://bec-releases/0.1.0/" /opt/bec/release/ &&\n' in script
    assert "password" not in script.lower()


@pytest.mark.parametrize("resource", ["WorkerTemplate", "DeskTemplate"])
@pytest.mark.parametrize(("fetched", "started"), [(True, True), (True, False), (False, True)])
def test_a_machine_that_can_not_be_made_ready_goes(
    stacks: tuple[Stack, Stack], resource: str, fetched: bool, started: bool, tmp_path: Path
) -> None:
    for name, good in (("aws", fetched), ("bash", started), ("shutdown", True)):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*"\nexit {int(not good)}\n')
        (tmp_path / name).chmod(0o755)
    script = stacks[0].launch_template(resource)[1]
    said = subprocess.run(
        ["/bin/bash", "-c", script], env={"PATH": f"{tmp_path}"}, capture_output=True, text=True, check=True
    ).stdout
    assert ("shutdown -h +5\n" in said) == (not (fetched and started))
    role = resource.removesuffix("Template").lower()
    assert (f"bash /opt/bec/release/start-instance.sh {role} us-east-1 arn:aws:secrets" in said) == fetched


def test_the_database_and_the_bucket_are_private(stacks: tuple[Stack, Stack]) -> None:
    account = stacks[0].account
    (database,) = account.client("rds").describe_db_instances(DBInstanceIdentifier=stacks[0].ids["Database"])[
        "DBInstances"
    ]
    assert database["StorageEncrypted"]
    assert not database["PubliclyAccessible"]
    assert properties("Database")["DeletionProtection"] is True
    (ingress,) = properties("DatabaseGroup")["SecurityGroupIngress"]
    assert ingress["SourceSecurityGroupId"] == "MachineGroup.GroupId"
    assert "SecurityGroupIngress" not in properties("MachineGroup")
    bucket = properties("ArtifactBucket")
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    for policy in ("ArtifactBucketOverTls", "QueuesOverTls"):
        (statement,) = properties(policy)["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Condition"]) == (
            "Deny",
            {"Bool": {"aws:SecureTransport": "false"}},
        )
    assert WRITTEN["Resources"]["ArtifactBucket"]["DeletionPolicy"] == "Retain"
    assert WRITTEN["Resources"]["Database"]["DeletionPolicy"] == "Snapshot"


def test_the_password_is_the_secrets(stacks: tuple[Stack, Stack]) -> None:
    found = (
        stacks[0]
        .account.client("secretsmanager")
        .get_secret_value(SecretId=stacks[0].outputs["DatabaseSecretArn"])
    )
    secret = json.loads(found["SecretString"])
    assert secret["username"] == "bec"
    assert re.fullmatch(r"\w{40}", secret["password"])
    assert properties("Database")["MasterUserPassword"] == (
        "{{resolve:secretsmanager:${DatabaseSecret}:SecretString:password}}"
    )


def test_the_fleet_is_on_spot_and_drains(stacks: tuple[Stack, Stack]) -> None:
    (group,) = (
        stacks[0]
        .account.client("autoscaling")
        .describe_auto_scaling_groups(AutoScalingGroupNames=[stacks[0].outputs["FleetName"]])[
            "AutoScalingGroups"
        ]
    )
    assert (group["AutoScalingGroupName"], group["MinSize"], group["DesiredCapacity"]) == (
        "bec-tmpl-ldv1",
        0,
        0,
    )
    spread = group["MixedInstancesPolicy"]["InstancesDistribution"]
    assert (spread["OnDemandBaseCapacity"], spread["OnDemandPercentageAboveBaseCapacity"]) == (0, 0)
    assert spread["SpotAllocationStrategy"] == "price-capacity-optimized"
    fleet = properties("Fleet")
    assert fleet["CapacityRebalance"] is True
    (hook,) = fleet["LifecycleHookSpecificationList"]
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    unit = (ROOT / "systemd" / "bec-worker@.service").read_text()
    stops = re.search(r"^TimeoutStopSec=(\d+)s$", unit, re.MULTILINE)
    assert stops is not None
    assert hook["HeartbeatTimeout"] >= int(stops[1]) + 20


def test_the_dashboard_and_the_alarms_look_at_what_there_is(stacks: tuple[Stack, Stack]) -> None:
    for stack, job in zip(stacks, ("tmpl-ldv1", "tmpl-ocr"), strict=True):
        body = stack.account.client("cloudwatch").get_dashboard(DashboardName=f"bec-{job}")["DashboardBody"]
        shown = json.dumps(json.loads(body))
        for name in (f"bec-{job}", f"bec_{job}_tasks", f"bec_{job}_dlq", stacks[0].outputs["DatabaseName"]):
            assert f'"{name}"' in shown
    agent = json.loads((ROOT / "systemd" / "cloudwatch-agent.json").read_text())
    for group, file in zip(
        ("Logs", "Metrics"), agent["logs"]["logs_collected"]["files"]["collect_list"], strict=True
    ):
        assert properties(group)["LogGroupName"] == file["log_group_name"]
        assert properties(group)["RetentionInDays"] == file["retention_in_days"]
    alarms = [name for name, one in WRITTEN["Resources"].items() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(alarms) == 6
    for name in alarms:
        assert properties(name)["AlarmActions"] == ["Alarms"]
        assert properties(name)["TreatMissingData"]


def test_no_account_is_named_and_no_address() -> None:
    text = TEMPLATE.read_text()
    assert not re.search(r"\b\d{12}\b", text)
    assert not re.search(r"arn:aws:", text)
    assert not re.search(r"\b[a-z]{2}-(north|south|east|west|central)[a-z]*-\d\b", text)
