"""Whether this machine is an EC2 instance that is to be watched, as the settings say; and its group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_core.ec2.imds import Imds, MetadataSilent, is_instance

if TYPE_CHECKING:
    from bec_core.ec2.group import Group
    from bec_core.ec2.watch import InstanceWatch
    from bec_core.settings import Settings


def instance_watch(settings: Settings) -> InstanceWatch | None:
    """What watches this instance's notices; None on a machine that is none, which is told without asking anybody.

    Raises:
        SettingsError: the settings don't fit each other.
    """
    if settings.ec2 == "off" or (settings.ec2 == "auto" and not is_instance()):
        return None
    from bec_core.ec2.watch import InstanceWatch

    imds = Imds(settings.imds_url)
    return InstanceWatch(
        imds,
        settings.home / "ec2",
        group=(lambda: _group(settings, imds)) if settings.asg_name else None,
        drain_on_rebalance=settings.on_rebalance == "drain",
    )


def _group(settings: Settings, imds: Imds) -> Group:
    """The instance's group.

    Raises:
        MetadataSilent: the instance does not know who it is.
    """
    import boto3
    from botocore.config import Config

    from bec_core.ec2.group import Group

    instance_id = imds.get("instance-id")
    if instance_id is None:
        raise MetadataSilent("the instance's metadata name no instance-id")
    client = boto3.client(
        "autoscaling",
        region_name=settings.region or imds.get("placement/region"),
        endpoint_url=settings.autoscaling_endpoint_url or settings.endpoint_url,
        config=Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 3}),
    )
    return Group(
        client,
        str(settings.asg_name),
        instance_id,
        hook=settings.asg_hook,
        protects=settings.scale_in_protection,
    )
