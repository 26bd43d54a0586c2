"""`offtake keys`, `offtake serve` and what needs no configuration at all."""

import json
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from cli.conftest import OFFTAKE, Run
from offtake import __version__


@contextmanager
def serving(home: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command once it has said `ready`, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*OFFTAKE, *arguments, "--port", str(port)]
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        assert next((line for line in process.stdout if line == "ready\n"), None)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def secret(home: Path) -> Path:
    """The folder, its configuration with a good secret."""
    path = home / "k1"
    path.write_text(secrets.token_hex(32))
    path.chmod(0o600)
    with (home / "offtake.yaml").open("a") as config:
        config.write("secrets: [{id: k1, file: k1}]\n")
    return home


def test_serve_refuses_without_a_secret(run_here: Run) -> None:
    done = run_here("serve")
    assert done.returncode == 1
    assert "names no secret" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_answers_and_ends_on_a_signal(secret: Path, number: signal.Signals) -> None:
    with serving(secret, "serve") as (process, url):
        assert httpx2.get(f"{url}/healthz").status_code == 200
        process.send_signal(number)
        assert process.wait(timeout=60) == 0


def test_a_taken_port_is_told(run_here: Run, secret: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run_here("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert done.stderr.startswith("error: Cannot listen on 127.0.0.1:")


def test_a_key_works_until_it_is_revoked(run: Run, secret: Path) -> None:
    made = run("keys", "create", "--tenant", "acme", "--scopes", "reports:read")
    key = made.stdout.strip()
    assert re.fullmatch(r"ofk_[0-9A-Za-z]{36}", key)
    key_id = made.stderr.split()[1]
    with serving(secret, "serve") as (_, url):

        def status(secret_key: str) -> int:
            return httpx2.get(f"{url}/api/v1/datasets", headers={"x-api-key": secret_key}).status_code

        assert status(key) == 200
        new = run("keys", "rotate", key_id).stdout.strip()
        assert (status(key), status(new)) == (401, 200)
        assert run("keys", "revoke", key_id).returncode == 0
        assert status(new) == 401


def test_the_list_of_keys_shows_no_secret(run_here: Run) -> None:
    key = run_here("keys", "create", "--tenant", "acme", "--role", "clerk", "--expires", "2999-01-01").stdout.strip()
    listed = run_here("keys", "list").stdout
    assert key not in listed
    assert re.search(r"^[0-9a-f-]{36}  ofk_.{6}…  acme +role clerk +until 2999-01-01T00:00:00Z  never$", listed, re.M)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["create", "--tenant", "acne"], "error: There is no tenant 'acne'."),
        (["create", "--tenant", "acme", "--scopes", "reports:raed"], "error: There is no scope 'reports:raed'."),
        (["create", "--tenant", "acme", "--role", "boss"], "error: There is no role 'boss'."),
        (
            ["create", "--tenant", "acme", "--expires", "soon"],
            "error: --expires 'soon' is neither a date nor an instant.",
        ),
        (["revoke", "nope"], "error: There is no such key."),
        (["rotate", "nope"], "error: There is no such key."),
    ],
)
def test_a_wrong_key_command_is_told(run_here: Run, arguments: list[str], told: str) -> None:
    done = run_here("keys", *arguments)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, told)


def test_version_and_help_load_nothing_heavy() -> None:
    for option in ("--version", "--help"):
        command = [sys.executable, "-X", "importtime", *OFFTAKE[1:], option]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
        assert not loaded & {"pyarrow", "sqlalchemy", "yaml", "fastapi", "duckdb", "rich"}


def test_version_is_ours(run: Run) -> None:
    assert run("--version").stdout == f"offtake {__version__}\n"


def test_schema_is_json(run_here: Run) -> None:
    assert json.loads(run_here("schema").stdout)["title"] == "offtake.yaml"


def test_datasets_asks_no_database(run_here: Run, home: Path) -> None:
    (home / "shop.db").unlink()
    done = run_here("datasets")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["NAME", "orders", "customers", "cities"]
