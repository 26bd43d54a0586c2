"""deploy/Caddyfile in front of the real service, run by a real Caddy."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from servers import free_port
from sites import Batches, FakeSource, bearer, endless, failing_after, few, make_key, make_runtime, serve, wait_until

CADDY = Path(sys.executable).with_name("caddy")
CADDYFILE = Path(__file__).parents[2] / "deploy" / "Caddyfile"
DOWNLOAD = "/api/v1/datasets/numbers/download"


@contextmanager
def proxied(home: Path, batches: Batches) -> Iterator[tuple[str, dict[str, str], FakeSource]]:
    """The address of the proxy, the header of a key, and the source behind it all."""
    source = FakeSource(batches)
    runtime = make_runtime(home, {"fake": source})
    with serve(runtime) as site:
        port = free_port()
        text = CADDYFILE.read_text("utf-8").replace("{$OFFTAKE_SITE:localhost}", f"http://127.0.0.1:{port}")
        # One upstream with an address instead of a name that only the compose network knows.
        text = re.sub(r"dynamic a \{.*?\}", f"to 127.0.0.1:{site.port}", text, flags=re.DOTALL)
        (home / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
        command = [CADDY, "run", "--config", home / "Caddyfile", "--adapter", "caddyfile"]
        environ = os.environ | {"HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
        proxy = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: _answers(f"http://127.0.0.1:{port}/healthz"))
            yield f"http://127.0.0.1:{port}", bearer(make_key(runtime)), source
        finally:
            proxy.send_signal(signal.SIGKILL)
            proxy.wait(60)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.TransportError:
        return False


def test_caddy_takes_the_file_as_it_is(tmp_path: Path) -> None:
    command = [CADDY, "validate", "--config", CADDYFILE, "--adapter", "caddyfile"]
    environ = os.environ | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_downloads_pass_and_metrics_stay_inside(tmp_path: Path) -> None:
    with proxied(tmp_path, few) as (url, key, _):
        file = httpx2.get(url + DOWNLOAD, headers=key)
        metrics = httpx2.get(f"{url}/metrics", headers=key)
    assert (file.status_code, file.content.count(b"\n"), metrics.status_code) == (200, 4, 404)


def test_a_file_that_was_cut_is_cut_for_the_client_too(tmp_path: Path) -> None:
    with (
        proxied(tmp_path, failing_after(20_000)) as (url, key, _),
        httpx2.stream("GET", url + DOWNLOAD, headers=key) as answer,
    ):
        assert answer.status_code == 200
        with pytest.raises(httpx2.RemoteProtocolError):
            answer.read()


def test_bytes_come_as_they_are_made_and_a_client_that_leaves_ends_the_read(tmp_path: Path) -> None:
    with proxied(tmp_path, endless) as (url, key, source):
        with httpx2.stream("GET", url + DOWNLOAD, headers=key) as answer:
            assert next(answer.iter_bytes())
        assert source.closed.wait(60)
