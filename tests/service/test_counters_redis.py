"""Counters that processes share, in a real Redis; and what happens while it is away."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from offtake.errors import Unavailable
from offtake.model.access import Principal
from offtake.model.limits import Limits
from offtake.service.counters import Counters
from sites import FakeSource, bearer, few, make_key, make_runtime, serve, wait_until

ANN, BOB = Principal("ann", "acme"), Principal("bob", "acme")


@dataclass
class Redis:
    """A Redis server on a port of its own, which can be stopped and started again."""

    home: Path
    port: int
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """What `limits.store` says."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty."""
        command = [
            "redis-server",
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self.home),
        ]
        self.running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        wait_until(self._listens, 30)

    def stop(self) -> None:
        """End it."""
        for server in self.running:
            server.kill()
            server.wait()
        self.running.clear()

    def _listens(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def running(home: Path) -> Iterator[Redis]:
    """One that runs for as long as the block does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        redis = Redis(home, free.getsockname()[1])
    redis.start()
    try:
        yield redis
    finally:
        redis.stop()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """A Redis of this test's own."""
    if shutil.which("redis-server") is None:
        pytest.skip("No redis-server on this machine (Debian: apt-get install redis-server).")
    pytest.importorskip("redis", reason="The extra `redis` is not installed.")
    with running(tmp_path) as server:
        yield server


def test_processes_count_together(redis: Redis) -> None:
    limits = Limits(rate="3/year", rate_per_tenant="5/year", store=redis.url)
    one, other = Counters(limits), Counters(limits)
    found = [counters.count_request(who) for counters, who in ((one, ANN), (other, ANN), (one, ANN), (other, ANN))]
    assert [(each.remaining, bool(each.refusal)) for each in found if each] == [
        (2, False), (1, False), (0, False), (0, True),
    ]  # fmt: skip
    strangers = [counters.count_stranger("192.0.2.7") for counters in (one, other)]
    assert [each.remaining for each in strangers if each] == [2, 1]
    last = [counters.count_request(BOB) for counters in (one, other, one)]
    assert [(each.limit, bool(each.refusal)) for each in last if each] == [(5, False), (5, False), (5, True)]


def test_while_the_store_is_away_keys_get_503_and_other_answers_go_unmarked(redis: Redis, tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, limits=Limits(store=redis.url, rows_per_day=10))
    key = bearer(make_key(runtime))
    with serve(runtime) as site:
        url = f"{site.url}/api/v1/datasets"
        assert httpx2.get(f"{url}/numbers/download", headers=key).headers["x-ratelimit-remaining"] == "59999"
        assert httpx2.get(url).headers["x-ratelimit-limit"] == "60000"
        redis.stop()
        away, stranger = httpx2.get(url, headers=key), httpx2.get(url)
        redis.start()
        again = httpx2.get(url, headers=key)
    assert (away.status_code, away.json()["code"]) == (503, "UNAVAILABLE")
    assert (stranger.status_code, "x-ratelimit-limit" in stranger.headers) == (401, False)
    assert again.status_code == 200


def test_nothing_is_cut_because_rows_cannot_be_counted(redis: Redis) -> None:
    counters = Counters(Limits(rows_per_day=1, bytes_per_day=1, store=redis.url))
    counters.check_day(ANN)
    redis.stop()
    counters.count_rows(ANN, 5)
    counters.count_bytes(ANN, 5)
    with pytest.raises(Unavailable):
        counters.check_day(ANN)
