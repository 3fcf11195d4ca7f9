"""Opening the observers that BEC brings; what they need is imported only if their settings ask for them."""

from __future__ import annotations

from bec_core.errors import SettingsError
from bec_core.observer import ObserverSetup, WorkerObserver
from bec_core.observers.settings import EmfSettings, PrometheusSettings, address_of


def open_prometheus(setup: ObserverSetup) -> WorkerObserver | None:
    """Metrics for Prometheus, if a port is named.

    Raises:
        SettingsError: its client is not installed.
    """
    settings: PrometheusSettings = setup.settings
    if settings.port is None:
        return None
    try:
        from bec_core.observers.prometheus import PrometheusObserver
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{error}; metrics for Prometheus need: pip install 'bec-core[prometheus]'"
        ) from error
    return PrometheusObserver(setup, *address_of(settings.port))


def open_emf(setup: ObserverSetup) -> WorkerObserver | None:
    """Metrics for CloudWatch, if a file is named."""
    settings: EmfSettings = setup.settings
    if settings.file is None:
        return None
    from bec_core.observers.emf import EmfObserver

    return EmfObserver(setup, settings, settings.file)
