"""The instance's notices over a real HTTP service, its group's calls, and what a worker makes of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from loguru import logger

from bec_core.admin.instance import instance_watch
from bec_core.ec2.crew import Crew
from bec_core.ec2.group import Group
from bec_core.ec2.imds import Imds, MetadataSilent, is_instance
from bec_core.ec2.notices import Notice, NoticeKind, notices
from bec_core.ec2.watch import InstanceWatch
from bec_core.errors import SettingsError
from bec_core.settings import load_settings
from support.imds_server import Metadata, imds_server

NOW = datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC)


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    with imds_server() as made:
        yield made


def wait_for(what: Callable[[], Any]) -> None:
    ends = time.monotonic() + 10
    while not what():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.01)


def test_metadata_are_read_with_a_token_that_is_renewed_when_it_is_over(metadata: Metadata) -> None:
    imds = Imds(metadata.url)
    assert imds.get("instance-id") == "i-0123456789abcdef0"
    assert imds.get("spot/instance-action") is None
    assert metadata.asked.count("token") == 1
    metadata.tokens.clear()
    assert imds.get("instance-id") == "i-0123456789abcdef0"
    assert metadata.asked.count("token") == 2


def test_silence_and_nonsense_are_told_in_a_sentence(metadata: Metadata) -> None:
    with pytest.raises(MetadataSilent, match="does not answer"):
        Imds("http://127.0.0.1:9", timeout_s=0.2).get("instance-id")
    metadata.silent_s = 1.0
    started = time.monotonic()
    with pytest.raises(MetadataSilent, match="does not answer"):
        Imds(metadata.url, timeout_s=0.2).get("instance-id")
    assert time.monotonic() - started < 0.9
    with pytest.raises(SettingsError, match="BEC_IMDS_URL"):
        Imds("169.254.169.254")


def test_each_kind_of_notice_is_seen_and_how_long_it_leaves(metadata: Metadata) -> None:
    imds = Imds(metadata.url)
    assert notices(imds) == []
    metadata.values["autoscaling/target-lifecycle-state"] = "InService"
    assert notices(imds) == []
    metadata.values["spot/instance-action"] = '{"action": "terminate", "time": "2026-01-02T03:06:00Z"}'
    metadata.rebalance()
    metadata.terminate()
    found = notices(imds)
    assert [one.kind for one in found] == [
        NoticeKind.INTERRUPTION, NoticeKind.TERMINATION, NoticeKind.REBALANCE,
    ]  # fmt: skip
    assert found[0].within_s(NOW) == 90.0
    assert found[0].within_s(NOW + timedelta(minutes=3)) == 0.0
    assert found[1].within_s(NOW) is None
    metadata.values["spot/instance-action"] = "nonsense"
    assert notices(imds)[0] == Notice(NoticeKind.INTERRUPTION, None)


@pytest.mark.parametrize(
    ("file", "said", "is_one"),
    [
        ("sys_vendor", "Amazon EC2\n", True),
        ("bios_version", "4.11.amazon\n", True),
        ("sys_vendor", "QEMU\n", False),
        (None, "", False),
    ],
)
def test_the_firmware_says_whether_it_is_an_instance(
    tmp_path: Path, file: str | None, said: str, is_one: bool
) -> None:
    if file:
        (tmp_path / file).write_text(said)
    assert is_instance(tmp_path) is is_one


def test_a_machine_that_is_no_instance_is_not_watched(metadata: Metadata, tmp_path: Path) -> None:
    home = {"BEC_HOME": str(tmp_path), "BEC_IMDS_URL": metadata.url}
    assert instance_watch(load_settings({**home, "BEC_EC2": "off"})) is None
    assert is_instance() or instance_watch(load_settings(home)) is None
    assert metadata.asked == []
    assert instance_watch(load_settings({**home, "BEC_EC2": "on"})) is not None
    with pytest.raises(SettingsError, match="BEC_ASG_NAME is not"):
        load_settings({**home, "BEC_ASG_HOOK": "drain"})


class Told:
    """What a worker would be told."""

    def __init__(self) -> None:
        self.notices: list[tuple[NoticeKind, bool]] = []

    def __call__(self, notice: Notice, ends: bool) -> None:
        self.notices.append((notice.kind, ends))


def test_a_notice_is_told_once_also_one_that_stands_before_the_start(
    metadata: Metadata, tmp_path: Path
) -> None:
    told = Told()
    metadata.rebalance()
    watch = InstanceWatch(Imds(metadata.url), tmp_path, every_s=0.02)
    watch.start(busy=lambda: False, on_notice=told)
    assert told.notices == [(NoticeKind.REBALANCE, False)], "the first look is not before the first task"
    metadata.interrupt(120)
    wait_for(lambda: len(told.notices) == 2)
    asked = len(metadata.asked)
    wait_for(lambda: len(metadata.asked) > asked + 6)
    watch.close()
    assert told.notices == [(NoticeKind.REBALANCE, False), (NoticeKind.INTERRUPTION, True)]


def test_a_recommendation_ends_the_worker_only_if_it_is_to(metadata: Metadata, tmp_path: Path) -> None:
    told = Told()
    metadata.rebalance()
    watch = InstanceWatch(Imds(metadata.url), tmp_path, drain_on_rebalance=True, every_s=9.0)
    watch.start(busy=lambda: False, on_notice=told)
    watch.close()
    assert told.notices == [(NoticeKind.REBALANCE, True)]


def test_a_service_that_falls_silent_and_comes_back_is_said_once_each(
    metadata: Metadata, tmp_path: Path
) -> None:
    told, lines = Told(), list[str]()
    sink = logger.add(lambda line: lines.append(str(line)), format="{message}")
    imds = Imds(metadata.url, timeout_s=0.1)
    watch = InstanceWatch(imds, tmp_path, every_s=0.02)
    metadata.silent_s = 0.3
    watch.start(busy=lambda: False, on_notice=told)
    time.sleep(0.4)
    metadata.silent_s = 0.0
    metadata.interrupt(120)
    wait_for(lambda: told.notices)
    watch.close()
    logger.remove(sink)
    assert sum("can't be seen now" in line for line in lines) == 1
    assert sum("answers again" in line for line in lines) == 1


class Calls:
    """Stands for boto3's client where moto knows no such call: keeps what it is asked."""

    def __init__(self, refuse: bool = False) -> None:
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.refuse = refuse

    def __getattr__(self, name: str) -> Callable[..., None]:
        def call(**arguments: Any) -> None:
            self.made.append((name, arguments))
            if self.refuse:
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, name)

        return call


def started(
    metadata: Metadata, folder: Path, calls: Calls, busy: threading.Event, **more: Any
) -> InstanceWatch:
    group = Group(calls, "bec", "i-1", hook="drain", protects=True)
    watch = InstanceWatch(Imds(metadata.url), folder, group=lambda: group, every_s=0.02, idle_s=0.1, **more)
    watch.start(busy=busy.is_set, on_notice=Told())
    return watch


def test_the_instance_is_protected_while_it_works_and_let_go_when_all_has_ended(
    metadata: Metadata, tmp_path: Path
) -> None:
    calls, busy = Calls(), threading.Event()
    watch = started(metadata, tmp_path, calls, busy)

    def protections() -> list[bool]:
        return [
            told["ProtectedFromScaleIn"] for name, told in calls.made if name == "set_instance_protection"
        ]

    wait_for(lambda: protections() == [False])  # one that was killed may have left it
    busy.set()
    wait_for(lambda: protections() == [False, True])
    busy.clear()
    wait_for(lambda: protections() == [False, True, False])
    assert [name for name, _ in calls.made if name != "set_instance_protection"] == []
    metadata.terminate()
    wait_for(lambda: NoticeKind.TERMINATION in watch._told)
    watch.close()
    assert calls.made[-1] == (
        "complete_lifecycle_action",
        {
            "LifecycleHookName": "drain", "AutoScalingGroupName": "bec", "InstanceId": "i-1",
            "LifecycleActionResult": "CONTINUE",
        },
    )  # fmt: skip


def test_of_several_workers_on_an_instance_the_last_lets_it_go(metadata: Metadata, tmp_path: Path) -> None:
    metadata.terminate()
    calls, busy = Calls(), threading.Event()
    first, second = (started(metadata, tmp_path, calls, busy) for _ in range(2))
    first.close()
    assert "complete_lifecycle_action" not in [name for name, _ in calls.made]
    second.close()
    assert [name for name, _ in calls.made].count("complete_lifecycle_action") == 1


def test_a_group_that_refuses_fails_nothing(metadata: Metadata, tmp_path: Path) -> None:
    metadata.terminate()
    watch = started(metadata, tmp_path, calls := Calls(refuse=True), threading.Event())
    watch.close()
    assert calls.made[-1][0] == "complete_lifecycle_action"


def test_a_crews_last_one_knows_that_it_is(tmp_path: Path) -> None:
    one, other = Crew(tmp_path / "x" / "crew"), Crew(tmp_path / "x" / "crew")
    one.join()
    other.join()
    with one.leaving() as last:
        assert not last
    with other.leaving() as last:
        assert last
    one.close()
    other.close()
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="BEC_HOME"):
        Crew(tmp_path / "file" / "crew")


def test_protection_against_a_group(moto_url: str, aws: None) -> None:
    where = {"region_name": "us-east-1", "endpoint_url": moto_url}
    client = boto3.client("autoscaling", **where)
    client.create_launch_configuration(
        LaunchConfigurationName="bec", ImageId="ami-12c6146b", InstanceType="t3.micro"
    )
    client.create_auto_scaling_group(
        AutoScalingGroupName="bec", LaunchConfigurationName="bec", MinSize=1, MaxSize=1,
        AvailabilityZones=["us-east-1a"],
    )  # fmt: skip

    def instance() -> Any:
        return client.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"][0]

    group = Group(client, "bec", instance()["InstanceId"], protects=True)
    assert group.protect(True)
    assert instance()["ProtectedFromScaleIn"]
    assert group.protect(False)
    assert not instance()["ProtectedFromScaleIn"]
    assert not group.complete()  # no hook
