"""A job's config against its plugin's config class: checking, defaults, and the schema for people.

The class is attrs; each field's ``metadata`` may hold ``doc`` (what it means) and ``allowed`` (in words,
what its validators accept). The fields of :class:`RuntimeConfig` belong to the runtime: every job's config
may have them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
import cattrs
from attrs import field, frozen, validators
from cattrs.errors import BaseValidationError

from bec_core.errors import JobConfigError, SettingsError
from bec_core.job import JobType
from bec_core.resource_place import parse_place

T = TypeVar("T")


def option(default: Any, doc: str, *, allowed: str = "", validator: Any = None, results: bool = True) -> Any:
    """A field of a config class with its meaning and, in words, what is allowed.

    ``results=False``: it can't change results (a batch size), so it is no part of the recipe.
    """
    metadata = {"doc": doc, "allowed": allowed, "results": results}
    return field(default=default, validator=validator, metadata=metadata)


def between(low: float, high: float) -> dict[str, Any]:
    """The ``validator`` and ``allowed`` arguments of a number within ``[low, high]``."""
    return {
        "validator": validators.and_(validators.ge(low), validators.le(high)),
        "allowed": f"{low} to {high}",
    }


def _check_places(_: object, __: object, value: Mapping[str, str] | None) -> None:
    for name, place in (value or {}).items():
        try:
            parse_place(place, absolute=True)
        except SettingsError as error:
            raise ValueError(f"{name}: {error}") from None


def _check_prefix(_: object, __: object, value: str | None) -> None:
    if value is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", value):
        raise ValueError(f"{value!r} is not a folder's name")


@frozen(kw_only=True)
class RuntimeConfig:
    """The part of every job's config that the runtime reads."""

    artifact_prefix: str | None = option(
        None, "The artifacts' first folder; default: the job's name.", validator=_check_prefix,
        allowed="letters, digits, '.', '_', '-'",
    )  # fmt: skip
    max_attempts: int = option(
        3, "Failures after which a task goes to the dead-letter queue.", **between(1, 100)
    )
    max_page_error_rate: float = option(
        0.05, "Share of failed pages above which the task itself fails.", **between(0, 1)
    )
    brake_share: float = option(
        0.5, "Share of the volumes that ended last which, failed by one cause, pauses the job; 0: no brake.",
        **between(0, 1),
    )  # fmt: skip
    brake_volumes: int = option(
        40, "How many volumes that ended last the brake looks at; fewer than half of them tell nothing.",
        **between(2, 1000),
    )  # fmt: skip
    resources: dict[str, str] | None = option(
        None, "Where the job type's resources are, by name.", validator=_check_places,
        allowed="absolute paths, s3:// or https:// URLs, each with #sha256=…",
    )  # fmt: skip


_RUNTIME_KEYS = frozenset(a.name for a in attrs.fields(RuntimeConfig))


def _strict(kind: type[T]) -> Any:
    """A structure hook that takes only values of ``kind``: no ``"yes"`` for a bool, no 1.5 for an int."""

    def structure(value: Any, _: object) -> T:
        accepted = (int, float) if kind is float else (kind,)
        if not isinstance(value, accepted) or (kind is not bool and isinstance(value, bool)):
            raise TypeError(f"{value!r} is not {'an' if kind is int else 'a'} {_WORDS[kind]}")
        return kind(value)  # type: ignore[call-arg]  # bool, int, float and str all take a value

    return structure


_WORDS: dict[type[Any], str] = {bool: "true or false", int: "integer", float: "number", str: "string"}

_converter = cattrs.Converter(forbid_extra_keys=True)
for _kind in _WORDS:
    _converter.register_structure_hook(_kind, _strict(_kind))


def _structure_literal(value: Any, kind: Any) -> Any:
    if value not in get_args(kind):
        raise ValueError(f"{value!r} is none of {', '.join(map(repr, get_args(kind)))}")
    return value


_converter.register_structure_hook_func(
    lambda kind: str(get_origin(kind)) == "typing.Literal", _structure_literal
)


def structure_config(config: Mapping[str, Any], config_class: type[T]) -> tuple[T, RuntimeConfig]:
    """Check a job's config and give it as the plugin's class and the runtime's.

    Raises:
        JobConfigError: naming every unknown key, wrong type and value out of range, with what is allowed.
    """
    own = {key: value for key, value in config.items() if key not in _RUNTIME_KEYS}
    shared = {key: value for key, value in config.items() if key in _RUNTIME_KEYS}
    known = {attribute.name for attribute in attrs.fields(cast(Any, config_class))}
    problems = [
        f"{key} is unknown (known: {', '.join(sorted(known | _RUNTIME_KEYS))})"
        for key in sorted(set(own) - known)
    ]
    own_values = _structure_fields(own, config_class, problems)
    shared_values = _structure_fields(shared, RuntimeConfig, problems)
    if problems:
        raise JobConfigError("config: " + "; ".join(problems))
    return config_class(**own_values), RuntimeConfig(**shared_values)


def structure_job(config: Mapping[str, Any], job_type: JobType) -> tuple[Any, RuntimeConfig]:
    """The config of a job of this type, as :func:`structure_config` gives it; resources must be declared ones.

    Raises:
        JobConfigError: as :func:`structure_config`; or a resource that the job type does not declare is named.
    """
    own, shared = structure_config(config, job_type.config)
    declared = [resource.name for resource in job_type.resources]
    if unknown := sorted(set(shared.resources or ()) - set(declared)):
        raise JobConfigError(
            f"config: resources: {', '.join(unknown)}: {job_type.name} declares no such resource"
            f" (declared: {', '.join(declared) or 'none'})"
        )
    return own, shared


def _structure_fields(values: Mapping[str, Any], cls: type[Any], problems: list[str]) -> dict[str, Any]:
    """Structure and validate each known field by itself, so that one mistake does not hide another."""
    structured: dict[str, Any] = {}
    for attribute in attrs.fields(attrs.resolve_types(cls)):
        if attribute.name not in values:
            continue
        allowed = attribute.metadata.get("allowed", "")
        hint = f" (allowed: {allowed})" if allowed else ""
        try:
            value = _converter.structure(values[attribute.name], attribute.type)
            if attribute.validator is not None:
                attribute.validator(None, attribute, value)
        except (BaseValidationError, ValueError, TypeError, AttributeError) as error:
            for line in cattrs.transform_error(error, path=attribute.name, format_exception=_reason):
                reason, _, path = line.rpartition(" @ ")
                problems.append(f"{path}: {reason}{hint}")
        else:
            structured[attribute.name] = value
    return structured


def _reason(error: BaseException, _: type | None) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


@frozen
class ConfigField:
    """One field of a config class, for people."""

    name: str
    type: str
    default: Any
    doc: str
    allowed: str


def config_fields(config_class: type[Any]) -> list[ConfigField]:
    """The fields of a plugin's config class, then the runtime's."""
    rows = []
    for cls in (config_class, RuntimeConfig):
        for attribute in attrs.fields(cls):
            kind = attribute.type
            name = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
            rows.append(
                ConfigField(
                    attribute.name,
                    name,
                    attribute.default,
                    attribute.metadata.get("doc", ""),
                    attribute.metadata.get("allowed", ""),
                )
            )
    return rows
