"""The composition root: settings to runtime, runtime to ASGI app. The one place that knows every concrete part."""

import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from offtake.appdb.absent import absent_appdb
from offtake.appdb.database import open_appdb, plain_url
from offtake.encode import FORMATS
from offtake.model.cors import NO_CORS, Cors
from offtake.model.dataset import DIALECTS
from offtake.model.delivery import Target
from offtake.model.ports import SourceSpec
from offtake.service.audit import DATASET, SOURCE, audit_dataset
from offtake.service.counters import Counters
from offtake.service.runtime import Runtime, Telling
from offtake.service.spans import start_tracing
from offtake.settings import Settings
from offtake.source import open_source

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from offtake.service.jwks import KeyRing


def build_runtime(settings: Settings, *, with_appdb: bool = True, with_jobs: bool = False) -> Runtime:
    """The parts of one running service. Sources connect when first asked; the app database is brought up to date.

    Without it, only what needs no key works: the command line exports where nothing may be written but the file.
    Jobs need the store and the queue as well.
    """
    # Arrow's other pools keep what threads leave behind, and every export has threads of its own: 50 MB, and rising.
    pa.set_memory_pool(pa.system_memory_pool())
    runtime = Runtime(
        datasets=settings.datasets,
        sources={name: open_source(spec) for name, spec in settings.sources.items()},
        formats=FORMATS,
        tenants=settings.tenants,
        roles=settings.roles,
        limits=settings.limits,
        counters=Counters(settings.limits),
        appdb=open_appdb(settings.database) if with_appdb else absent_appdb(),
        now=lambda: datetime.now(UTC),
        job_limits=settings.jobs,
        retention=settings.retention,
        public_url=settings.public_url,
        secrets=settings.secrets,
    )
    runtime = _with_audit(runtime, settings)
    return _with_jobs(runtime, settings) if with_jobs else runtime


def _with_audit(runtime: Runtime, settings: Settings) -> Runtime:
    """The audit as a dataset of a source of ours, unless the settings have other uses for these names."""
    if SOURCE in settings.sources or DATASET in settings.datasets:
        return runtime
    spec = SourceSpec(SOURCE, plain_url(settings.database), pool_size=2)
    return replace(
        runtime,
        sources={**runtime.sources, SOURCE: open_source(spec)},
        datasets={**runtime.datasets, DATASET: audit_dataset()},
        own_sources=frozenset({SOURCE}),
    )


def build_child_runtime(settings: Settings) -> Runtime:
    """The same for a process that runs jobs below one that has brought everything up to date."""
    from offtake.web.logs import open_log

    start_tracing(open_log(sys.stderr))
    return _with_jobs(build_runtime(settings), settings, is_prepared=True)


def _with_jobs(runtime: Runtime, settings: Settings, *, is_prepared: bool = False) -> Runtime:
    # Imported here: the job engine and the store cost half a second, which `offtake export` would pay for nothing.
    from offtake.jobs.queue import open_queue, prepare_queue
    from offtake.notify import open_outbox
    from offtake.store import open_store

    targets = {name: Target(open_store(spec.store), spec.folder) for name, spec in settings.targets.items()}
    if not is_prepared:
        prepare_queue(settings.database)
    return replace(
        runtime,
        store=open_store(settings.store),
        queue=open_queue(settings.database),
        outbox=open_outbox(settings.smtp, settings.webhooks, targets),
        issuers=_open_issuers(settings),
        redirect_downloads=settings.store.redirect,
        telling=partial(_telling, frozenset(settings.dialects)),
    )


def _telling(dialects: Collection[str], name: str) -> Telling | None:
    # Imported when the first webhook of such an API is made or called: few are, and what serves HTTP is large.
    from offtake.dialect import ENTRYPOINTS

    return next((one.tells for one in ENTRYPOINTS if one.name == name and name in dialects), None)


def _open_issuers(settings: Settings) -> "Mapping[str, KeyRing]":
    if not settings.issuers:
        return {}
    from offtake.service.jwks import KeyRing  # 0.2 s that nobody pays who believes no tokens

    return {issuer.name: KeyRing(issuer) for issuer in settings.issuers}


def close_runtime(runtime: Runtime) -> None:
    """Let every connection go."""
    for source in runtime.sources.values():
        source.close()
    runtime.appdb.close()


def create_app(
    runtime: Runtime, log: Any = None, dialects: Collection[str] = DIALECTS, cors: Cors = NO_CORS
) -> "ASGIApp":
    """The HTTP service over a runtime, which it closes at shutdown: the native API and those dialects.

    Pages of the origins in `cors` may call it. It logs JSON lines to stderr, or to `log`.
    """
    # Imported here: they cost 0.3 s, which an export on the command line would pay for nothing.
    from offtake.api.routes import NATIVE
    from offtake.dialect import ENTRYPOINTS
    from offtake.web.gate import guard
    from offtake.web.logs import open_log
    from offtake.web.server import build_server
    from offtake.web.site import Site

    log = open_log(sys.stderr) if log is None else log
    start_tracing(log)
    # The native API claims every path, so it comes last.
    site = Site(runtime, log, (*(one for one in ENTRYPOINTS if one.name in dialects), NATIVE))
    return guard(build_server(site, partial(close_runtime, runtime)), site, cors)
