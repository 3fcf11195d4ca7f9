"""``deploy/aws/bec.yaml`` made a stack by moto, which knows most of its resources, and looked at."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any
from urllib.parse import unquote

import boto3

from support import moto_stacks  # noqa: F401 - what moto lacks
from support.places import ROOT

TEMPLATE = ROOT / "deploy" / "aws" / "bec.yaml"
REGION = "us-east-1"
NOT_PLAYED = {
    "AWS::CloudWatch::Alarm", "AWS::EC2::SecurityGroupEgress", "AWS::Logs::MetricFilter", "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription", "AWS::SQS::QueuePolicy",
}  # fmt: skip
"""What moto does not make; cfn-lint knows them."""


class Account:
    """An account of AWS's, as moto plays it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[str, Any] = {}
        vpcs = self.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])
        self.vpc = vpcs["Vpcs"][0]["VpcId"]
        found = self.client("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])
        self.subnets = [one["SubnetId"] for one in found["Subnets"]][:3]

    def client(self, service: str) -> Any:
        """A service's client, made once: a model as large as EC2's takes its time to read."""
        if service not in self._clients:
            self._clients[service] = self._made(service)
        return self._clients[service]

    def _made(self, service: str) -> Any:
        name: Any = service
        return boto3.client(
            name, endpoint_url=self.url, region_name=REGION,
            aws_access_key_id="testing", aws_secret_access_key="testing",
        )  # fmt: skip


class Stack:
    """A stack of the template, by the names of its resources in it."""

    def __init__(self, account: Account, name: str, **parameters: str) -> None:
        self.account = account
        self.name = name
        given = {
            "ReleaseBucket": "bec-releases", "Release": "0.1.0", "VpcId": account.vpc,
            "SubnetIds": ",".join(account.subnets), **parameters,
        }  # fmt: skip
        account.client("cloudformation").create_stack(
            StackName=name, TemplateBody=TEMPLATE.read_text(), Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        )  # fmt: skip
        shown = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        assert shown["StackStatus"] == "CREATE_COMPLETE"
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in shown["Outputs"]}
        listed = account.client("cloudformation").list_stack_resources(StackName=name)[
            "StackResourceSummaries"
        ]
        self.ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in listed if one}

    @classmethod
    def first(cls, account: Account, job: str) -> Stack:
        """The first stack, with names of its own."""
        name = f"bec-{uuid.uuid4().hex[:8]}"
        return cls(
            account, name, JobName=job, ArtifactBucketName=f"{name}-artifacts", AlarmEmail="us@example.org"
        )

    def policy(self, resource: str) -> dict[str, Any]:
        """A managed policy's document."""
        iam, arn = self.account.client("iam"), self.ids[resource]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        return dict(document if isinstance(document, dict) else json.loads(unquote(document)))

    def launch_template(self, resource: str) -> tuple[dict[str, Any], str]:
        """A launch template's data, and its user data as text."""
        found = self.account.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=self.ids[resource]
        )
        data = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        return data, base64.b64decode(data["UserData"]).decode()

    def settings(self, job: str) -> str:
        """What becomes ``/etc/bec/worker.env``, but for the password."""
        found = self.account.client("ssm").get_parameter(Name=f"/bec/{job}/worker.env")
        return str(found["Parameter"]["Value"])

    def delete(self) -> None:
        """Delete it, and with it whatever has a name that another stack may want."""
        self.account.client("cloudformation").delete_stack(StackName=self.name)
