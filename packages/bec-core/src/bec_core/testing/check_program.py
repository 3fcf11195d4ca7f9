"""The program behind ``bec plugins check``: an installed job type through the conformance kit, or a source, in a
process of its own.

``python -m bec_core.testing.check_program REQUEST EVENTS`` reads a JSON file and writes JSON lines: what it does next
and how long that may take at most, then what it found. A plugin may hang or end the process at any moment, so whoever
started it waits no longer than that, and knows what it was doing.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from attrs import frozen

from bec_core.declared import shape_problems
from bec_core.job import JobType
from bec_core.plugins import Plugins, load_plugins
from bec_core.settings import Settings, load_settings
from bec_core.testing.conformance import NO_IMAGE, find_problems
from bec_core.testing.declaration import declaration_problems
from bec_core.testing.local import write_pages
from bec_core.testing.making import EarlierRun, InputMaker, NoInput, pages_in
from bec_core.testing.samples import sample_pages
from bec_core.testing.source_check import source_problems

IMPORT_S = 60.0
DECLARE_S = 120.0
_RUNS = 16  # as often as the kit runs a job, builds its worker, or waits for something else at most


@frozen
class Request:
    """What is to be checked, and on what.

    Attributes:
        name: the job type or source (or its plugin).
        path: where Python looks for modules.
        pages: a folder of good pages; None for the sample pages.
        inputs: folders of earlier runs' artifacts, by input.
        config: the job's config for the runs.
        resources: files and folders, by the resources' names.
        env_file: a file of settings, for what the job type reads of the environment.
        any_bytes: no page can be bad.
        within_s: how long one run may take.
        stop_within_s: how soon a run must end once it is told to.
    """

    name: str
    path: list[str]
    pages: str | None
    inputs: Mapping[str, str]
    config: Mapping[str, Any]
    resources: Mapping[str, str]
    env_file: str | None
    any_bytes: bool
    within_s: float
    stop_within_s: float


class Check:
    """One check; tells what it does on ``events``."""

    def __init__(self, request: Request, events: TextIO) -> None:
        self._request = request
        self._events = events

    def run(self) -> None:
        """Check, and say what was found."""
        self._doing("importing the plugins", IMPORT_S)
        plugins = load_plugins()
        job_type = plugins.job_types.get(self._request.name)
        if job_type is None:
            self._source(plugins)
            return
        self._doing("looking at what it declares", DECLARE_S)
        declared = declaration_problems(job_type, None)
        if shape_problems(job_type):
            self._say(problems=declared)
            return
        try:
            self._say(
                problems=self._running(job_type, list(plugins.job_types.values())), version=job_type.version
            )
        except NoInput as error:
            self._say(problems=[*declared, str(error)], version=job_type.version)

    def _source(self, plugins: Plugins) -> None:
        """Check the source of the name that is asked for; else say that nobody brings it."""
        for plugin in plugins.loaded:
            for source in plugin.source_types:
                if source.name == self._request.name:
                    self._doing("looking at what it declares, and opening it", DECLARE_S)
                    named = self._settings()
                    problems = source_problems(source, plugins.module_of(plugin), named.environment)
                    self._say(problems=problems, version=plugin.version)
                    return
        broken = _broken(plugins, self._request.name)
        known = sorted([*plugins.job_types, *plugins.source_types])
        self._say(problems=broken, known=known, missing=not broken)

    def _settings(self) -> Settings:
        return load_settings(env_file=Path(self._request.env_file) if self._request.env_file else None)

    def _running(self, job_type: JobType, installed: list[JobType]) -> list[str]:
        request = self._request
        unknown = sorted(set(request.inputs) - {one.name for one in job_type.inputs})
        if unknown:
            raise NoInput(f"it declares no input {', '.join(unknown)}: --input names one that is none")
        self._doing("reading the pages and the inputs", DECLARE_S)
        given = {name: EarlierRun.read(Path(folder)) for name, folder in request.inputs.items()}
        pages = self._pages(given)
        named = self._settings()
        maker = InputMaker(job_type, installed, given, named.environment) if job_type.inputs else None
        with tempfile.TemporaryDirectory(prefix="bec-check-") as folder:
            if maker is not None:
                makers = ", ".join(maker.makers.values()) or "nothing"
                self._doing(f"making its inputs with {makers}", request.within_s * (1 + len(maker.makers)))
                maker(write_pages(Path(folder) / "pages", pages))
            self._doing("running it", request.within_s * _RUNS)
            return find_problems(
                job_type,
                pages=pages,
                bad_page=None if request.any_bytes else NO_IMAGE,
                config=request.config,
                inputs=maker,
                resources={name: Path(path) for name, path in request.resources.items()},
                environment=named.environment,
                run_within_s=request.within_s,
                stop_within_s=request.stop_within_s,
                only_these=bool(given),
            )

    def _pages(self, given: Mapping[str, EarlierRun]) -> dict[str, bytes]:
        if self._request.pages is not None:
            return pages_in(Path(self._request.pages))
        for earlier in given.values():
            return earlier.pages()
        return sample_pages()

    def _doing(self, what: str, within_s: float) -> None:
        self._say(doing=what, within_s=within_s)

    def _say(self, **event: object) -> None:
        self._events.write(json.dumps(event) + "\n")
        self._events.flush()


def _broken(plugins: Plugins, name: str) -> list[str]:
    """Why a plugin that could bring the job type or source is broken."""
    return [
        f"{one.distribution} can't be loaded: {one.reason}"
        for one in plugins.broken
        if name in (one.name, one.distribution)
        or any(f"the {what} {name!r}" in one.reason for what in ("job type", "source"))
    ]


def main(request: Path, events: Path) -> None:
    """Run the check that a file asks for."""
    asked = Request(**json.loads(request.read_text()))
    sys.path[:] = asked.path
    with events.open("a", encoding="utf-8") as file:
        Check(asked, file).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    os._exit(0)  # threads of the job may hang, and what must be said is said
