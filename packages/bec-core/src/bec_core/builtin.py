"""The sources and observers that every installation has, declared as a plugin declares its own."""

from __future__ import annotations

from bec_core.hookspecs import hookimpl
from bec_core.models import DEFAULT_SOURCE, FOLDER_SOURCE
from bec_core.observer import ObserverType
from bec_core.observers.settings import EmfSettings, PrometheusSettings
from bec_core.source import SourceType

BENCHMARK_SOURCE = "ocr_benchmark"
"""The name of the flat, versioned source that the contract describes."""

FOLDERS = SourceType(
    FOLDER_SOURCE,
    "bec_core.archive.folders:open_folders",
    "Folders of images on this machine.",
    in_messages=False,
    prefixes=("file://",),
)


@hookimpl
def bec_sources() -> list[SourceType]:
    """The archive, flat versioned folders, and folders of this machine."""
    return [
        SourceType(
            DEFAULT_SOURCE,
            "bec_core.archive.stored:open_archive",
            "The archive: volumes with manifests.",
            in_messages=True,
        ),
        SourceType(
            BENCHMARK_SOURCE,
            "bec_core.archive.stored:open_benchmark",
            "Flat folders of images, each with its version's name.",
            in_messages=True,
        ),
        FOLDERS,
    ]


@hookimpl
def bec_observers() -> list[ObserverType]:
    """Metrics for Prometheus and for CloudWatch; each does nothing until its settings say so."""
    return [
        ObserverType(
            "prometheus",
            "bec_core.observers.opening:open_prometheus",
            "Metrics for Prometheus, at a port.",
            settings=PrometheusSettings,
        ),
        ObserverType(
            "emf",
            "bec_core.observers.opening:open_emf",
            "Metrics for CloudWatch, as lines of a file.",
            settings=EmfSettings,
        ),
    ]
