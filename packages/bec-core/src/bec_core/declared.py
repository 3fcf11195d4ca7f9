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
    problems: list[str] = []
    for name in (*_WORDS, *_WORDS_OR_NONE):
        value = getattr(job_type, name)
        if not isinstance(value, str) and not (value is None and name in _WORDS_OR_NONE):
            problems.append(f"its {name} must be a string, not {value!r}")
    if not (isinstance(job_type.config, type) and attrs.has(job_type.config)):
        problems.append(f"its config class {job_type.config!r} is no attrs class")
    for field in attrs.fields(JobType):
        if isinstance(field.default, tuple):
            problems += _tuple_problems(f"its {field.name}", getattr(job_type, field.name), _one_of(field))
    inputs = job_type.inputs if isinstance(job_type.inputs, tuple) else ()
    for one in inputs:
        if isinstance(one, Input):
            problems += _tuple_problems(f"the artifacts of its input {one.name!r}", one.artifacts, "str")
    return problems


def _one_of(field: attrs.Attribute[Any]) -> str:
    """``Input`` of ``tuple[Input, ...]``, as the class has it in words."""
    return str(field.type).partition("[")[2].partition(",")[0]


def _tuple_problems(what: str, value: object, kind: str) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{what} must be a tuple, not the string {value!r}: write ({value!r},) with a comma"
    elif not isinstance(value, tuple):
        yield f"{what} must be a tuple, not {value!r}"
    else:
        for one in value:
            if kind not in {parent.__name__ for parent in type(one).__mro__}:
                yield f"{what} must hold {kind}s, not {one!r}"
