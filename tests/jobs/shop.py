"""A shop whose exports run as jobs: its folder, a way to ask for exports, and the processes that run them."""

import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from offtake.app import build_runtime, close_runtime
from offtake.model.access import Principal
from offtake.model.export import ExportRequest
from offtake.model.job import ExportJob, JobState
from offtake.service.access import authenticate, create_key, local_principal
from offtake.service.exports import Submission, cancel_export, find_export, retry_export, submit_export
from offtake.service.runtime import Runtime
from offtake.settings import load_settings
from servers import free_port
from sites import wait_until

OFFTAKE = (sys.executable, "-m", "offtake.cli")
ROWS = 1000
# Counts to so many before the first row: 2 million take SQLite a third of a second.
COUNTING = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {n}) SELECT max(n) AS n FROM c"
DATASETS = {
    "orders": {"source": "db", "table": "orders"},
    "second": {"source": "db", "sql": COUNTING.format(n=2_000_000)},
    "slow": {"source": "db", "sql": COUNTING.format(n=10**10)},
    "greedy": {"source": "db", "sql": "SELECT printf('%.*c', 260000000, 'x') AS text"},
    "wrong": {"source": "db", "table": "nowhere", "fields": {"n": {"type": "integer"}}},
}


@dataclass
class Shop:
    """The folder, and this process's own view of its app database."""

    home: Path
    runtime: Runtime
    keys: dict[str, str]
    principals: dict[str, Principal]
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def submit(self, dataset: str = "orders", *, tenant: str = "acme", limit: int | None = None, **how: Any) -> str:
        """The id of a new job."""
        wish = ExportRequest(dataset=dataset, format="csv", limit=limit)
        return submit_export(self.runtime, self.principals[tenant], wish, Submission(**how)).job.id

    def look(self, job_id: str) -> ExportJob:
        """The job as it stands."""
        return find_export(self.runtime, local_principal(self.runtime, None), job_id)

    def wait(self, job_id: str, state: JobState | None = None, seconds: float = 30) -> ExportJob:
        """The job once it is in that state, or has ended if none is named."""
        wait_until(lambda: _is(self.look(job_id), state), seconds)
        return self.look(job_id)

    def cancel(self, job_id: str) -> None:
        """End it."""
        cancel_export(self.runtime, self.principals["acme"], job_id)

    def retry(self, job_id: str) -> None:
        """Start it over."""
        retry_export(self.runtime, self.principals["acme"], job_id)

    def child_of(self, job_id: str) -> int:
        """The process that runs the job's latest attempt."""

        def found() -> list[int]:
            lines = [json.loads(line) for line in self.log().splitlines()]
            return [line["child"] for line in lines if line["event"] == "attempt began" and line["job"] == job_id]

        wait_until(lambda: bool(found()))
        return found()[-1]

    def files(self) -> list[str]:
        """What lies in the store."""
        return sorted(file.name for file in self.runtime.store.list())

    def start(self, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """The command, once it has said `ready`; its log grows in `home/log`."""
        with (self.home / "log").open("a") as log:
            process = subprocess.Popen(
                [*OFFTAKE, *arguments],
                cwd=self.home,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | (environ or {}),
            )
        self.processes.append(process)
        assert process.stdout is not None
        assert "ready\n" in iter(process.stdout.readline, ""), self.log()
        return process

    def serve(self, port: int | None = None) -> subprocess.Popen[str]:
        """`offtake serve` on that port, or a free one."""
        return self.start("serve", "--port", str(port or free_port()))

    def log(self) -> str:
        """What every process of this shop has logged."""
        return (self.home / "log").read_text()


def _is(job: ExportJob, state: JobState | None) -> bool:
    return job.state.is_final if state is None else job.state is state


@contextmanager
def open_shop(
    home: Path,
    database: str | None = None,
    datasets: dict[str, Any] | None = None,
    limits: dict[str, Any] | None = None,
    **jobs: int,
) -> Iterator[Shop]:
    """A shop in that folder; `jobs` are its settings. Every process it started is gone afterwards."""
    home.mkdir(exist_ok=True)
    with sqlite3.connect(home / "shop.db") as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, total REAL)")
        db.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(n, f"name {n}", n / 4) for n in range(ROWS)])
    db.close()
    (home / "secret").write_text(secrets.token_hex(32))
    (home / "secret").chmod(0o600)
    settings = {
        "database": database or "sqlite:///offtake.db",
        "tenants": {"acme": {}, "globex": {}},
        "secrets": [{"id": "k", "file": "secret"}],
        "sources": {"db": {"url": "sqlite:///shop.db"}},
        "datasets": DATASETS,
        "store": "artifacts",
        "jobs": jobs,
        "limits": limits or {},
    }
    if datasets is not None:
        settings["datasets"] = DATASETS | datasets
        settings["sources"] = {"db": {"url": "sqlite:///shop.db"}, "pg": {"url": database}}
    (home / "offtake.yaml").write_text(yaml.safe_dump(settings))
    runtime = build_runtime(load_settings(home / "offtake.yaml"), with_jobs=True)
    owner = local_principal(runtime, None)
    scopes = ("reports:read", "reports:write")
    keys = {name: create_key(runtime, owner, tenant=name, scopes=scopes)[1] for name in ("acme", "globex")}
    shop = Shop(home, runtime, keys, {name: authenticate(runtime, key) for name, key in keys.items()})
    try:
        yield shop
    finally:
        for process in shop.processes:
            process.kill()
            process.communicate()
        close_runtime(runtime)


def children(process: subprocess.Popen[str]) -> list[int]:
    """The processes that run its jobs: those its nursery has forked."""
    return [child for below in started_by(process.pid) for child in started_by(below)]


def started_by(pid: int) -> list[int]:
    """The processes that one started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def is_gone(pid: int) -> bool:
    """Whether no such process runs; one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def end(process: subprocess.Popen[str], seconds: float = 20) -> int:
    """Ask it to end; its exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(seconds)


Shops = Callable[..., Shop]
