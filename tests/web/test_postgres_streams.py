"""Downloads from a real PostgreSQL: who leaves, frees its backend; a server that is killed, cuts the file."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest

from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.ports import SourceSpec
from offtake.source import open_source
from servers import Postgres, run_postgres
from sites import Site, bearer, make_key, make_runtime, serve, wait_until

FIELDS = (Field("n", FieldType.INTEGER, "n", "N"), Field("text", FieldType.STRING, "text", "Text"))
MANY = Dataset("many", "pg", fields=FIELDS, sql="SELECT n, repeat('x', 200) AS text FROM generate_series(1, 3000000) n")
SLOW = Dataset("slow", "pg", fields=FIELDS, sql="SELECT 1 AS n, 'x' AS text, pg_sleep(30)")


@pytest.fixture
def served(tmp_path: Path, postgres_url: str) -> Iterator[tuple[Site, str]]:
    """The two datasets over the session's PostgreSQL."""
    runtime = make_runtime(tmp_path, {"pg": open_source(SourceSpec("pg", postgres_url))}, MANY, SLOW)
    with serve(runtime) as site:
        yield site, make_key(runtime)


def active(url: str) -> int:
    """How many backends work for somebody else than us."""
    query = """SELECT count(*) FROM pg_stat_activity
               WHERE state <> 'idle' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
               AND datname = current_database()"""
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(("dataset", "bytes_read"), [("many", 1 << 20), ("slow", 0)])
def test_a_client_that_leaves_frees_its_backend(
    served: tuple[Site, str], postgres_url: str, dataset: str, bytes_read: int
) -> None:
    site, secret = served
    with site.connect() as connection:
        path = f"/api/v1/datasets/{dataset}/download"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {secret}\r\n\r\n".encode())
        wait_until(lambda: active(postgres_url) == 1)
        while bytes_read > 0:
            bytes_read -= len(connection.recv(1 << 16))
    wait_until(lambda: active(postgres_url) == 0)


def test_a_count_that_nobody_waits_for_is_cancelled(served: tuple[Site, str], postgres_url: str) -> None:
    site, secret = served
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{site.url}/api/v1/datasets/slow/count", headers=bearer(secret), json={}, timeout=1)
    wait_until(lambda: active(postgres_url) == 0)


def test_killing_the_database_cuts_the_file_and_then_is_a_502(tmp_path: Path) -> None:
    with run_postgres() as server:
        runtime = make_runtime(tmp_path, {"pg": open_source(SourceSpec("pg", server.url()))}, MANY)
        headers = bearer(make_key(runtime))
        with serve(runtime) as site:
            url = f"{site.url}/api/v1/datasets/many/download"
            with httpx2.stream("GET", url, headers=headers, timeout=30) as answer:
                assert answer.status_code == 200
                with pytest.raises(httpx2.RemoteProtocolError):
                    _read_and_kill(answer, server)
            refused = httpx2.get(url, headers=headers, timeout=30)
    assert (refused.status_code, refused.json()["code"]) == (502, "SOURCE_FAILED")


def _read_and_kill(answer: httpx2.Response, server: Postgres) -> None:
    for n, _ in enumerate(answer.iter_bytes()):
        if n == 3:
            os.kill(server.pid, signal.SIGQUIT)


@pytest.mark.slow
def test_two_hundred_clients_that_leave_at_random_moments_leave_no_connection(
    served: tuple[Site, str], postgres_url: str
) -> None:
    site, secret = served
    moments = random.Random(7)
    for _ in range(200):
        with site.connect() as connection:
            path = f"/api/v1/datasets/many/download?format={moments.choice(['csv', 'ndjson', 'parquet'])}"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {secret}\r\n\r\n".encode())
            time.sleep(moments.uniform(0, 0.3))
    wait_until(lambda: active(postgres_url) == 0)
    answer = httpx2.get(f"{site.url}/api/v1/datasets/many/download?limit=5", headers=bearer(secret))
    assert len(answer.text.splitlines()) == 6
