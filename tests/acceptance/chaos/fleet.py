"""Processes that are killed and started again: one that takes requests, others that run jobs, and their children."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml

from acceptance.processes import OFFTAKE, offtake
from servers import free_port

AGAIN = (502, 503, 504)  # what a service says while something behind it is being restarted


def write_home(home: Path, settings: Mapping[str, Any], *, workers: bool) -> str:
    """Config files for one that serves and others that work, or one that does both; gives a key."""
    (home / "secret").write_text(os.urandom(32).hex())
    (home / "secret").chmod(0o600)
    known: dict[str, Any] = {"tenants": {"acme": {}}, "secrets": [{"id": "k", "file": "secret"}], **settings}
    served = known | {"jobs": known["jobs"] | {"concurrency": 0}} if workers else known
    (home / "offtake.yaml").write_text(yaml.safe_dump(served))
    (home / "worker.yaml").write_text(yaml.safe_dump(known))
    made = offtake(home, "keys", "create", "--tenant", "acme", "--scopes", "reports:read,reports:write")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def children_of(pid: int) -> list[int]:
    """The processes that run its jobs: those its nursery has forked."""
    return [child for below in _started_by(pid) for child in _started_by(below)]


def _started_by(pid: int) -> list[int]:
    """The processes that any thread of that process started and that live."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text().split())
    return found


@dataclass
class Program:
    """A command of offtake that is started again and again; what it says goes into a log file."""

    home: Path
    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)  # beside what there is
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin; `is_ready` says when it works."""
        assert self.process is None or self.has_ended
        self.started = (self.home / f"{self.name}.out").stat().st_size if self._out.exists() else 0
        with self._out.open("ab") as out, (self.home / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*OFFTAKE, *self.arguments],
                cwd=self.home,
                stdout=out,
                stderr=log,
                env=os.environ | self.environment,
            )

    @property
    def _out(self) -> Path:
        return self.home / f"{self.name}.out"

    @property
    def has_ended(self) -> bool:
        """Whether it does not run any more."""
        assert self.process is not None
        return self.process.poll() is not None

    @property
    def is_ready(self) -> bool:
        """Whether it said so since its last start."""
        assert not self.has_ended, (self.home / f"{self.name}.log").read_text()[-2000:]
        return b"ready" in self._out.read_bytes()[self.started :]

    def wait_until_ready(self) -> None:
        """Wait until it says so."""
        until = time.monotonic() + 60
        while not self.is_ready:
            assert time.monotonic() < until, "it never was ready"
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9, now."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill_child(self) -> bool:
        """kill -9 one of its children; whether it had one."""
        assert self.process is not None
        children = children_of(self.process.pid)
        with suppress(ProcessLookupError):
            if children:
                os.kill(random.choice(children), signal.SIGKILL)
        return bool(children)

    def kill_nursery(self) -> bool:
        """kill -9 the process its children are forked from, and they with it; whether it had one."""
        assert self.process is not None
        nurseries = [pid for pid in _started_by(self.process.pid) if _started_by(pid)]
        with suppress(ProcessLookupError):
            for pid in nurseries:
                os.kill(pid, signal.SIGKILL)
        return bool(nurseries)

    def end(self) -> int:
        """Ask it to end, and give its exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL


@dataclass
class Fleet:
    """A service, and perhaps workers beside it; a client of the service that does not give up."""

    home: Path
    key: str
    workers: int
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.port}/api/v1/exports"
        self.serve = Program(self.home, "serve", ("serve", "--port", str(self.port)))
        work = ("worker", "--config", "worker.yaml")
        self.working = [Program(self.home, f"worker{number}", work) for number in range(self.workers)]

    @property
    def programs(self) -> list[Program]:
        """Every process there should be."""
        return [self.serve, *self.working]

    def revive(self) -> None:
        """Start again what ended by itself, as systemd would: a worker does so when it was taken for dead."""
        for program in self.programs:
            if program.has_ended:
                program.start()

    def end(self) -> None:
        """Ask every process to end, and see that each does so in peace."""
        for program in self.programs:
            program.wait_until_ready()
        assert [program.end() for program in self.programs] == [0] * len(self.programs)

    def ask(self, method: str, path: str = "", **options: Any) -> httpx2.Response:
        """The service's answer, asked again for half a minute while it is not there or cannot answer."""
        until = time.monotonic() + 30
        while True:
            headers = {"x-api-key": self.key} | options.pop("headers", {})
            answer = None
            with suppress(httpx2.TransportError):
                answer = httpx2.request(method, self.url + path, headers=headers, timeout=30, **options)
            if answer is not None and answer.status_code not in AGAIN:
                assert answer.status_code < 500, answer.text
                return answer
            assert time.monotonic() < until, "no answer" if answer is None else answer.text
            options["headers"] = headers
            time.sleep(0.1)


@contextmanager
def running(fleet: Fleet) -> Iterator[Fleet]:
    """Every process of the fleet, ready; none is left afterwards."""
    with ExitStack() as ends:
        for program in fleet.programs:
            program.start()
            ends.callback(program.end)
        for program in fleet.programs:
            program.wait_until_ready()
        yield fleet
