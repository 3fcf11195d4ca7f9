"""One ``bec run``, with the time of each of its phases: what ``bench/cli_speed.py run`` starts.

    python bench/run_phases.py PHASES.json BEGAN -- ARGUMENTS OF BEC

BEGAN is the Unix time at which the process was started. Functions are wrapped when their module has been imported, so
that nothing is imported earlier, or at all, for being looked at.
"""

from __future__ import annotations

import atexit
import functools
import importlib.abc
import importlib.machinery
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

FUNCTIONS = {
    "bec_core.plugins": ["load_plugins"],
    "bec_core.db.embedded.cluster": ["Cluster.create"],
    "bec_core.db.embedded.server": ["EmbeddedServer.ensure_running", "EmbeddedServer.leave"],
    "bec_core.db.schema": ["ensure"],
    "bec_core.admin.folder_run": ["prepare"],
    "bec_core.worker.opening": ["load_worker", "close_worker"],
    "bec_core.worker.process": ["BECWorker.run"],
    "bec_core.worker.attempt": ["Attempt.run"],
    "bec_core.worker.settle": ["settle"],
    "bec_ldv1.network.checkpoint": ["load_model"],
    "bec_ldv1.network.line_model": ["traced"],
    "bec_ldv1.worker": ["Ldv1Worker.run"],
    "bec_core.admin.reports": ["write_reports"],
    "bec_core.admin.session": ["Session.__exit__"],
}
"""The functions whose calls are told, by module."""

IMPORTS = ("bec_cli.main", "bec_cli.run", "bec_core.db", "psycopg", "torch", "pyarrow", "cv2")
"""The imports that are told."""


class Phases(importlib.abc.MetaPathFinder):
    """Tells imports and calls: name, from, to (seconds since the process began), thread."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.told: list[tuple[str, float, float, str]] = []
        self._finding = threading.local()

    def now(self) -> float:
        """Seconds since the process began."""
        return time.time() - self.began

    def add(self, name: str, since: float) -> None:
        """Something that began at ``since`` has ended now."""
        self.told.append((name, since, self.now(), threading.current_thread().name))

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        """The module as Python finds it, with our eye on its execution."""
        if fullname not in FUNCTIONS and fullname not in IMPORTS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            self._watch(fullname, spec.loader)
        return spec

    def _watch(self, name: str, loader: Any) -> None:
        execute = loader.exec_module

        def watched(module: ModuleType) -> None:
            since = self.now()
            execute(module)
            if name in IMPORTS:
                self.add(f"import {name}", since)
            for path in FUNCTIONS.get(name, ()):
                owner: Any = module
                *outer, last = path.split(".")
                for part in outer:
                    owner = getattr(owner, part)
                setattr(owner, last, self._wrapped(path, getattr(owner, last)))

        loader.exec_module = watched

    def _wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            since = self.now()
            try:
                return function(*arguments, **keywords)
            finally:
                self.add(name, since)

        return call


def main() -> None:
    """Run ``bec`` and write what was seen at the very end."""
    target, began, _, *arguments = sys.argv[1:]
    phases = Phases(float(began))
    phases.told.append(("python", 0.0, phases.now(), "MainThread"))
    sys.meta_path.insert(0, phases)
    sys.argv[1:] = arguments

    def keep() -> None:
        used = os.times()
        phases.add("atexit", phases.now())
        Path(target).write_text(json.dumps({"phases": phases.told, "processor_s": used.user + used.system}))

    atexit.register(keep)
    from bec_cli.main import main as bec

    bec()


if __name__ == "__main__":
    main()
