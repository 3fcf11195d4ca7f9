"""Conformance of a source: what its module imports, what it declares, and that it opens."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from bec_core.archive import open_sources
from bec_core.builtin import bec_sources
from bec_core.declared import shape_problems
from bec_core.errors import BecError
from bec_core.settings import Settings
from bec_core.source import Source, SourceType
from bec_core.testing.declaration import import_problems

_METHODS = ("find", "resolve", "read_page")


def source_problems(source: SourceType, module: str, environment: Mapping[str, str]) -> list[str]:
    """What is wrong with a source, each in a sentence. It is asked for no volume: nobody knows what it has.

    Args:
        source: what is declared.
        module: the module of the plugin that brings it.
        environment: what its settings are read from.
    """
    if problems := shape_problems(source):
        return problems  # what else is wrong can't be told before these are right
    problems = list(import_problems(module))
    if not source.summary.strip() or "\n" in source.summary:
        problems.append("the summary must be one line, for listings")
    if not (source.endings or source.prefixes) and source.name not in {one.name for one in bec_sources()}:
        problems.append("it declares neither endings nor prefixes: only --source NAME finds its volumes")
    with tempfile.TemporaryDirectory(prefix="bec-check-") as home:
        settings = Settings(home=Path(home), environment=environment, source_url=Path(home).as_uri())
        problems += _opening_problems(source, settings)
    return problems


def _opening_problems(source: SourceType, settings: Settings) -> list[str]:
    try:
        opened: Source = open_sources([source], settings, own_runs=True).opened(source.name)
    except BecError as error:
        return [f"it can't be opened: {error}"]
    except Exception as error:  # noqa: BLE001 - whatever its factory raises is what is to be reported
        return [f"it can't be opened: {source.opener} raised {type(error).__name__}: {error}"]
    lacking = [name for name in _METHODS if not callable(getattr(opened, name, None))]
    return [f"what {source.opener} makes has no method {name}" for name in lacking]
