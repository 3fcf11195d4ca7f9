"""What a check finds, and running checks beside each other, each within its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

from attrs import frozen

from bec_core.errors import BecError


class Outcome(StrEnum):
    """How a check ended; only ``trouble`` keeps a run from working."""

    OK = "ok"
    WARNING = "warning"
    TROUBLE = "trouble"


@frozen
class Check:
    """One thing that was looked at: what was found in one line, and what to do about it."""

    name: str
    outcome: Outcome
    text: str
    remedy: str = ""


def ok(name: str, text: str) -> Check:
    """All is well."""
    return Check(name, Outcome.OK, text)


def warning(name: str, text: str, remedy: str = "") -> Check:
    """It may matter."""
    return Check(name, Outcome.WARNING, text, remedy)


def trouble(name: str, text: str, remedy: str = "") -> Check:
    """A run would not work."""
    return Check(name, Outcome.TROUBLE, text, remedy)


Look = Callable[[], Iterator[Check]]
"""Looks at something; what it raises of ours is a trouble of its own."""


class _Looking:
    """One look under way, in a thread that nobody waits for in the end."""

    def __init__(self, name: str, look: Look) -> None:
        self._name = name
        self._look = look
        self._found: list[Check] = []
        self._thread = threading.Thread(target=self._run, name=f"bec-doctor-{name}", daemon=True)
        self._thread.start()

    def result(self, timeout_s: float) -> list[Check]:
        """What was found so far, and that it took too long if it did."""
        self._thread.join(max(0.0, timeout_s))
        found = list(self._found)
        if self._thread.is_alive():
            found.append(trouble(self._name, "no answer in time", "is what it asks reachable from here?"))
        return found

    def _run(self) -> None:
        try:
            for check in self._look():
                self._found.append(check)
        except BecError as error:
            self._found.append(trouble(self._name, str(error)))
        except Exception as error:  # noqa: BLE001 - one look that fails must not hide what the others find
            self._found.append(
                trouble(self._name, f"could not be looked at: {type(error).__name__}: {error}")
            )


def look_at(looks: Mapping[str, Look], *, within_s: float) -> Iterator[Check]:
    """Look at all, beside each other; what is found comes in their order, and ends ``within_s`` from now."""
    deadline = time.monotonic() + within_s
    for looking in [_Looking(name, look) for name, look in looks.items()]:
        yield from looking.result(deadline - time.monotonic())
