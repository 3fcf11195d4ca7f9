"""A job's group of instances at EC2 Auto Scaling: looking at it, giving it rules, setting its size by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from attrs import frozen

from bec_core.admin.actions import record
from bec_core.admin.scaling.calls import Call, Cloud
from bec_core.admin.scaling.policies import (
    FROM_ZERO,
    TO_LEAST,
    TRACKING,
    alarm_calls,
    group_calls,
    policy_calls,
    policy_name,
)
from bec_core.admin.scaling.rules import Rules, Wanted, needs_nobody, wanted
from bec_core.admin.session import Session
from bec_core.db import left
from bec_core.db.backlog import Backlog, backlog
from bec_core.errors import ConflictError, NotFoundError
from bec_core.models import Job


@frozen
class Group:
    """A group as it stands; ``per_instance`` by its tracking policy, None: the rules were not set."""

    name: str
    least: int
    desired: int
    most: int
    in_service: int
    per_instance: int | None

    @property
    def rules(self) -> Rules | None:
        """By what it is sized; None: by nothing."""
        return Rules(self.per_instance, self.most, self.least) if self.per_instance else None


@frozen
class Standing:
    """A job's backlog, whether it needs nobody, its group, and how large that should be (None: no rules are set)."""

    backlog: Backlog
    nobody: bool
    group: Group
    wanted: Wanted | None


def default_group(job: Job) -> str:
    """The group's name where none is given."""
    return f"bec-{job.name}"


def look_at_group(cloud: Cloud, job: Job, name: str) -> Group:
    """The group as it stands.

    Raises:
        NotFoundError: there is none of this name.
    """
    found = cloud.make(
        Call("autoscaling", "describe_auto_scaling_groups", {"AutoScalingGroupNames": [name]})
    )["AutoScalingGroups"]
    if not found:
        raise NotFoundError(
            f"there is no Auto Scaling group {name!r} in this region: make one (docs/scaling.md), or say --group NAME"
        )
    one: Mapping[str, Any] = found[0]
    policies = _policies(cloud, name, [policy_name(job.name, TRACKING)])
    target = policies[0].get("TargetTrackingConfiguration", {}).get("TargetValue") if policies else None
    in_service = sum(instance.get("LifecycleState") == "InService" for instance in one.get("Instances", ()))
    return Group(
        name,
        one["MinSize"],
        one["DesiredCapacity"],
        one["MaxSize"],
        in_service,
        round(target) if target else None,
    )


def stands(session: Session, cloud: Cloud, job: Job, name: str) -> Standing:
    """How the job and its group stand."""
    with session.database.connection() as connection:
        found = backlog(connection, job.id)
        nobody = needs_nobody(job.status, over=left.left(connection, job.id).over)
    group = look_at_group(cloud, job, name)
    rules = group.rules
    return Standing(
        found,
        nobody,
        group,
        wanted(rules, found, nobody=nobody, current=group.desired) if rules else None,
    )


def set_rules(
    session: Session, cloud: Cloud, job: Job, name: str, rules: Rules, *, dry_run: bool = False
) -> list[Call]:
    """Give the group its bounds, its policies and their alarms; the calls that do it. Doing it again changes nothing.

    With ``dry_run`` nothing is called, and in the alarms the policies' names stand for what their calls will answer.

    Raises:
        NotFoundError: there is no such group.
        ConflictError: the bounds contradict each other, or the service refuses.
    """
    if rules.least > rules.most:
        raise ConflictError(f"the least ({rules.least}) is more than the most ({rules.most})")
    calls = group_calls(name, rules)
    policies = policy_calls(job.name, name, rules)
    arns = {what: f"ARN of {policy_name(job.name, what)}" for what in (FROM_ZERO, TO_LEAST)}
    if not dry_run:
        look_at_group(cloud, job, name)
        for call in [*calls, *policies.values()]:
            cloud.make(call)
        names = {policy_name(job.name, what): what for what in policies}
        arns = {names[one["PolicyName"]]: one["PolicyARN"] for one in _policies(cloud, name, list(names))}
    alarms = alarm_calls(job.name, name, arns)
    if not dry_run:
        for call in alarms:
            cloud.make(call)
        with session.database.connection() as connection:
            record(session, connection, job, "scale", group=name, rules=attrs.asdict(rules))
    return [*calls, *policies.values(), *alarms]


def _policies(cloud: Cloud, group: str, names: list[str]) -> list[Mapping[str, Any]]:
    call = Call("autoscaling", "describe_policies", {"AutoScalingGroupName": group, "PolicyNames": names})
    return list(cloud.make(call)["ScalingPolicies"])


def set_size(
    session: Session, cloud: Cloud, job: Job, group: Group, instances: int, *, dry_run: bool = False
) -> Call:
    """Let the group have so many instances now; its rules go on from there.

    Raises:
        ConflictError: its bounds don't allow it.
    """
    if not group.least <= instances <= group.most:
        raise ConflictError(
            f"the group {group.name} has {group.least} to {group.most} instances, not {instances}:"
            " other bounds with bec scale set"
        )
    parameters = {"AutoScalingGroupName": group.name, "DesiredCapacity": instances, "HonorCooldown": False}
    call = Call("autoscaling", "set_desired_capacity", parameters)
    if not dry_run:
        cloud.make(call)
        with session.database.connection() as connection:
            record(session, connection, job, "scale", instances, group=group.name)
    return call
