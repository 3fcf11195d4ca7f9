"""The runtime of BEC. What is exported here is what a job may use."""

from bec_core.catalogue import Catalogue, open_catalogue
from bec_core.errors import (
    BecError,
    InputArtifactMissing,
    InvalidMessage,
    ManifestInvalid,
    ManifestMissing,
    PageError,
    RetryableTaskError,
    SettingsError,
    StorageError,
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
from bec_core.machine import cores, memory_bytes
from bec_core.models import Page, PageData, PageFailure, TaskResult, Volume, VolumeRef, Work
from bec_core.observer import ObserverSetup, ObserverType, Step, TaskFigures, WorkerObserver
from bec_core.pages.stages import timed
from bec_core.reporting.images import ImageVolume, image_volumes
from bec_core.reporting.index_pages import IndexPage, index_pages
from bec_core.reporting.kept import keep_row, kept_row, made_of
from bec_core.reporting.volumes import error_messages, records_of, report_parts, volume_title, work_html
from bec_core.results import (
    VERDICTS,
    FiguresReader,
    PageFigures,
    PageLevel,
    ResultFigures,
    StoredResult,
    TruthMaker,
    verdict_of,
)
from bec_core.settings import Secret
from bec_core.source import (
    ListedVolume,
    Source,
    SourceSetup,
    SourceType,
    file_volume,
    id_of_parts,
    stable_id,
)
from bec_core.text import csv_cell, shown

__all__ = [
    "VERDICTS",
    "BecError",
    "Catalogue",
    "FiguresReader",
    "ImageVolume",
    "IndexPage",
    "Ingredients",
    "Input",
    "InputArtifactMissing",
    "InputVolume",
    "InvalidMessage",
    "JobType",
    "JobWorker",
    "ListedVolume",
    "ManifestInvalid",
    "ManifestMissing",
    "Metric",
    "ObserverSetup",
    "ObserverType",
    "Page",
    "PageData",
    "PageError",
    "PageFailure",
    "PageFigures",
    "PageLevel",
    "ReportVolume",
    "Resource",
    "ResourceFile",
    "ResultFigures",
    "RetryableTaskError",
    "Secret",
    "SettingsError",
    "Source",
    "SourceSetup",
    "SourceType",
    "Step",
    "StopSignal",
    "StorageError",
    "StoredResult",
    "TaskContext",
    "TaskFigures",
    "TaskResult",
    "TaskStopped",
    "TerminalTaskError",
    "TruthMaker",
    "Volume",
    "VolumeRef",
    "Work",
    "WorkerObserver",
    "WorkerSetup",
    "between",
    "cores",
    "csv_cell",
    "error_messages",
    "file_volume",
    "hookimpl",
    "id_of_parts",
    "image_volumes",
    "in_context",
    "index_pages",
    "keep_row",
    "kept_row",
    "made_of",
    "memory_bytes",
    "open_catalogue",
    "option",
    "records_of",
    "report_parts",
    "shown",
    "stable_id",
    "timed",
    "verdict_of",
    "volume_title",
    "work_html",
]
