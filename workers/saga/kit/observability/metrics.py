"""Prometheus metrics of a worker process; their labels are task types and outcomes, never anything of a job."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from saga.kit.definition.outcomes import Complete, Fail, Throw
from saga.kit.execution.middleware import JobOutcome, Middleware
from saga.kit.execution.worker import Worker

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""


class Metrics(Middleware, Collector):
    """Counts how jobs end and how long they take.

    A job costs two additions; the library's metric families are built on request.
    """

    def __init__(self) -> None:
        """Start at zero, in a registry of its own."""
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[str, list[float]] = {}
        """By task type: how many jobs fell into each bucket, those beyond the last one, and the sum of all."""
        self._worker: Worker | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def ended(self, ended: JobOutcome) -> None:
        """Count one job."""
        task_type = ended.job.task_type
        self._outcomes[task_type, _outcome(ended)] += 1
        seconds = self._seconds.get(task_type)
        if seconds is None:
            seconds = self._seconds[task_type] = [0.0] * (len(_BUCKETS) + 2)
        seconds[bisect_left(_BUCKETS, ended.seconds)] += 1
        seconds[-1] += ended.seconds

    def watch(self, worker: Worker) -> None:
        """Add the gauges of `worker`: its active and waiting jobs, and whether its task types are reachable."""
        self._worker = worker

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Build the current metrics."""
        ended = CounterMetricFamily("saga_jobs_ended", "Jobs that ended.", labels=["task_type", "outcome"])
        for (task_type, outcome), count in self._outcomes.items():
            ended.add_metric([task_type, outcome], count)
        yield ended
        seconds = HistogramMetricFamily(
            "saga_job_seconds", "From a job's arrival until the broker had its answer.", labels=["task_type"]
        )
        for task_type, (*counts, total) in self._seconds.items():
            bounds = (*map(str, _BUCKETS), "+Inf")
            seconds.add_metric([task_type], list(zip(bounds, accumulate(counts), strict=True)), total)
        yield seconds
        if self._worker is not None:
            yield from _state(self._worker)


def _state(worker: Worker) -> Iterable[Metric]:
    active = GaugeMetricFamily("saga_jobs_in_hand", "Jobs in hand.", labels=["task_type"])
    waiting = GaugeMetricFamily("saga_jobs_waiting", "Jobs that wait for their next try.", labels=["task_type"])
    unreachable = GaugeMetricFamily("saga_task_type_unreachable", "1 while out of reach.", labels=["task_type"])
    now, later, out_of_reach = worker.active, worker.waiting, set(worker.unreachable)
    for task_type in worker.task_types:
        active.add_metric([task_type], now[task_type])
        waiting.add_metric([task_type], later[task_type])
        unreachable.add_metric([task_type], task_type in out_of_reach)
    yield active
    yield waiting
    yield unreachable
    extended = CounterMetricFamily("saga_leases_extended", "Leases that were extended.")
    extended.add_metric([], worker.extended)
    yield extended


def _outcome(ended: JobOutcome) -> str:
    if ended.doubt is not None:
        return "in-doubt"
    match ended.reply:
        case Complete():
            return "completed"
        case Throw():
            return "refused"
        case Fail(retries=0):
            return "incident"
        case Fail():
            return "failed"
