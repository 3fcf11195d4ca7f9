"""A small job that reads another: ``reader`` writes as ``{basename}.txt`` what its input has as ``.json``."""

from __future__ import annotations

from collections.abc import Callable

from bec_core.job import Input, JobType, TaskContext, WorkerSetup
from bec_core.models import TaskResult
from bec_core.testing.checksum_job import ChecksumConfig

Hook = Callable[[TaskContext], None]


class Reader:
    """Its worker; ``Reader.between`` is called after it has read and before it returns."""

    between: Hook | None = None
    suffix = ".json"

    def __init__(self, setup: WorkerSetup) -> None:
        pass

    def run(self, ctx: TaskContext) -> TaskResult:
        lines = ctx.input("lines")
        data = lines.read(type(self).suffix)
        if type(self).between is not None:
            type(self).between(ctx)
        for page in ctx.volume.pages:
            ctx.page_done(page)
        ctx.write_artifact(".txt", b"read: " + data)
        return TaskResult(details={"of": lines.job})

    def close(self) -> None:
        pass


READER = JobType(
    name="reader",
    config=ChecksumConfig,
    worker="support.reading_job:Reader",
    version="1.0",
    summary="What another job wrote.",
    inputs=(Input("lines", type="checksum", artifacts=(".json",)),),
    family="reading",
)
