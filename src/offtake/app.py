"""The composition root: settings to runtime, runtime to ASGI app. The one place that knows every concrete part."""

from datetime import UTC, datetime

from offtake.appdb.database import open_appdb
from offtake.encode import FORMATS
from offtake.service.counters import Counters
from offtake.service.runtime import Runtime
from offtake.settings import Settings
from offtake.source import open_source


def build_runtime(settings: Settings) -> Runtime:
    """The parts of one running service. Sources connect when first asked; the app database is brought up to date."""
    return Runtime(
        datasets=settings.datasets,
        sources={name: open_source(spec) for name, spec in settings.sources.items()},
        formats=FORMATS,
        tenants=settings.tenants,
        roles=settings.roles,
        limits=settings.limits,
        counters=Counters(settings.limits),
        appdb=open_appdb(settings.database),
        now=lambda: datetime.now(UTC),
        public_url=settings.public_url,
        secrets=settings.secrets,
    )


def close_runtime(runtime: Runtime) -> None:
    """Let every connection go."""
    for source in runtime.sources.values():
        source.close()
    runtime.appdb.close()
