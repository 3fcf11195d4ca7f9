"""The lines that ``bec worker`` prints for each message, on stdout; its log goes to stderr."""

from __future__ import annotations

import click

from bec_core.models import Volume, VolumeRef
from bec_core.worker import WorkerObserver


class WorkerLines(WorkerObserver):
    """Says which message is taken and what becomes of it."""

    def __init__(self) -> None:
        self._messages: dict[VolumeRef, str] = {}

    def message_taken(self, message_id: str, volume: Volume) -> None:
        """Remember which message it is about."""
        self._messages[volume.ref] = message_id

    def task_started(self, volume: Volume, attempt: int) -> None:
        """Say which volume is taken."""
        again = f" (attempt {attempt})" if attempt > 1 else ""
        click.echo(f"Processing message: {self._messages.get(volume.ref)} for volume {volume.ref}{again}")

    def task_finished(self, volume: Volume, outcome: str, message: str = "") -> None:
        """Say what became of it."""
        message_id = self._messages.pop(volume.ref, None)
        if outcome == "done":
            click.echo(f"Successfully processed message: {message_id}")
        elif outcome == "already-done":
            click.echo(f"Successfully processed message: {message_id} (volume {volume.ref} was done already)")
        else:
            click.echo(
                f"Could not process message: {message_id} for volume {volume.ref}: {outcome}: {message}"
            )
