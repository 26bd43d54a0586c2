"""`offtake serve` with the audit as its only dataset: who asked is who the proxy says, if it is one of ours."""

import secrets
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from offtake.app import build_runtime, close_runtime
from offtake.settings import load_settings
from servers import free_port
from sites import bearer, make_key, wait_until

OFFTAKE = (sys.executable, "-m", "offtake.cli")


@pytest.mark.parametrize(("trusted", "address"), [("[]", "127.0.0.1"), ("[127.0.0.0/8, 10.1.1.1]", "203.0.113.9")])
def test_the_address_is_the_last_that_is_no_proxy_of_ours(tmp_path: Path, trusted: str, address: str) -> None:
    config, secret = tmp_path / "offtake.yaml", tmp_path / "secret"
    secret.write_text(secrets.token_hex(32))
    secret.chmod(0o600)
    config.write_text(
        f"tenants: {{acme: {{}}}}\njobs: {{concurrency: 0}}\ntrusted_proxies: {trusted}\n"
        "secrets: [{id: k1, file: secret}]\n"
    )
    runtime = build_runtime(load_settings(config, {}))
    headers = bearer(make_key(runtime, "reports:read", "audit:read"))
    close_runtime(runtime)
    url = f"http://127.0.0.1:{(port := free_port())}/api/v1"
    serving = subprocess.Popen([*OFFTAKE, "serve", "--config", config, "--port", str(port)], stdout=subprocess.PIPE)
    try:
        assert serving.stdout is not None
        assert serving.stdout.readline() == b"ready\n"
        forwarded = headers | {"X-Forwarded-For": "198.51.100.6, 203.0.113.9, 10.1.1.1"}
        assert httpx2.get(f"{url}/datasets/audit/download", headers=forwarded).status_code == 200

        def found() -> list[str]:
            lines = httpx2.get(f"{url}/audit?action=dataset.*", headers=headers).json()["data"]
            return [line["address"] for line in lines]

        wait_until(lambda: bool(found()))
        assert found() == [address]
        file = httpx2.get(f"{url}/datasets/audit/download?fields=action,address", headers=headers).text
        assert f"dataset.download,{address}" in file
    finally:
        serving.terminate()
        serving.wait(30)
