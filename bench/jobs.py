"""Jobs: how soon a small one is done, what a large one costs beside a direct download, and answers under load.

The last column pair is memory: of the process that ran the job (or served), and of the other side.
"""

import asyncio
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from bench.databases import Server, postgres
from bench.measure import Ratio, python, show

CONFIG = """
database: sqlite:///app.db
store: artifacts
secrets: [{{id: k1, file: secret}}]
tenants: {{acme: {{}}}}
jobs: {{concurrency: {concurrency}}}
sources: {{main: {{url: "{url}"}}}}
datasets:
  rows: {{source: main, table: rows, key: [id]}}
"""
FINAL = ("succeeded", "failed", "cancelled")
CLIENTS, BUSY_JOBS, BUSY_S = 200, 20, 20.0


def compare_jobs(folder: Path, quick: bool) -> list[Ratio]:
    """Small ones on SQLite, a large one from PostgreSQL, two hundred clients."""
    return [*_small(folder / "small"), _large(folder / "large", 1_000_000 if quick else 10_000_000), _crowd(folder)]


def _small(folder: Path) -> Iterator[Ratio]:
    with service(folder, _sqlite(folder, 1000), concurrency=2) as site:
        yield _told(Ratio("server start to ready", site.start_s, 4.0, site.start_s / 4.0, "<= 1", site.peak_mb(), 0))
        for _ in range(5):
            site.finish(site.submit())
        waits = []
        for _ in range(20):
            began = time.perf_counter()
            site.finish(site.submit())
            waits.append(time.perf_counter() - began)
        name = f"1,000 rows, submit to artifact (worst {max(waits):.2f} s)"
        median = statistics.median(waits)
        yield _told(Ratio(name, median, 0.5, median / 0.5, "<= 1", site.peak_mb(), 0))


def _large(folder: Path, rows: int) -> Ratio:
    folder.mkdir()
    with postgres(folder) as server:
        fill_rows(server, rows)
        with service(folder, server.url, concurrency=1) as site:
            wish = {"format": "csv", "compression": "gzip"}
            began = time.perf_counter()
            size = site.download(wish, folder / "direct.csv.gz")
            direct_s = time.perf_counter() - began
            served_mb = site.peak_mb()
            began = time.perf_counter()
            job = site.finish(site.submit(**wish), every_s=0.05)
            job_s = time.perf_counter() - began
            assert job["rows"] == rows, job
            child_mb = max(site.child_peaks_mb())
            name = f"{rows:,} rows to CSV.gz ({size / 1e6:.0f} MB), job / direct"
            return _told(Ratio(name, job_s, direct_s, job_s / direct_s, "<= 1.3", child_mb, served_mb))


def fill_rows(server: Server, rows: int) -> None:
    """The table `rows` with so many of them, in six columns."""
    made = f"""CREATE TABLE rows AS SELECT i AS id, (i * 7919 % 100000)::int AS n, 'name ' || i AS name,
        (i % 100000 / 100.0)::numeric(12,2) AS price, timestamptz '2020-01-01Z' + i * interval '7 s' AS made_at,
        'carefully, "final" ' || i AS note FROM generate_series(1::bigint, {rows}) i; VACUUM ANALYZE rows;"""
    for statement in made.split("; "):
        subprocess.run([*server.psql, "-c", statement], check=True)


def _crowd(folder: Path) -> Ratio:
    home = folder / "crowd"
    with service(home, _sqlite(home, 300_000), concurrency=2) as site:
        jobs = [site.submit(format=("csv", "xlsx", "ndjson", "parquet")[n % 4]) for n in range(BUSY_JOBS)]
        waits, wrong = asyncio.run(_watched_by_many(site, jobs))
        assert not wrong, wrong
        p99 = statistics.quantiles(waits, n=100)[98]
        name = f"{CLIENTS} clients, {BUSY_JOBS} jobs: p99 of GET /exports/ID ({len(waits)} asked)"
        return _told(Ratio(name, p99, 0.1, p99 / 0.1, "<= 1", site.peak_mb(), 0))


async def _watched_by_many(site: "_Site", jobs: list[str]) -> tuple[list[float], list[int]]:
    """A third of the clients list, a third poll once a second, a third listen, while the jobs run."""
    waits: list[float] = []
    wrong: list[int] = []
    until = time.monotonic() + BUSY_S

    async def ask(path: str, into: list[float] | None) -> None:
        await asyncio.sleep(random.random())
        reader, writer = await site.connect()
        while time.monotonic() < until:
            began = time.perf_counter()
            status, size = await _get(reader, writer, path, site.headers)
            await reader.readexactly(size)
            took = time.perf_counter() - began
            if into is not None:
                into.append(took)
            if status >= 500:
                wrong.append(status)
            await asyncio.sleep(max(0.0, 1 - took))
        writer.close()

    async def listen(path: str) -> None:
        reader, writer = await site.connect()
        status, _ = await _get(reader, writer, path, site.headers)
        if status >= 500:
            wrong.append(status)
        while time.monotonic() < until and await reader.read(65536):
            pass
        writer.close()

    async with asyncio.TaskGroup() as tasks:
        for number in range(CLIENTS):
            path = f"/api/v1/exports/{jobs[number % len(jobs)]}"
            match number % 3:
                case 0:
                    tasks.create_task(ask("/api/v1/exports", None))
                case 1:
                    tasks.create_task(ask(path, waits))
                case _:
                    tasks.create_task(listen(f"{path}/events"))
    return waits, wrong


async def _get(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, headers: dict[str, str]
) -> tuple[int, int]:
    """Status and length of the answer, its body still to be read.

    A library would take more processor time for 200 clients than the service does, and they share the machine.
    """
    lines = (f"GET {path} HTTP/1.1", "Host: bench", *(f"{name}: {value}" for name, value in headers.items()), "", "")
    writer.write("\r\n".join(lines).encode())
    status, *told = (await reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
    lengths = [line.partition(":")[2] for line in told if line.startswith("content-length:")]
    return int(status.split()[1]), int(*lengths) if lengths else 0


def _told(ratio: Ratio) -> Ratio:
    show(ratio)
    return ratio


def _sqlite(folder: Path, rows: int) -> str:
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "rows.db") as database:
        database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, n INTEGER, name TEXT, price REAL, note TEXT)")
        database.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?)",
            ((n, n * 7919 % 100_000, f"name {n}", n / 100, f"note, {n}") for n in range(rows)),
        )
    return f"sqlite:///{folder / 'rows.db'}"


class _Site:
    """A served configuration, asked as its users do."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, key: str, start_s: float) -> None:
        self.url, self.headers, self.start_s = url, {"x-api-key": key}, start_s
        self._process = process
        self.client = httpx2.Client(base_url=url, headers=self.headers, timeout=600)

    def submit(self, **wish: Any) -> str:
        answer = self.client.post("/api/v1/exports", json={"dataset": "rows", **wish})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def finish(self, job_id: str, every_s: float = 0.005) -> dict[str, Any]:
        while True:
            job: dict[str, Any] = self.client.get(f"/api/v1/exports/{job_id}").json()
            if job["state"] in FINAL:
                assert job["state"] == "succeeded", job
                return job
            time.sleep(every_s)

    def download(self, wish: dict[str, str], path: Path) -> int:
        with self.client.stream("POST", "/api/v1/datasets/rows/download", json=wish) as answer, path.open("wb") as out:
            for chunk in answer.iter_bytes():
                out.write(chunk)
        return path.stat().st_size

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = urlsplit(self.url)
        return await asyncio.open_connection(address.hostname, address.port)

    def peak_mb(self) -> float:
        return _peak_mb(self._process.pid)

    def child_peaks_mb(self) -> list[float]:
        return [_peak_mb(child) for nursery in _started_by(self._process.pid) for child in _started_by(nursery)]


def _started_by(pid: int) -> list[int]:
    task = Path(f"/proc/{pid}/task")
    return [int(child) for each in task.iterdir() for child in (each / "children").read_text().split()]


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


@contextmanager
def service(folder: Path, url: str, concurrency: int) -> Iterator[_Site]:
    """A served table `rows` of that database, and a key that may do everything with it."""
    (folder / "secret").write_text(os.urandom(32).hex())
    (folder / "secret").chmod(0o600)
    config = folder / "offtake.yaml"
    config.write_text(CONFIG.format(url=url, concurrency=concurrency))
    command = ["-m", "offtake.cli"]
    made = subprocess.run(
        python(
            *command,
            "keys",
            "create",
            "--tenant",
            "acme",
            "--scopes",
            "reports:read,reports:write",
            "--config",
            str(config),
        ),
        check=True,
        capture_output=True,
        text=True,
    )
    key = next(word for word in made.stdout.split() if word.startswith("ofk_"))
    port = random.randint(20_000, 30_000)
    began = time.perf_counter()
    process = subprocess.Popen(
        python(*command, "serve", "--config", str(config), "--port", str(port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        while b"ready" not in process.stdout.readline():
            assert process.poll() is None
        yield _Site(process, f"http://127.0.0.1:{port}", key, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
