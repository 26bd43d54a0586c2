"""The product as its users meet it: the command, the service and curl, each a process of its own."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from servers import free_port

OFFTAKE = (sys.executable, "-m", "offtake.cli")
CURL = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="No curl on this machine (Debian: apt-get install curl).")
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="Peak memory is read from Linux's /proc."
)

MANY = """
CREATE UNLOGGED TABLE many AS
SELECT n AS id, md5(n::text) AS name, CASE WHEN n % 11 > 0 THEN 'city ' || n % 5000 END AS city,
       (n::bigint * 31 % 10000019)::numeric(12, 2) / 100 AS amount, n / 7.0::float8 AS ratio, n % 3 = 0 AS flag,
       DATE '2020-01-01' + n % 2000 AS day, TIMESTAMPTZ '2024-01-01 UTC' + n * INTERVAL '1.5 s' AS at,
       md5((n::bigint * 3)::text) || md5((n::bigint * 5)::text) AS note
FROM generate_series(1, {rows}) n
"""
CONFIG = """\
tenants: {{acme: {{}}}}
secrets: [{{id: k, file: secret}}]
sources: {{db: {{url: "{url}"}}}}
datasets: {{{datasets}}}
"""


@dataclass(frozen=True)
class Served:
    """A running `offtake serve`, and a key that may read."""

    url: str
    key: str
    process: subprocess.Popen[str]

    def curl(self, path: str, *options: str) -> list[str]:
        """The command that fetches that path."""
        return [CURL or "curl", "-sS", "-H", f"x-api-key: {self.key}", *options, f"{self.url}/api/v1/{path}"]

    def download(self, path: str, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """What curl did and said about fetching the path into the file."""
        command = self.curl(f"datasets/{path}", "--max-time", "120", "-o", str(file), *options)
        return subprocess.run(command, capture_output=True, text=True, check=False)


def make_home(folder: Path, url: str, *tables: str) -> Path:
    """A folder with an offtake.yaml that exports those tables of the database as they are, and a secret."""
    datasets = ", ".join(f"{table}: {{source: db, table: {table}}}" for table in tables)
    (folder / "offtake.yaml").write_text(CONFIG.format(url=url, datasets=datasets))
    (folder / "secret").write_text(secrets.token_hex(32))
    (folder / "secret").chmod(0o600)
    return folder


def make_many(url: str, rows: int) -> None:
    """The table `many` with so many rows of mixed columns, in id's order, made in the PostgreSQL at the URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(MANY.format(rows=rows).encode())
        connection.execute("VACUUM (ANALYZE, FREEZE) many")


def offtake(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in that folder, to its end."""
    return subprocess.run([*OFFTAKE, *arguments], cwd=home, capture_output=True, text=True, timeout=300, check=False)


@contextmanager
def serving(home: Path) -> Iterator[Served]:
    """`offtake serve` on a free port for as long as the block runs; killed in the end if it has not ended by itself."""
    made = offtake(home, "keys", "create", "--tenant", "acme", "--scopes", "reports:read")
    assert made.returncode == 0, made.stderr
    port = free_port()
    with (home / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [*OFFTAKE, "serve", "--port", str(port)], cwd=home, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", (home / "serve.log").read_text()
        yield Served(f"http://127.0.0.1:{port}", made.stdout.strip(), process)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        process.communicate()


def peak_mb(command: list[str], home: Path) -> float:
    """The most memory that the command had at once until its successful end."""
    process = subprocess.Popen(command, cwd=home)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024
