"""What `/metrics` tells Prometheus: how requests are answered, what waits, what the cache spares, what there is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from quarry.api.server.observed import Exchange
from quarry.api.server.workers import SHARED

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
State = Mapping[str, tuple[str, Mapping[str, float]]]  # names of metrics -> their help, and values by library
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one server.

    Args:
        state: what is so at the moment it is asked for.
    """

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state
        own = self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Histogram(
            "quarry_request_seconds", "How long requests took.", labels, buckets=_SECONDS, registry=own
        )
        self._stages = Histogram(
            "quarry_stage_seconds", "How long the stages of searches took.", ("stage",), buckets=_SECONDS, registry=own
        )
        self._waited = Histogram(
            "quarry_queue_seconds", "How long requests waited for their turn.", buckets=_SECONDS, registry=own
        )
        self._shed = Counter("quarry_shed", "Requests that were refused since too many waited.", registry=own)
        self._vectors = Counter(
            "quarry_query_vectors", "Vectors of queries, by where they came from.", ("source",), registry=own
        )
        self._working = Gauge(
            "quarry_requests_running", "Requests that are worked on.", registry=own, multiprocess_mode="livesum"
        )
        self._waiting = Gauge(
            "quarry_requests_waiting", "Requests that wait.", registry=own, multiprocess_mode="livesum"
        )

    def request(self, exchange: Exchange) -> None:
        """Count a request."""
        labels = (exchange.method, exchange.route, str(exchange.status))
        self._requests.labels(*labels).observe(exchange.seconds)

    def stages(self, timings: Mapping[str, float]) -> None:
        """Count the stages of a search, in milliseconds."""
        for stage, took in timings.items():
            self._stages.labels(stage).observe(took / 1e3)

    def waited(self, seconds: float) -> None:
        """Count how long a request waited for its turn."""
        self._waited.observe(seconds)

    def shed(self) -> None:
        """Count one that was refused."""
        self._shed.inc()

    def vector(self, source: str) -> None:
        """Count the vector of a query: `encoded`, `cached`, or `shared` with a request that asked for it just then."""
        self._vectors.labels(source).inc()

    def queue(self, working: int, waiting: int) -> None:
        """Note how many are worked on, and wait."""
        self._working.set(working)
        self._waiting.set(waiting)

    def render(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        shown = self._registry
        if SHARED in os.environ:
            shown = CollectorRegistry()
            MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
        return generate_latest(shown) + generate_latest(_Now(self._state()))


class _Now:
    """What is so now, as a registry of gauges."""

    def __init__(self, state: State) -> None:
        self._now = state

    def collect(self) -> Iterable[Metric]:
        for name, (said, values) in self._now.items():
            family = GaugeMetricFamily(name, said, labels=("library",))
            for library, value in values.items():
                family.add_metric((library,), value)
            yield family
