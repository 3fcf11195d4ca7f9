"""Metrics for CloudWatch: a line of its embedded metric format a minute, for the agent to collect.

The only dimensions are the job and the instance's type: each further one would be paid for, metric by metric.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loguru import logger

from bec_core.models import Volume
from bec_core.observer import ObserverSetup, TaskFigures
from bec_core.observers import catalog
from bec_core.observers.settings import EmfSettings
from bec_core.observers.tally import Counts, Tally
from bec_core.text import json_text

_EVERY_S = 60.0
_MOST_KEPT = 1000  # while they can't be written
_MOST_VALUES = 100  # of one metric in one line, by CloudWatch's rule


class EmfObserver(Tally):
    """Adds a line to a file each minute, and when it is closed: what happened since the one before."""

    def __init__(
        self, setup: ObserverSetup, settings: EmfSettings, file: Path, *, every_s: float = _EVERY_S
    ) -> None:
        super().__init__()
        self._setup = setup
        self._settings = settings
        self._file = file
        self._every_s = every_s
        self._told = Counts()
        self._taken: list[float] = []
        self._said_trouble = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bec-emf", daemon=True)
        self._thread.start()

    def task_measured(self, volume: Volume, figures: TaskFigures) -> None:
        """Keep its wall clock until the next line, too."""
        super().task_measured(volume, figures)
        with self._lock:
            self._taken.append(round(figures.wall_clock_ms / 1000, 3))

    def close(self) -> None:
        """Write what is left."""
        self._closing.set()
        self._thread.join()
        self._write(workers=0)

    def _run(self) -> None:
        while not self._closing.wait(self._every_s):
            self._write(workers=1)

    def _write(self, *, workers: int) -> None:
        now = self.counts()
        with self._lock:
            taken, self._taken = self._taken, []
        values = _since(self._told, now) | {
            "VolumesAtHand": now.at_hand,
            "QuietSeconds": round(now.quiet_s, 1),
        }
        values["Workers"] = workers
        parts = [taken[n : n + _MOST_VALUES] for n in range(0, len(taken), _MOST_VALUES)] or [[]]
        lines = [self._line({**(values if n == 0 else {}), **({"VolumeSeconds": p} if p else {})})
                 for n, p in enumerate(parts)]  # fmt: skip
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as opened:  # each time anew: it may have been rotated
                opened.write("".join(f"{line}\n" for line in lines))
        except OSError as error:
            if not self._said_trouble:
                self._said_trouble = True
                logger.warning("metrics can't be written to {}: {}", self._file, error)
            with self._lock:
                self._taken = [*taken, *self._taken][:_MOST_KEPT]
            return
        self._told = now

    def _line(self, values: Mapping[str, Any]) -> str:
        units = {name: unit for metric in catalog.CATALOG for name, unit in metric.emf}
        directive = {
            "Namespace": self._settings.namespace,
            "Dimensions": [["Job", "InstanceType"]],
            "Metrics": [{"Name": name, "Unit": units[name]} for name in values],
        }
        return json_text(
            {
                "_aws": {"Timestamp": round(time.time() * 1000), "CloudWatchMetrics": [directive]},
                "Job": self._setup.job,
                "InstanceType": self._settings.instance_type,
                "Worker": self._setup.worker,
                **values,
            }
        )


def _since(before: Counts, now: Counts) -> dict[str, Any]:
    """What was added since then."""
    found: dict[str, Any] = {
        "Pages": now.pages - before.pages,
        "PageErrors": sum(now.page_errors.values()) - sum(before.page_errors.values()),
        "DeadLetters": now.dead_letters - before.dead_letters,
        "PageSeconds": round((sum(now.stage_ms.values()) - sum(before.stage_ms.values())) / 1000, 3),
    }
    for outcome, name in catalog.EMF_OUTCOMES.items():
        found[name] = now.outcomes.get(outcome, 0) - before.outcomes.get(outcome, 0)
    return found
