"""Reading ``success.json``: markers of ours, of the earlier system, and whatever else may lie there."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from bec_core.models import Artifact


@frozen
class Marker:
    """A marker as it lies in the store: its content and the etag by which it can be replaced.

    Markers of the earlier system have neither recipe nor request nor a list of artifacts; one that is no JSON object
    reads as empty.
    """

    content: Mapping[str, Any]
    etag: str | None = None

    @property
    def request(self) -> int:
        """The number of the request that it answers; 0 if it names none."""
        value = self.content.get("request")
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0

    @property
    def recipe(self) -> str | None:
        """By what it was made; None: unknown, which is never out of date."""
        return _text(self.content.get("recipe"))

    @property
    def job_name(self) -> str | None:
        """The job that made it."""
        return _text(self.content.get("job_name"))

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The files that it lists, as far as the list can be read."""
        listed = self.content.get("artifacts")
        found = []
        for one in listed if isinstance(listed, list) else []:
            if isinstance(one, Mapping) and isinstance(one.get("name"), str):
                size = one.get("size")
                found.append(
                    Artifact(one["name"], size if isinstance(size, int) else -1, str(one.get("sha256")))
                )
        return tuple(found)

    @property
    def checksums(self) -> Mapping[str, str] | None:
        """The SHA-256 of the files that it lists, by name; None: it lists none (the earlier system's)."""
        return {one.name: one.sha256 for one in self.artifacts} or None

    @property
    def lineage(self) -> tuple[Mapping[str, str], ...] | None:
        """What was read of inputs: ``input``, ``job``, ``artifact``, ``sha256`` of each; None: it does not say."""
        said = self.content.get("lineage")
        if not isinstance(said, list):
            return None
        keys = ("input", "job", "artifact", "sha256")
        return tuple(
            {key: one[key] for key in keys}
            for one in said
            if isinstance(one, Mapping) and all(isinstance(one.get(key), str) for key in keys)
        )

    @property
    def metrics(self) -> Mapping[str, float]:
        """The figures that its job gave of the volume; what is no finite number is left out."""
        return metrics_of(self.content)

    def answers(self, request: int) -> bool:
        """Whether it answers that request (or a later one)."""
        return self.request >= request


def metrics_of(content: Mapping[str, Any]) -> Mapping[str, float]:
    """The figures in a marker's content."""
    listed = content.get("metrics")
    return {
        name: value
        for name, value in (listed.items() if isinstance(listed, Mapping) else ())
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }


def parse_marker(data: bytes, etag: str | None = None) -> Marker:
    """The marker of these bytes; what is no JSON object reads as ``{}``."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = {}
    return Marker(content if isinstance(content, dict) else {}, etag)


def owner_of(marker: Marker, job_name: str) -> str | None:
    """The other job whose result a marker is; None: it is ``job_name``'s, or does not say."""
    return None if marker.job_name in (None, job_name) else marker.job_name


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
