"""Conformance of what a plugin declares beside its config: metrics, resources, settings of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import attrs

from bec_core.job import JobType
from bec_core.settings import core_fields

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_OPTION = re.compile(r"--[a-z][a-z0-9-]+")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")


def given_problems(job_type: JobType) -> list[str]:
    """What is wrong with the declaration, each in a sentence."""
    return [*_metric_problems(job_type), *_resource_problems(job_type), *_setting_problems(job_type)]


def _metric_problems(job_type: JobType) -> Iterator[str]:
    names = {metric.name: metric for metric in job_type.metrics}
    yield from _twice("metrics have the name", [metric.name for metric in job_type.metrics])
    for metric in job_type.metrics:
        where = f"the metric {metric.name!r}"
        if not _WORD.fullmatch(metric.name):
            yield f"{where}: a name is a word of small letters, digits and _"
        if not metric.doc.strip():
            yield f"{where} does not say what it means"
        if metric.better not in (None, "lower", "higher"):
            yield f"{where}: better is 'lower', 'higher' or None, not {metric.better!r}"
        if metric.drift is not None and not (metric.weight and metric.drift > 0):
            yield f"{where}: a drift is a positive number, of a metric with a weight"
        if metric.weight is None:
            continue
        if metric.weight not in names:
            yield f"{where} is weighed by {metric.weight!r}, which is no metric"
        elif names[metric.weight].weight is not None:
            yield f"{where} is weighed by {metric.weight!r}, which must be a plain sum"


def _resource_problems(job_type: JobType) -> Iterator[str]:
    yield from _twice("resources have the name", [one.name for one in job_type.resources])
    yield from _twice("resources have the option", [one.option for one in job_type.resources])
    yield from _twice("resources have the variable", [one.environment for one in job_type.resources])
    for resource in job_type.resources:
        where = f"the resource {resource.name!r}"
        if not _WORD.fullmatch(resource.name):
            yield f"{where}: a name is a word of small letters, digits and _"
        if not resource.doc.strip():
            yield f"{where} does not say what it is"
        if resource.option is not None and not _OPTION.fullmatch(resource.option):
            yield f"{where}: {resource.option!r} is no option; write '--model-path'"
        if resource.environment is not None:
            yield from _variable_problems(resource.environment, where)


def _setting_problems(job_type: JobType) -> Iterator[str]:
    if job_type.settings is None:
        return
    if not attrs.has(job_type.settings):
        yield f"its settings class {job_type.settings!r} is no attrs class"
        return
    named = {one.environment for one in job_type.resources}
    for attribute in attrs.fields(job_type.settings):
        where = f"the settings' field {attribute.name!r}"
        variable = job_type.variable(attribute.name)
        if not attribute.metadata.get("doc"):
            yield f"{where} does not say what it means: use option(default, doc)"
        if attribute.type is None:
            yield f"{where} has no type"
        if variable in named:
            yield f"{where} is read from {variable}, which names a resource"
        yield from _variable_problems(variable, where)


def _variable_problems(variable: str, where: str) -> Iterator[str]:
    if not _VARIABLE.fullmatch(variable):
        yield f"{where}: {variable!r} is no variable's name; write 'BEC_MY_MODEL'"
    if variable in {name for names in core_fields().values() for name in names}:
        yield f"{where}: {variable} is a setting of BEC's own"


def _twice(what: str, names: Iterable[str | None]) -> Iterator[str]:
    for name, number in Counter(names).items():
        if name is not None and number > 1:
            yield f"{number} of its {what} {name!r}"
