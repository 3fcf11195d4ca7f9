"""How many instances a backlog wants, what is published, and the calls that say so to AWS."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from bec_core.admin.scaling.calls import Call
from bec_core.admin.scaling.metrics import publish
from bec_core.admin.scaling.policies import alarm_calls, group_calls, policy_calls
from bec_core.admin.scaling.rules import Rules, needs_nobody, wanted
from bec_core.db.backlog import Backlog
from bec_core.db.left import Left
from bec_core.models import Job, JobStatus
from support.places import ROOT

RULES = Rules(per_instance=100, most=10)


def backlog(waiting: int = 0, running: int = 0, blocked: int = 0, live: int = 0) -> Backlog:
    return Backlog(waiting, running, blocked, live)


@pytest.mark.parametrize(
    ("found", "nobody", "current", "instances"),
    [
        (backlog(1), False, 0, 1),  # from zero
        (backlog(100), False, 1, 1),
        (backlog(101), False, 1, 2),
        (backlog(50_000), False, 0, 10),
        (backlog(0, 1), False, 3, 1),  # the last one runs
        (backlog(0, 0, 5), False, 2, 1),  # blocked, and its inputs on their way: one stays
        (backlog(0, 0, 5), False, 0, 0),  # but none is started for it
        (backlog(), True, 4, 0),
        (backlog(0, 0, 5), True, 4, 0),  # blocked for good
        (backlog(500), True, 4, 0),  # paused
    ],
)
def test_a_backlog_wants_so_many(found: Backlog, nobody: bool, current: int, instances: int) -> None:
    assert wanted(RULES, found, nobody=nobody, current=current).instances == instances


def test_the_least_stays_and_what_the_bounds_cut_is_said() -> None:
    assert wanted(Rules(100, 10, 2), backlog(), nobody=True, current=5).instances == 2
    assert wanted(Rules(100, 10, 2), backlog(5), nobody=False, current=5).instances == 2
    assert (
        "would want 500; the group has at most 10"
        in wanted(RULES, backlog(50_000), nobody=False, current=1).why
    )


@pytest.mark.parametrize(
    ("left", "over"),
    [
        (Left(0, 0, 0, None), True),
        (Left(0, 0, 0, None, blocked=3), True),
        (Left(0, 0, 0, None, blocked=3, coming=1), False),
        (Left(1, 0, 0, None), False),
        (Left(0, 0, 1, 5.0), False),
        (Left(0, 1, 0, 5.0), False),
    ],
)
def test_a_fleet_goes_down_to_zero_by_what_a_worker_ends_by(left: Left, over: bool) -> None:
    assert left.over is over
    assert needs_nobody(JobStatus.ACTIVE, over=left.over) is over
    assert needs_nobody(JobStatus.PAUSED, over=left.over)


def job(status: JobStatus = JobStatus.ACTIVE) -> Job:
    now = datetime.now(UTC)
    return Job(1, "ldv1", "ldv1", {}, 1, status, "https://q", "https://d", now, now)


def figures(call: Call) -> dict[str, float]:
    return {one["MetricName"]: one["Value"] for one in call.parameters["MetricData"]}


def test_the_metrics_are_the_backlog_that_of_a_worker_and_whether_nobody_is_needed() -> None:
    found = backlog(7, 3, 50, live=4)
    call = publish(job(), found, over=False)
    assert figures(call) == {"Backlog": 10, "BacklogPerWorker": 2.5, "NothingLeft": 0}
    assert {json.dumps(one["Dimensions"]) for one in call.parameters["MetricData"]} == {
        '[{"Name": "Job", "Value": "ldv1"}]'
    }
    assert figures(publish(job(JobStatus.PAUSED), found, over=False)) == {
        "Backlog": 0, "BacklogPerWorker": 0, "NothingLeft": 1,
    }  # fmt: skip


def all_calls() -> list[Call]:
    arns = {"from-zero": "arn:aws:x", "to-least": "arn:aws:y"}
    return [
        publish(job(), backlog(1), over=False),
        *group_calls("bec-ldv1", RULES),
        *policy_calls("ldv1", "bec-ldv1", RULES).values(),
        *alarm_calls("ldv1", "bec-ldv1", arns),
    ]


@pytest.mark.parametrize("call", all_calls(), ids=lambda call: call.operation)
def test_every_call_is_one_that_aws_would_take(call: Call) -> None:
    model = botocore.session.get_session().get_service_model(call.service)
    by_name = {"".join(one.lower().split("_")): one for one in model.operation_names}
    shape = model.operation_model(_operation(by_name, call.operation)).input_shape
    assert shape is not None
    assert ParamValidator().validate(dict(call.parameters), shape).generate_report() == ""
    words = shlex.split(call.command)
    assert words[:4] == ["aws", call.service, call.operation.replace("_", "-"), "--cli-input-json"]
    assert json.loads(words[4]) == call.parameters


def _operation(by_name: dict[str, Any], operation: str) -> str:
    (name,) = [one for key, one in by_name.items() if key.lower() == operation.replace("_", "")]
    return str(name)


def test_target_tracking_divides_the_backlog_by_the_instances_in_service() -> None:
    tracking = policy_calls("ldv1", "bec-ldv1", RULES)["backlog"].parameters["TargetTrackingConfiguration"]
    assert tracking["TargetValue"] == 100
    metrics = {one["Id"]: one for one in tracking["CustomizedMetricSpecification"]["Metrics"]}
    assert metrics["per_instance"]["Expression"] == "IF(instances > 0, MAX([backlog, 1 - over]) / instances)"
    assert [key for key, one in metrics.items() if one["ReturnData"]] == ["per_instance"]
    assert metrics["instances"]["MetricStat"]["Metric"]["Dimensions"] == [
        {"Name": "AutoScalingGroupName", "Value": "bec-ldv1"}
    ]


def test_nothing_happens_while_the_figures_are_missing() -> None:
    alarms = alarm_calls("ldv1", "bec-ldv1", {"from-zero": "a", "to-least": "b"})
    assert {one.parameters["TreatMissingData"] for one in alarms} == {"notBreaching"}
    assert [one.parameters["EvaluationPeriods"] for one in alarms] == [1, 10]


@pytest.mark.parametrize(
    ("file", "calls"),
    [
        ("feeder", [publish(job(), backlog(), over=True)]),
        (
            "scale",
            [
                *group_calls("g", RULES),
                *policy_calls("j", "g", RULES).values(),
                *alarm_calls("j", "g", {"from-zero": "a", "to-least": "b"}),
                Call("autoscaling", "set_desired_capacity"),
                Call("autoscaling", "describe_auto_scaling_groups"),
                Call("autoscaling", "describe_policies"),
            ],
        ),
    ],
)
def test_the_rights_that_are_documented_are_those_that_the_calls_need(file: str, calls: list[Call]) -> None:
    policy = json.loads((ROOT / "docs" / "iam" / f"{file}.json").read_text())
    actions = [one["Action"] for one in policy["Statement"]]
    allowed = {word for one in actions for word in ([one] if isinstance(one, str) else one)}
    needed = {f"{call.service}:{call.operation.replace('_', '').lower()}" for call in calls}
    ours = {f"{service}:{word.lower()}" for service, _, word in (one.partition(":") for one in allowed)}
    assert {one for one in ours if one.startswith(("autoscaling:", "cloudwatch:"))} == needed
