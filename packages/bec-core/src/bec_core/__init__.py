"""The runtime of BEC. What is exported here is what a job may use."""

from bec_core.errors import (
    BecError,
    InputArtifactMissing,
    PageError,
    RetryableTaskError,
    SettingsError,
    TaskStopped,
    TerminalTaskError,
)
from bec_core.hookspecs import hookimpl
from bec_core.job import (
    Ingredients,
    Input,
    InputVolume,
    JobType,
    JobWorker,
    Metric,
    ReportVolume,
    Resource,
    ResourceFile,
    StopSignal,
    TaskContext,
    WorkerSetup,
)
from bec_core.job_config import between, option
from bec_core.logs import in_context
from bec_core.models import Page, PageData, PageFailure, TaskResult, Volume, VolumeRef
from bec_core.pages.stages import timed
from bec_core.reporting.kept import keep_row, kept_row, made_of
from bec_core.reporting.volumes import error_messages, records_of, report_folders, volume_title
from bec_core.settings import Secret
from bec_core.text import shown

__all__ = [
    "BecError",
    "Ingredients",
    "Input",
    "InputArtifactMissing",
    "InputVolume",
    "JobType",
    "JobWorker",
    "Metric",
    "Page",
    "PageData",
    "PageError",
    "PageFailure",
    "ReportVolume",
    "Resource",
    "ResourceFile",
    "RetryableTaskError",
    "Secret",
    "SettingsError",
    "StopSignal",
    "TaskContext",
    "TaskResult",
    "TaskStopped",
    "TerminalTaskError",
    "Volume",
    "VolumeRef",
    "WorkerSetup",
    "between",
    "error_messages",
    "hookimpl",
    "in_context",
    "keep_row",
    "kept_row",
    "made_of",
    "option",
    "records_of",
    "report_folders",
    "shown",
    "timed",
    "volume_title",
]
