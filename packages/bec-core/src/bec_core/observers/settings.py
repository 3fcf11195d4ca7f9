"""What the environment may say to the observers that BEC brings."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from bec_core.job_config import option


def _check_port(_: object, __: object, value: str | None) -> None:
    if value is not None:
        address_of(value)


def address_of(text: str) -> tuple[str, int]:
    """Host and port of ``[HOST:]PORT``; without a host only this machine can ask.

    Raises:
        ValueError: it is none.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 <= int(port) < 65536:
        raise ValueError(f"{text!r} is no port: write 9464, or 0.0.0.0:9464 for askers from elsewhere")
    return host.strip("[]") or "127.0.0.1", int(port)


@frozen
class PrometheusSettings:
    """Where Prometheus may ask."""

    port: str | None = option(
        None,
        "Where a worker tells its metrics to Prometheus, as bec worker --metrics-port. Unset: nowhere.",
        allowed="[HOST:]PORT",
        validator=_check_port,
    )


@frozen
class EmfSettings:
    """Where lines for CloudWatch go."""

    file: Path | None = option(
        None,
        "A file to which a worker adds a line of CloudWatch's embedded metrics each minute. Unset: none.",
    )
    namespace: str = option("BEC", "CloudWatch's namespace for the metrics.")
    instance_type: str = option("unknown", "What the dimension InstanceType says.")
