"""`offtake serve` and `offtake demo`: the HTTP service in this process, until a signal ends it."""

import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import typer
import uvicorn

from offtake import demo
from offtake.app import build_runtime, close_runtime, create_app
from offtake.cli import collect_garbage_from_now
from offtake.cli.connection import CuttingProtocol
from offtake.cli.early import read_settings
from offtake.cli.worker import Stopping, leave, open_executor
from offtake.errors import InvalidConfig
from offtake.settings import Settings
from offtake.web.logs import open_log

GRACE_S = 30  # what a running download gets to finish after SIGTERM


class _Server(uvicorn.Server):
    """Uvicorn that says when it listens, and when it begins to end."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], on_ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_ending = on_ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so, then wait for what still runs: streams of events would never end by themselves."""
        self._on_ending()
        await super().shutdown(sockets)


def run_serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM. Raises InvalidConfig if the port is taken."""
    _serve(settings, host, port, lambda: typer.echo("ready"))


def _serve(settings: Settings, host: str, port: int, on_ready: Callable[[], None]) -> None:
    listener = _listen(host, port)
    runtime = build_runtime(settings, with_jobs=True)
    log = open_log(sys.stderr)
    executor = open_executor(settings, runtime, log) if settings.jobs.concurrency else None
    # The app itself logs requests, cuts and bugs, one JSON line each; uvicorn's own words would stand between them.
    options = uvicorn.Config(
        create_app(runtime, log, settings.dialects, settings.cors),
        http=CuttingProtocol,
        ws="none",
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
    )
    # Uvicorn handles both while it runs and raises them again at its end, which is no failure here.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stopping = Stopping(executor, settings.jobs.grace_s)

    def on_ending() -> None:
        runtime.ending.set()
        stopping.begin()

    try:
        if executor is not None:
            executor.start()
        collect_garbage_from_now()
        _Server(options, on_ready, on_ending).run(sockets=[listener])
    finally:
        stopping.finish()
        close_runtime(runtime)
        listener.close()
    leave()


def run_demo(home: Path, port: int, prepare_only: bool) -> None:
    """Build the sample data in `home` if it has none yet, say how to use it, and serve it on 127.0.0.1."""
    config = demo.prepare(home, port)
    if prepare_only:
        typer.echo(f"prepared {home}")
        return
    _serve(read_settings(config), "127.0.0.1", port, lambda: typer.echo(f"{demo.banner(home)}\n\nready"))


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, bound before anything else is opened, so that a port in use is told at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise InvalidConfig(
            f"Cannot listen on {host}:{port}: {(error.strerror or 'no such address').lower()}.",
            hint="Choose another --host or --port.",
        ) from error
    return listener
