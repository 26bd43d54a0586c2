"""Numbers for Prometheus. No label names a tenant, a key or a dataset: they would be many, and they would tell."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

STAGE_BUCKETS_S = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120, 600, 3600)


@dataclass(frozen=True)
class Metrics:
    """The meters of one site. Stages are `plan`, `read` (to the first chunk), `encode` (the others) and `deliver`."""

    registry: CollectorRegistry
    requests: Counter
    rows: Counter
    bytes_sent: Counter
    stages: Histogram

    def render(self) -> bytes:
        """The Prometheus text format, version 0.0.4."""
        return generate_latest(self.registry)


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
