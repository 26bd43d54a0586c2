"""Numbers for Prometheus. No label names a tenant, a key or a dataset: they would be many, and they would tell."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from offtake.service.numbers import Numbers

STAGE_BUCKETS_S = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120, 600, 3600)


@dataclass(frozen=True)
class Metrics:
    """The meters of one site. Stages are `plan`, `read` (to the first chunk), `encode` (the others) and `deliver`."""

    registry: CollectorRegistry
    requests: Counter
    rows: Counter
    bytes_sent: Counter
    stages: Histogram

    def render(self, numbers: Numbers | None) -> bytes:
        """The Prometheus text format, version 0.0.4: what this process counted, and the installation's numbers."""
        own = generate_latest(self.registry)
        if numbers is None:
            return own
        registry = CollectorRegistry()
        registry.register(_Told(numbers))
        return own + generate_latest(registry)


class _Told(Collector):
    """Numbers of the whole installation, alike in every process: take their maximum over processes, not their sum."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        """The meters, filled."""
        told = self._numbers
        jobs = GaugeMetricFamily("offtake_jobs", "Jobs in each state.", labels=["state"])
        for state, count in told.jobs.items():
            jobs.add_metric([state], count)
        finished = CounterMetricFamily("offtake_jobs_finished", "Jobs by how they ended.", labels=["outcome"])
        for outcome, count in told.finished.items():
            finished.add_metric([outcome], count)
        stages = CounterMetricFamily("offtake_job_stage_seconds", "Time of jobs in each stage.", labels=["stage"])
        for stage, seconds in told.stages.items():
            stages.add_metric([stage], seconds)
        age = "Seconds that the job which waits longest for a worker has been due."
        yield jobs
        yield finished
        yield GaugeMetricFamily("offtake_queue_age_seconds", age, value=told.queue_age_s)
        yield CounterMetricFamily("offtake_job_rows", "Rows of finished jobs.", value=told.rows)
        yield CounterMetricFamily("offtake_job_bytes", "Bytes of finished jobs.", value=told.bytes)
        yield stages


MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def open_metrics() -> Metrics:
    """Meters of their own registry, all at zero."""
    registry = CollectorRegistry()
    return Metrics(
        registry,
        Counter("offtake_requests", "Answers given.", ("method", "route", "status"), registry=registry),
        Counter("offtake_rows", "Rows read for downloads.", registry=registry),
        Counter("offtake_bytes", "Bytes of downloads sent.", registry=registry),
        Histogram(
            "offtake_stage_seconds", "Time in each stage.", ("stage",), buckets=STAGE_BUCKETS_S, registry=registry
        ),
    )
