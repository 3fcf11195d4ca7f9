"""What moto's CloudFormation lacks of our template: ``AWS::SecretsManager::Secret``, made in moto's own service."""

from __future__ import annotations

import json
import secrets
from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.secretsmanager.models import secretsmanager_backends


class StackSecret(CloudFormationModel):
    """Registered by being there: moto looks for subclasses of its model."""

    def __init__(self, arn: str) -> None:
        self.arn = arn

    @property
    def physical_resource_id(self) -> str:
        return self.arn

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SecretsManager::Secret"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Id"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        assert attribute_name == "Id"
        return self.arn

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> StackSecret:
        properties = cloudformation_json["Properties"]
        asked = properties["GenerateSecretString"]
        assert asked["ExcludePunctuation"]
        value = json.loads(asked["SecretStringTemplate"])
        value[asked["GenerateStringKey"]] = secrets.token_hex(int(asked["PasswordLength"]) // 2)
        made = secretsmanager_backends[account_id][region_name].create_secret(
            name=resource_name, secret_string=json.dumps(value), secret_binary=None, tags=None, kms_key_id=None,
            description=properties["Description"], client_request_token=None, replica_regions=[],
            force_overwrite=False,
        )  # fmt: skip
        return cls(json.loads(made)["ARN"])

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        secretsmanager_backends[account_id][region_name].delete_secret(
            secret_id=resource_name, recovery_window_in_days=None, force_delete_without_recovery=True
        )

    def is_created(self) -> bool:
        return True
