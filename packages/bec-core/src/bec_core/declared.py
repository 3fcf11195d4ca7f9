"""Whether a job type is one: each field of its declaration has the type that it should have.

Python checks none of this, and a wrong one shows late and elsewhere: ``inputs="ldv1"`` is four inputs of a letter each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from bec_core.job import Input, JobType

_WORDS = ("name", "worker", "version", "summary", "results_version")
_WORDS_OR_NONE = ("report", "compare", "family")


def shape_problems(job_type: JobType) -> list[str]:
    """What of the declaration has a wrong type, each in a sentence."""
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
