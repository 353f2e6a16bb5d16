"""Prometheus metrics of a worker process; their labels are task types and outcomes, never anything of a job."""

from collections.abc import Iterable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.kit.middleware import Ended, Middleware
from workers.kit.outcomes import Complete, Fail, Throw
from workers.kit.worker import Worker

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""


class Metrics(Middleware):
    """Counts how jobs end and how long they take."""

    def __init__(self) -> None:
        """Begin at zero, in a registry of its own."""
        self._registry = CollectorRegistry()
        ended = Counter("saga_jobs_ended", "Jobs that ended.", ["task_type", "outcome"], registry=self._registry)
        seconds = Histogram(
            "saga_job_seconds",
            "From a job's arrival until the broker had its answer.",
            ["task_type"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._count = cache(ended.labels)
        self._seconds = cache(seconds.labels)

    def ended(self, ended: Ended) -> None:
        """Count one job."""
        task_type = ended.job.task_type
        self._count(task_type, _outcome(ended)).inc()
        self._seconds(task_type).observe(ended.seconds)

    def watch(self, worker: Worker) -> None:
        """Say also what `worker` has in hand and reaches, whenever it is asked."""
        self._registry.register(_State(worker))

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)


class _State(Collector):
    """What is true at the moment of the asking; it costs nothing in between."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterable[Metric]:
        in_hand = GaugeMetricFamily("saga_jobs_in_hand", "Jobs in hand.", labels=["task_type"])
        unreachable = GaugeMetricFamily("saga_task_type_unreachable", "1 while out of reach.", labels=["task_type"])
        now, away = self._worker.in_hand, set(self._worker.unreachable)
        for task_type in self._worker.task_types:
            in_hand.add_metric([task_type], now[task_type])
            unreachable.add_metric([task_type], task_type in away)
        extended = CounterMetricFamily("saga_leases_extended", "Leases that were extended.")
        extended.add_metric([], self._worker.extended)
        return in_hand, unreachable, extended


def _outcome(ended: Ended) -> str:
    if ended.doubt is not None:
        return "in-doubt"
    match ended.answer:
        case Complete():
            return "completed"
        case Throw():
            return "refused"
        case Fail(retries=0):
            return "incident"
        case Fail():
            return "failed"
