"""SQS's own move task: the call, with a stub in place of the service (moto does not implement it)."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.stub import Stubber

from bec_core.errors import QueueUnavailable, SettingsError
from bec_core.queues.sqs_client import SqsOptions
from bec_core.queues.sqs_move import start_move_task

BASE = "https://sqs.us-east-1.amazonaws.com/1/"
ARN = "arn:aws:sqs:us-east-1:1:"


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    stubber = Stubber(boto3.Session().client("sqs", region_name="us-east-1"))
    for name in ("bec_ldv1_dlq", "bec_ldv1_tasks"):
        stubber.add_response(
            "get_queue_attributes",
            {"Attributes": {"QueueArn": ARN + name}},
            {"QueueUrl": BASE + name, "AttributeNames": ["QueueArn"]},
        )
    stubber.activate()
    return stubber


@pytest.mark.parametrize("per_second", [None, 100])
def test_the_task_is_started_with_the_queues_arns(stub: Stubber, per_second: int | None) -> None:
    expected: dict[str, object] = {
        "SourceArn": ARN + "bec_ldv1_dlq",
        "DestinationArn": ARN + "bec_ldv1_tasks",
    }
    if per_second:
        expected["MaxNumberOfMessagesPerSecond"] = per_second
    stub.add_response("start_message_move_task", {"TaskHandle": "handle"}, expected)
    handle = start_move_task(
        SqsOptions(),
        BASE + "bec_ldv1_dlq",
        BASE + "bec_ldv1_tasks",
        per_second=per_second,
        client=stub.client,
    )
    assert handle == "handle"
    stub.assert_no_pending_responses()


def test_a_refusal_is_said_in_sqs_words(stub: Stubber) -> None:
    stub.add_client_error("start_message_move_task", "AccessDenied", "User is not authorized to perform it")
    with pytest.raises(QueueUnavailable, match="User is not authorized to perform it"):
        start_move_task(SqsOptions(), BASE + "bec_ldv1_dlq", BASE + "bec_ldv1_tasks", client=stub.client)


def test_queues_of_postgres_have_no_such_task() -> None:
    with pytest.raises(SettingsError, match="leave --move-task out"):
        start_move_task(SqsOptions(), "postgres:///bec_ldv1_dlq", "postgres:///bec_ldv1_tasks")


def test_the_service_knows_the_call() -> None:
    client = boto3.Session().client(
        "sqs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    shape = client.meta.service_model.operation_model("StartMessageMoveTask").input_shape
    assert (
        json.dumps(sorted(shape.members)) == '["DestinationArn", "MaxNumberOfMessagesPerSecond", "SourceArn"]'
    )
