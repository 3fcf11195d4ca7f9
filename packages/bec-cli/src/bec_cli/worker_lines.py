"""The lines that ``bec worker`` prints for each message, on stdout; its log goes to stderr."""

from __future__ import annotations

import os
import sys

from loguru import logger

from bec_cli.printing import say
from bec_core.models import Volume, VolumeRef
from bec_core.worker import WorkerObserver


class WorkerLines(WorkerObserver):
    """Says which message is taken and what becomes of it."""

    def __init__(self) -> None:
        self._messages: dict[VolumeRef, str] = {}
        self._closed = False

    def say(self, text: str) -> None:
        """Print a line; nobody reads any more (``| head``): print no further ones, the work goes on."""
        if self._closed:
            return
        try:
            say(text)
        except OSError:
            self._closed = True
            logger.warning("nobody reads this worker's lines any more; the work goes on without them")
            # keep Python from flushing into the closed pipe at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def message_taken(self, message_id: str, volume: Volume) -> None:
        """Remember which message it is about."""
        self._messages[volume.ref] = message_id

    def task_started(self, volume: Volume, attempt: int) -> None:
        """Say which volume is taken."""
        again = f" (attempt {attempt})" if attempt > 1 else ""
        self.say(f"Processing message: {self._messages.get(volume.ref)} for volume {volume.ref}{again}")

    def task_resumed(self, volume: Volume, pages: int) -> None:
        """Say that it goes on where an earlier attempt stopped."""
        self.say(f"Resuming volume {volume.ref}: {pages} of {len(volume.pages)} pages were finished before")

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        """Say what became of it."""
        message_id = self._messages.pop(volume.ref, None)
        if outcome == "done":
            self.say(f"Successfully processed message: {message_id}")
        elif outcome == "already-done":
            self.say(f"Successfully processed message: {message_id} (volume {volume.ref} was done already)")
        else:
            self.say(f"Could not process message: {message_id} for volume {volume.ref}: {outcome}: {message}")
