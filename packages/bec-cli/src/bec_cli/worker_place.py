"""Which job a worker is for, and on which GPU: ``ldv1``, or ``ldv1:0`` as systemd's instances are named."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen

from bec_core.errors import ServiceError, SettingsError
from bec_core.settings import see_only_gpu


@frozen
class WorkerPlace:
    """A job's name or id, and what tells this worker from others of the job on the same host.

    A number is the GPU that the worker has for itself; any other word only tells workers apart.
    """

    job: str
    part: str | None = None

    @classmethod
    def parse(cls, text: str) -> WorkerPlace:
        """``JOB`` or ``JOB:PART``.

        Raises:
            SettingsError: one of the two is empty.
        """
        job, colon, part = text.partition(":")
        if not job or (colon and not part):
            raise SettingsError(f"--job-name {text}: write JOB, or JOB:GPU with the GPU's number")
        return cls(job, part or None)

    def take(self, devices: Path = Path("/dev")) -> None:
        """Let this process see its GPU alone; it must be called before anything asks for GPUs.

        Raises:
            ServiceError: there is no such GPU, or not yet: its driver may still have to be loaded.
        """
        if self.part is None or not self.part.isdecimal():
            return
        found = [path for path in devices.glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)]
        if int(self.part) >= len(found):
            raise ServiceError(
                f"there is no GPU {self.part} here ({len(found)} found as {devices}/nvidia*): "
                "is the driver loaded (nvidia-smi)?"
            )
        see_only_gpu(int(self.part))
