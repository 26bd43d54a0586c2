"""What `prepare` leaves in a home, and that a second start keeps it."""

import json
import shlex
import shutil
from pathlib import Path

from offtake.app import build_runtime, close_runtime
from offtake.demo import banner, prepare
from offtake.service.access import authenticate
from offtake.settings import load_settings, require_secrets


def test_demo_json_says_where_and_with_which_keys(demo_home: Path) -> None:
    card = json.loads((demo_home / "demo.json").read_text())
    assert card["url"] == "http://127.0.0.1:8123"
    assert card["tenant"] == "acme"
    assert card["tenant_uuid"] == load_settings(demo_home / "offtake.yaml", {}).tenants["acme"].uuid
    assert list(card["keys"]) == ["admin", "reader", "none", "globex"]


def test_every_key_opens_what_it_should(demo_home: Path) -> None:
    keys = json.loads((demo_home / "demo.json").read_text())["keys"]
    runtime = build_runtime(load_settings(demo_home / "offtake.yaml", {}))
    try:
        found = {name: authenticate(runtime, key) for name, key in keys.items()}
    finally:
        close_runtime(runtime)
    assert {name: principal.tenant for name, principal in found.items()} == {
        "admin": "acme",
        "reader": "acme",
        "none": "acme",
        "globex": "globex",
    }
    assert found["admin"].scopes >= {"reports:read", "reports:write", "pii:read", "keys:admin", "audit:read"}
    assert found["reader"].scopes == {"reports:read"}
    assert found["none"].scopes == frozenset()


def test_secrets_are_good_and_private(demo_home: Path) -> None:
    require_secrets(load_settings(demo_home / "offtake.yaml", {}))
    assert (demo_home / "secret").stat().st_mode & 0o777 == 0o600
    assert (demo_home / "demo.json").stat().st_mode & 0o777 == 0o600


def test_a_second_start_keeps_everything_but_the_port(demo_home: Path, tmp_path: Path) -> None:
    home = shutil.copytree(demo_home, tmp_path / "home")
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "demo.json"}
    prepare(home, 8124)
    assert {path: path.read_bytes() for path in before} == before
    old, new = (json.loads((folder / "demo.json").read_text()) for folder in (demo_home, home))
    assert new == old | {"url": "http://127.0.0.1:8124"}


def test_the_banner_has_the_address_the_key_and_five_curl_lines(demo_home: Path) -> None:
    text = banner(demo_home)
    key = json.loads((demo_home / "demo.json").read_text())["keys"]["admin"]
    curls = [shlex.split(line) for line in text.splitlines() if line.startswith("curl ")]
    assert len(curls) == 5
    assert all(any(key in word for word in words) for words in curls)
    assert all(words[-1].startswith("http://127.0.0.1:8123/") for words in curls)
