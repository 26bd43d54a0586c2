"""What every HTTP entrypoint shares, and how its routes reach it."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from anyio import CapacityLimiter
from starlette.requests import Request

from offtake.service.health import HealthWatch
from offtake.service.numbers import NumbersWatch
from offtake.service.runtime import Runtime
from offtake.web.entrypoint import Entrypoint
from offtake.web.metrics import Metrics, open_metrics
from offtake.web.repeats import Repeats
from offtake.web.watch import Watches

PROBES_AT_ONCE = 8  # threads for /readyz and /metrics, however many ask
AUDITS_AT_ONCE = 8  # threads that write the audit
READS_AT_ONCE = 100  # threads that may wait for databases; small answers have their own pool and never queue behind


@dataclass(frozen=True)
class Site:
    """The runtime with what serving it over HTTP needs. `log` is a structlog logger.

    The last of the `entrypoints` is the native one. `reads` bounds the threads that read from sources, `probes` those
    that answer machines that watch, `audits` those that write down what was done. `exits` has no bound: what ends a
    read must never wait for one.
    """

    runtime: Runtime
    log: Any
    entrypoints: tuple[Entrypoint, ...]
    metrics: Metrics = field(default_factory=open_metrics)
    reads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(READS_AT_ONCE))
    probes: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(PROBES_AT_ONCE))
    audits: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(AUDITS_AT_ONCE))
    exits: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(math.inf))
    watches: Watches = field(default_factory=Watches)
    repeats: Repeats = field(default_factory=Repeats)

    @cached_property
    def health(self) -> HealthWatch:
        """How its parts are."""
        return HealthWatch(self.runtime)

    @cached_property
    def numbers(self) -> NumbersWatch:
        """What the installation has done."""
        return NumbersWatch(self.runtime)


def site_of(request: Request) -> Site:
    """The site that the request came to."""
    site = request.app.state.site
    assert isinstance(site, Site)
    return site
