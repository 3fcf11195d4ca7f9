"""Whether a job type, a source or an observer is one: each field of its declaration has the type that it should have.

Python checks none of this, and a wrong one shows late and elsewhere: ``inputs="ldv1"`` is four inputs of a letter each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from bec_core.job import Input, JobType
from bec_core.observer import ObserverType
from bec_core.source import SourceType

_WORDS = ("name", "worker", "version", "summary", "results_version")
_WORDS_OR_NONE = ("report", "compare", "family")


_SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_BAD_NAME = "its name must be of small letters, digits and '_' (at most 32, a letter first)"
_TAKEN = {"folder": "the database has it for folders of this machine", "s3": "a store's URL begins so"}


def shape_problems(declared: JobType | SourceType | ObserverType) -> list[str]:
    """What of the declaration has a wrong type, each in a sentence."""
    if isinstance(declared, ObserverType):
        return _observer_problems(declared)
    return _source_problems(declared) if isinstance(declared, SourceType) else _job_problems(declared)


def _observer_problems(observer: ObserverType) -> list[str]:
    said: dict[str, Any] = {field.name: getattr(observer, field.name) for field in attrs.fields(ObserverType)}
    problems = _word_problems(said)
    if said["settings"] is not None:
        problems += _class_problems("settings", said["settings"])
    if not problems and not _SOURCE_NAME.fullmatch(observer.name):
        problems.append(_BAD_NAME)
    return problems


def _word_problems(said: Mapping[str, Any]) -> list[str]:
    return [
        f"its {name} must be a string, not {said[name]!r}"
        for name in ("name", "opener", "summary")
        if not isinstance(said[name], str)
    ]


def _source_problems(source: SourceType) -> list[str]:
    said: dict[str, Any] = {field.name: getattr(source, field.name) for field in attrs.fields(SourceType)}
    problems = _word_problems(said)
    for name in ("endings", "prefixes"):
        problems += _tuple_problems(f"its {name}", said[name], "str")
    if not isinstance(said["in_messages"], bool):
        problems.append(f"its in_messages must be True or False, not {said['in_messages']!r}")
    if said["settings"] is not None:
        problems += _class_problems("settings", said["settings"])
    if problems:
        return problems
    if not _SOURCE_NAME.fullmatch(source.name):
        problems.append(_BAD_NAME)
    elif source.name in _TAKEN:
        problems.append(f"its name is taken: {_TAKEN[source.name]}")
    problems += [f"its ending {one!r} must begin with '.'" for one in source.endings if one[:1] != "."]
    if source.endings and source.in_messages:
        problems.append("it takes files of this machine (endings), so messages can't name its volumes")
    return problems


def _job_problems(job_type: JobType) -> list[str]:
    said: dict[str, Any] = {field.name: getattr(job_type, field.name) for field in attrs.fields(JobType)}
    problems: list[str] = []
    for name in (*_WORDS, *_WORDS_OR_NONE):
        value = said[name]
        if not isinstance(value, str) and not (value is None and name in _WORDS_OR_NONE):
            problems.append(f"its {name} must be a string, not {value!r}")
    problems += _class_problems("config", said["config"])
    if said["settings"] is not None:
        problems += _class_problems("settings", said["settings"])
    for field in attrs.fields(JobType):
        if isinstance(field.default, tuple):
            problems += _tuple_problems(f"its {field.name}", said[field.name], _one_of(field))
    for one in said["inputs"] if isinstance(said["inputs"], tuple) else ():
        if isinstance(one, Input):
            problems += _tuple_problems(f"the artifacts of its input {one.name!r}", one.artifacts, "str")
    return problems


def _class_problems(what: str, found: Any) -> Iterator[str]:
    if not (isinstance(found, type) and attrs.has(found)):
        yield f"its {what} class {found!r} is no attrs class"
        return
    try:
        attrs.resolve_types(found)
    except Exception as error:  # noqa: BLE001 - whatever an annotation raises is what is to be reported
        yield f"a type of its {what} class {found.__name__} can't be found: {type(error).__name__}: {error}"


def _one_of(field: attrs.Attribute[Any]) -> str:
    """``Input`` of ``tuple[Input, ...]``, as the class has it in words."""
    return str(field.type).partition("[")[2].partition(",")[0].rpartition(".")[2]


def _tuple_problems(what: str, value: object, kind: str) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{what} must be a tuple, not the string {value!r}: write ({value!r},) with a comma"
    elif not isinstance(value, tuple):
        yield f"{what} must be a tuple, not {value!r}"
    else:
        for one in value:
            if kind not in {parent.__name__ for parent in type(one).__mro__}:
                yield f"{what} must hold {kind}s, not {one!r}"
