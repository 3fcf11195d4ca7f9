"""What moto's CloudFormation lacks for our template: a secret, and that a condition also holds for an export."""

from __future__ import annotations

import copy
import json
import secrets
from typing import Any

from moto.cloudformation.parsing import Export, OutputMap
from moto.core.common_models import CloudFormationModel
from moto.secretsmanager.models import secretsmanager_backends


class StackSecret(CloudFormationModel):
    """``AWS::SecretsManager::Secret`` in moto's own service; moto looks for subclasses of its model."""

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


_all_exports = OutputMap.exports.fget


def _exports(outputs: OutputMap) -> list[Export]:
    """Those of outputs whose condition is true."""
    conditions = outputs._resource_map.lazy_condition_map
    written = outputs._output_json_map or {}
    true = copy.copy(outputs)
    true._output_json_map = {
        name: one for name, one in written.items() if "Condition" not in one or conditions[one["Condition"]]
    }
    assert _all_exports is not None
    return _all_exports(true)


OutputMap.exports = property(_exports)  # type: ignore[assignment]
