"""The rules of :mod:`~bec_core.admin.scaling.rules` in the words of EC2 Auto Scaling and CloudWatch.

Target tracking divides the backlog by the instances in service, which says nothing while there is none: so starting
from zero is a rule of its own. So is going down to zero: only when nothing is left, ten minutes long. Where the figures
are missing (the feeder is away) nothing happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bec_core.admin.scaling.calls import Call
from bec_core.admin.scaling.metrics import BACKLOG, NAMESPACE, OVER, dimensions
from bec_core.admin.scaling.rules import Rules

TRACKING, FROM_ZERO, TO_LEAST = "backlog", "from-zero", "to-least"
"""The policies' names, behind the job's."""

_PERIOD_S = 60
_DOWN_AFTER_MIN = 10
_WARM_UP_S = 300  # an instance boots, loads a model, and takes its first volume

_PER_INSTANCE = "IF(instances > 0, MAX([backlog, 1 - over]) / instances)"
_WANTED_AT_ZERO = "IF(FILL(instances, 0) < 1 AND backlog > 0, 1, 0)"


def policy_name(job_name: str, what: str) -> str:
    """The name of a policy, and of its alarm."""
    return f"bec-{job_name}-{what}"


def group_calls(group: str, rules: Rules) -> list[Call]:
    """Bounds of the group, and its own metrics, which the rules read."""
    return [
        Call(
            "autoscaling",
            "update_auto_scaling_group",
            {"AutoScalingGroupName": group, "MinSize": rules.least, "MaxSize": rules.most},
        ),
        Call(
            "autoscaling",
            "enable_metrics_collection",
            {
                "AutoScalingGroupName": group,
                "Granularity": "1Minute",
                "Metrics": ["GroupInServiceInstances", "GroupDesiredCapacity"],
            },
        ),
    ]


def policy_calls(job_name: str, group: str, rules: Rules) -> dict[str, Call]:
    """The three policies by :data:`TRACKING`, :data:`FROM_ZERO` and :data:`TO_LEAST`."""
    tracking = {
        "PolicyType": "TargetTrackingScaling",
        "EstimatedInstanceWarmup": _WARM_UP_S,
        "TargetTrackingConfiguration": {
            "TargetValue": float(rules.per_instance),
            "CustomizedMetricSpecification": {
                "Metrics": [
                    *(
                        {"Id": one["Id"], "MetricStat": one["MetricStat"], "ReturnData": False}
                        for one in _figures(job_name, group, with_period=False)
                    ),
                    {"Id": "per_instance", "Expression": _PER_INSTANCE, "ReturnData": True},
                ]
            },
        },
    }
    return {
        TRACKING: _policy(job_name, group, TRACKING, tracking),
        FROM_ZERO: _policy(job_name, group, FROM_ZERO, _exactly(max(1, rules.least))),
        TO_LEAST: _policy(job_name, group, TO_LEAST, _exactly(rules.least)),
    }


def alarm_calls(job_name: str, group: str, arns: Mapping[str, str]) -> list[Call]:
    """The alarms that set off the two rules of our own; ``arns`` are the policies' by name."""
    figures = _figures(job_name, group, with_period=True)
    at_zero = [*figures[:2], {"Id": "wanted", "Expression": _WANTED_AT_ZERO, "ReturnData": True}]
    return [
        _alarm(job_name, FROM_ZERO, arns[FROM_ZERO], minutes=1, Metrics=at_zero),
        _alarm(
            job_name,
            TO_LEAST,
            arns[TO_LEAST],
            minutes=_DOWN_AFTER_MIN,
            Namespace=NAMESPACE,
            MetricName=OVER,
            Dimensions=dimensions(job_name),
            Statistic="Minimum",
            Period=_PERIOD_S,
        ),
    ]


def _policy(job_name: str, group: str, what: str, contents: Mapping[str, Any]) -> Call:
    named = {"AutoScalingGroupName": group, "PolicyName": policy_name(job_name, what)}
    return Call("autoscaling", "put_scaling_policy", {**named, **contents})


def _exactly(instances: int) -> dict[str, Any]:
    return {
        "PolicyType": "StepScaling",
        "AdjustmentType": "ExactCapacity",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": instances}],
    }


def _figures(job_name: str, group: str, *, with_period: bool) -> list[dict[str, Any]]:
    """Backlog, instances and whether nothing is left, as a query of CloudWatch's."""
    of_group = [{"Name": "AutoScalingGroupName", "Value": group}]
    named = (
        ("backlog", NAMESPACE, BACKLOG, dimensions(job_name), "Maximum"),
        ("instances", "AWS/AutoScaling", "GroupInServiceInstances", of_group, "Average"),
        ("over", NAMESPACE, OVER, dimensions(job_name), "Minimum"),
    )
    period = {"Period": _PERIOD_S} if with_period else {}
    return [
        {
            "Id": known,
            "MetricStat": {
                "Metric": {"Namespace": space, "MetricName": metric, "Dimensions": told},
                "Stat": statistic,
                **period,
            },
            "ReturnData": False,
        }
        for known, space, metric, told, statistic in named
    ]


def _alarm(job_name: str, what: str, arn: str, *, minutes: int, **watched: Any) -> Call:
    return Call(
        "cloudwatch",
        "put_metric_alarm",
        {
            "AlarmName": policy_name(job_name, what),
            "AlarmDescription": f"Sets off the scaling policy {what} of the BEC job {job_name}.",
            "AlarmActions": [arn],
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": 1.0,
            "EvaluationPeriods": minutes,
            "DatapointsToAlarm": minutes,
            "TreatMissingData": "notBreaching",
            **watched,
        },
    )
