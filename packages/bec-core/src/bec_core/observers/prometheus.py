"""Metrics for Prometheus, told at a port of this worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loguru import logger
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bec_core.observer import ObserverSetup
from bec_core.observers import catalog
from bec_core.observers.tally import Tally


class PrometheusObserver(Tally):
    """Tells its tally to whoever asks at the port."""

    def __init__(self, setup: ObserverSetup, host: str, port: int) -> None:
        super().__init__(catalog.BUCKETS_S)
        registry = CollectorRegistry()
        registry.register(_Collector(self, setup.job))
        self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        self.port = self._server.server_port
        logger.info("metrics for Prometheus at http://{}:{}/metrics", host, self.port)

    def close(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(1.0)


class _Collector(Collector):
    def __init__(self, tally: Tally, job: str) -> None:
        self._tally = tally
        self._job = job

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: registering need not count."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Every metric of the catalog."""
        now = self._tally.counts()
        page_s = {stage: spent / 1000 for stage, spent in now.stage_ms.items()}
        yield self._counter(catalog.PAGES, {"": now.pages})
        yield self._counter(catalog.PAGE_ERRORS, now.page_errors)
        yield self._counter(catalog.VOLUMES, now.outcomes)
        yield self._counter(catalog.DEAD_LETTERS, {"": now.dead_letters})
        yield self._counter(catalog.PAGE_SECONDS, page_s)
        for name, value in (
            (catalog.AT_HAND, now.at_hand),
            (catalog.QUIET, now.quiet_s),
            (catalog.WORKERS, 1),
        ):
            gauge = GaugeMetricFamily(name.prometheus, name.doc, labels=["job"])
            gauge.add_metric([self._job], value)
            yield gauge
        taken = HistogramMetricFamily(
            catalog.VOLUME_SECONDS.prometheus, catalog.VOLUME_SECONDS.doc, labels=["job"]
        )
        buckets = [(str(bound), float(n)) for bound, n in zip(catalog.BUCKETS_S, now.buckets, strict=True)]
        taken.add_metric([self._job], [*buckets, ("+Inf", float(now.attempts))], sum_value=now.seconds)
        yield taken

    def _counter(self, name: catalog.MetricName, values: Mapping[str, float]) -> Metric:
        family = CounterMetricFamily(name.prometheus, name.doc, labels=["job", *name.labels])
        for label, value in values.items():
            family.add_metric([self._job, *([label] if name.labels else [])], value)
        return family
