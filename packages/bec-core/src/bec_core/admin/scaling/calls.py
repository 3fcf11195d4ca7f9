"""Calls of AWS as values: shown by ``--dry-run``, made by :func:`make`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from bec_core.errors import ConflictError, ServiceError, SettingsError
from bec_core.settings import Settings

_CONNECT_S = 5.0
_ANSWER_S = 20.0
_REFUSED = frozenset({"ValidationError", "ValidationException", "InvalidParameterValue"})


class CloudUnavailable(ServiceError):
    """A service of AWS can't be reached, or refuses what it may allow later."""


@frozen
class Call:
    """One call: ``autoscaling``, ``set_desired_capacity``, and what it is given."""

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(factory=dict)

    @property
    def command(self) -> str:
        """The same call as a line for a shell, by AWS's own program."""
        words = ["aws", self.service, self.operation.replace("_", "-")]
        return shlex.join([*words, "--cli-input-json", json.dumps(self.parameters)])


class Cloud:
    """The clients of AWS's services that a command needs, each made when first used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: dict[str, Any] = {}

    def make(self, call: Call) -> Mapping[str, Any]:
        """Make a call; its answer.

        Raises:
            ConflictError: the service says that it can't be so (no such group, a bound passed).
            CloudUnavailable: anything else that went wrong.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        client = self._client(call.service)
        try:
            answer: Mapping[str, Any] = getattr(client, call.operation)(**call.parameters)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _REFUSED:
                raise ConflictError(f"{call.service} refuses {call.operation}: {error}") from error
            raise CloudUnavailable(f"{call.service}: {error}") from error
        except BotoCoreError as error:
            raise CloudUnavailable(f"{call.service}: {error}") from error
        return answer

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _client(self, service: str) -> Any:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        if service not in self._clients:
            named: Any = service
            config = Config(
                connect_timeout=_CONNECT_S,
                read_timeout=_ANSWER_S,
                retries={"mode": "standard", "total_max_attempts": 4},
            )
            try:
                self._clients[service] = boto3.Session().client(
                    named,
                    region_name=self._settings.region,
                    endpoint_url=self._settings.endpoint_url,
                    config=config,
                )
            except (BotoCoreError, ValueError) as error:
                raise SettingsError(f"{service} can't be used: {error} (BEC_REGION)") from error
        return self._clients[service]
