"""Pages over a snapshot: what a deep page costs beside an early one, and the first beside a download of the whole."""

import random
import statistics
import time
from pathlib import Path
from typing import Any

import httpx2

from bench.databases import postgres
from bench.jobs import fill_rows, service
from bench.measure import Ratio, show

SIZE, ROUNDS = 10_000, 60  # of fewer, the ratio is chance on a machine with other work
EARLY, DEEP = 2, 90


def compare_pages(folder: Path, quick: bool) -> list[Ratio]:
    """A million rows from PostgreSQL in a hundred pages, over HTTP; QUICK=1 makes the pages ten times as small."""
    home, size = folder / "pages", SIZE // 10 if quick else SIZE
    home.mkdir()
    with postgres(home) as server:
        fill_rows(server, 100 * size)
        with service(home, server.url, concurrency=0) as site:
            body = {"name": "All", "dataset": "rows", "sort": ["id"], "format": "json"}
            answer = site.client.post("/api/v1/definitions", json=body)
            assert answer.status_code == 201, answer.text
            return _measure(site.client, f"/api/v1/definitions/{answer.json()['id']}", size, site.peak_mb)


def _measure(client: httpx2.Client, definition: str, size: int, peak_mb: Any) -> list[Ratio]:
    whole_s = _timed(client, f"{definition}/download", {})[0]
    first_s, page = _timed(client, f"{definition}/pages", {"limit": size, "keep_alive_s": 3600})
    cursors = {}
    for number in range(2, DEEP + 1):
        cursors[number] = page["next_cursor"]
        _, page = _timed(client, f"{definition}/pages", {"cursor": cursors[number]})
    early: list[float] = []
    deep: list[float] = []
    for _ in range(ROUNDS):
        for number, times in random.sample([(EARLY, early), (DEEP, deep)], 2):
            times.append(_timed(client, f"{definition}/pages", {"cursor": cursors[number]})[0])
    early_s, deep_s = statistics.median(early), statistics.median(deep)
    rows = f"{100 * size:,} rows by {size:,}"
    ratios = [
        Ratio(f"{rows}: page {DEEP} / page {EARLY}", deep_s, early_s, deep_s / early_s, "<= 1.5", peak_mb(), 0),
        Ratio(f"{rows}: first page / download as JSON", first_s, whole_s, first_s / whole_s, "", peak_mb(), 0),
    ]
    for ratio in ratios:
        show(ratio)
    return ratios


def _timed(client: httpx2.Client, path: str, parameters: dict[str, Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = client.get(path, params=parameters)
    seconds = time.perf_counter() - began
    assert answer.status_code == 200, answer.text
    return seconds, answer.json()
