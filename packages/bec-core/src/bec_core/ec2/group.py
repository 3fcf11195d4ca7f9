"""The calls of an instance to its Auto Scaling group. What fails is said, and fails no worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from loguru import logger


@frozen
class Group:
    """An instance's group, as boto3 speaks to it.

    Attributes:
        client: boto3's client for ``autoscaling``.
        name: the group's.
        instance_id: the instance's.
        hook: the lifecycle hook that waits for the instance's end; None: there is none.
        protects: whether the instance is protected from scale-in while it works.
    """

    client: Any = field(repr=False)
    name: str
    instance_id: str
    hook: str | None = None
    protects: bool = False

    def protect(self, on: bool) -> bool:
        """Protect the instance from scale-in, or no longer; whether that was done."""
        done = self._call(
            lambda: self.client.set_instance_protection(
                InstanceIds=[self.instance_id], AutoScalingGroupName=self.name, ProtectedFromScaleIn=on
            ),
            f"{'setting' if on else 'lifting'} the protection from scale-in",
        )
        if done:
            logger.info(
                "{} protected from scale-in", "the instance is" if on else "the instance is no longer"
            )
        return done

    def complete(self) -> bool:
        """Say that the instance has nothing more to do: its group need not wait; whether that was said."""
        if self.hook is None:
            return False
        done = self._call(
            lambda: self.client.complete_lifecycle_action(
                LifecycleHookName=self.hook,
                AutoScalingGroupName=self.name,
                InstanceId=self.instance_id,
                LifecycleActionResult="CONTINUE",
            ),
            f"completing the lifecycle action {self.hook}",
        )
        if done:
            logger.info("the lifecycle action {} is completed: nothing is at hand any more", self.hook)
        return done

    def _call(self, call: Callable[[], object], what: str) -> bool:
        try:
            call()
        except (BotoCoreError, ClientError, ResponseParserError) as error:  # the last: a proxy's page, say
            logger.warning("{} for {} in {} failed: {}", what, self.instance_id, self.name, error)
            return False
        return True
