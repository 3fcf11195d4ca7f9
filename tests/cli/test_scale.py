"""``bec scale`` and the feeder's command, against moto's server; moto keeps alarms and policies, and evaluates none."""

from __future__ import annotations

import json
import shlex
import uuid
from typing import Any

import boto3
import pytest

from support.cli import Bec

PER_INSTANCE = ("--per-instance", "2", "--max", "5")


@pytest.fixture
def cloud(bec: Bec, aws: str, monkeypatch: pytest.MonkeyPatch) -> Bec:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("BEC_REGION", "us-east-1")
    bec.ok("jobs", "create", "--name", "checksum")
    return bec


@pytest.fixture
def group(cloud: Bec, aws: str) -> str:
    name = f"g-{uuid.uuid4().hex[:8]}"
    images = client("ec2", aws).describe_images()["Images"]
    client("autoscaling", aws).create_launch_configuration(
        LaunchConfigurationName=name, ImageId=images[0]["ImageId"], InstanceType="t3.micro"
    )
    client("autoscaling", aws).create_auto_scaling_group(
        AutoScalingGroupName=name, LaunchConfigurationName=name, MinSize=0, MaxSize=1, DesiredCapacity=0,
        AvailabilityZones=["us-east-1a"],
    )  # fmt: skip
    return name


def client(service: Any, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def ask(bec: Bec, number: int) -> None:
    volumes = [word for n in range(number) for word in ("--volume", f"W1,I{n:04}")]
    bec.ok("queue", "enqueue", "--job-name", "checksum", *volumes)


def test_a_group_follows_the_backlog_up_and_down_by_its_rules(cloud: Bec, group: str, aws: str) -> None:
    of = ("--job-name", "checksum", "--group", group)
    assert cloud("scale", "up", *of).code == 2  # no rules, and no --to
    dry = cloud.ok("scale", "set", *of, *PER_INSTANCE, "--dry-run")
    lines = [shlex.split(line) for line in dry.out.splitlines()]
    assert [words[2] for words in lines] == [
        "update-auto-scaling-group", "enable-metrics-collection",
        *3 * ["put-scaling-policy"], *2 * ["put-metric-alarm"],
    ]  # fmt: skip
    assert "bec queue feed --job-name checksum" in dry.err
    assert client("cloudwatch", aws).describe_alarms(AlarmNamePrefix="bec-checksum")["MetricAlarms"] == []

    for _ in range(2):  # again, it changes nothing
        cloud.ok("scale", "set", *of, *PER_INSTANCE)
    found = client("autoscaling", aws).describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    assert (found["AutoScalingGroups"][0]["MinSize"], found["AutoScalingGroups"][0]["MaxSize"]) == (0, 5)
    policies = client("autoscaling", aws).describe_policies(AutoScalingGroupName=group)["ScalingPolicies"]
    arns = {one["PolicyName"]: one["PolicyARN"] for one in policies}
    assert set(arns) == {"bec-checksum-backlog", "bec-checksum-from-zero", "bec-checksum-to-least"}
    alarms = client("cloudwatch", aws).describe_alarms(AlarmNames=list(arns))["MetricAlarms"]
    assert {one["AlarmName"]: one["AlarmActions"] for one in alarms} == {
        name: [arns[name]] for name in ("bec-checksum-from-zero", "bec-checksum-to-least")
    }

    assert "want 0: the job needs nobody now" in cloud.ok("scale", "status", *of).out
    ask(cloud, 5)
    assert "set-desired-capacity" in cloud.ok("scale", "up", *of, "--dry-run").out
    assert cloud.ok("scale", "up", *of).out == f"✓ {group}: 3 instances; there were 0\n"
    status = cloud.ok("scale", "status", *of, "--json").json
    assert (status["group"]["desired"], status["wanted"]["instances"], status["backlog"]["total"]) == (
        3,
        3,
        5,
    )
    assert "3 instances already" in cloud.ok("scale", "up", *of).out
    refused = cloud("scale", "up", *of, "--to", "9")
    assert refused.code == 4
    assert "has 0 to 5 instances, not 9" in refused.err

    asked = cloud("scale", "down", *of)
    assert asked.code == 2  # nobody is there to answer
    assert "5 volumes wait and 0 run" in asked.err
    cloud.ok("jobs", "pause", "checksum")
    assert cloud.ok("scale", "down", *of).out == f"✓ {group}: 0 instances; there were 3\n"
    assert cloud.ok("scale", "down", *of).out == f"{group} has 0 instances already\n"


def test_a_group_that_is_not_there_is_named(cloud: Bec) -> None:
    for command in (("status",), ("up",), ("down",)):
        refused = cloud("scale", *command, "--job-name", "checksum")
        assert refused.code == 3
        assert "no Auto Scaling group 'bec-checksum'" in refused.err
    refused = cloud("scale", "set", "--job-name", "checksum", *PER_INSTANCE)
    assert refused.code == 3
    assert "no Auto Scaling group 'bec-checksum'" in refused.err
    assert cloud("scale", "set", "--job-name", "checksum", *PER_INSTANCE, "--min", "6").code == 4


def test_the_feeder_publishes_the_backlog_and_its_trouble_stops_no_feeding(
    cloud: Bec, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.ok("jobs", "update", "checksum", "--feed")
    assert (
        "4 messages for each live worker (never started; idle workers send in its place)"
        in cloud.ok("jobs", "show", "checksum").out
    )
    ask(cloud, 6)
    cloud.ok("queue", "feed", "--job-name", "checksum", "--once", "--metrics")
    got = client("cloudwatch", aws).list_metrics(Namespace="BEC")["Metrics"]
    assert {one["MetricName"] for one in got} == {"Backlog", "BacklogPerWorker", "NothingLeft"}
    stats = cloud.ok("queue", "stats", "--job-name", "checksum", "--json").json
    assert stats["available"] == 4
    assert ", heard of " in cloud.ok("jobs", "show", "checksum").out

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("bec_core.admin.scaling.calls._CONNECT_S", 0.1)
    said = cloud.ok("queue", "feed", "--job-name", "checksum", "--once", "--metrics", "--per-worker", "6")
    assert "could not be published" in said.err
    assert cloud.ok("queue", "stats", "--job-name", "checksum", "--json").json["available"] == 6


def test_a_job_with_and_without_a_feeder(cloud: Bec) -> None:
    cloud.ok("jobs", "create", "--name", "checksum-2", "--type", "checksum", "--feed")
    fed = ("--job-name", "checksum-2")
    held = cloud.ok("queue", "enqueue", *fed, "--volume", "W1,I1", "--volume", "W1,I2")
    assert held.out == "✓ Enqueued 2 volumes for the feeder of checksum-2\n"
    again = cloud.ok("queue", "enqueue", *fed, "--volume", "W1,I1", "--priority", "3")
    assert "1 volume that waited got another priority" in again.out
    assert cloud.ok("jobs", "show", "checksum-2", "--json").json["feeder"]["per_worker"] == 4
    assert (
        "would say that job checksum-2 has no feeder"
        in cloud.ok("jobs", "update", "checksum-2", "--no-feed", "--dry-run").err
    )
    gone = cloud.ok("jobs", "update", "checksum-2", "--no-feed")
    assert "2 messages that it held back sent now" in gone.err
    assert "has no feeder already" in cloud.ok("jobs", "update", "checksum-2", "--no-feed").err
    noted = cloud.ok("queue", "enqueue", *fed, "--volume", "W1,I3", "--priority", "3")
    assert "a queue knows no priorities" in noted.err
    assert json.loads(cloud.ok("jobs", "show", "checksum-2", "--json").out)["feeder"] is None
