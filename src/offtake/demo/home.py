"""The demo's home: a folder with data, settings, secret and keys. A second start finds everything and keeps it."""

import json
import os
import secrets
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from offtake.app import build_runtime, close_runtime
from offtake.demo.database import HERE, build_database, is_current
from offtake.demo.flights import lay_flights
from offtake.demo.seeds import TENANT, seed
from offtake.model.access import Scope
from offtake.service.access import create_key, local_principal
from offtake.service.runtime import Runtime
from offtake.settings import load_settings
from offtake.store import open_store

ALL_SCOPES = tuple(str(scope) for scope in Scope)
# name in demo.json: tenant, scopes, roles
KEYS = {
    "admin": ("acme", ALL_SCOPES, ("TENANT_ADMIN",)),
    "reader": ("acme", ("reports:read",), ("TENANT_STAFF",)),
    "none": ("acme", (), ()),
    "globex": ("globex", ALL_SCOPES, ("TENANT_ADMIN",)),
}


def prepare(home: Path, port: int) -> Path:
    """Make the home ready to be served on that port and give the path of its offtake.yaml.

    demo.json comes last: whoever sees it can rely on the rest. Raises InvalidConfig if the flights are not installed.
    """
    home.mkdir(parents=True, exist_ok=True)
    config = home / "offtake.yaml"
    is_new = not is_current(home / "demo.db")
    if is_new:
        lay_flights(home / "flights")
        shutil.copyfile(HERE / "offtake.yaml", config)
        build_database(home / "demo.db")
    if not (home / "secret").exists():
        _write_private(home / "secret", secrets.token_hex(32))
    _write_private(home / "demo.json", json.dumps(_card(home, config, port, is_new), indent=2) + "\n")
    return config


def read_card(home: Path) -> dict[str, Any]:
    """What demo.json says: url, tenant, tenant_uuid, keys."""
    card: dict[str, Any] = json.loads((home / "demo.json").read_text("utf-8"))
    return card


def _card(home: Path, config: Path, port: int, is_new: bool) -> dict[str, Any]:
    """The keys of the last start where there are any, and where the server will be. What is new gets its seeds."""
    url = f"http://127.0.0.1:{port}"
    known = read_card(home) if (home / "demo.json").exists() else None
    if known is not None and not is_new:
        return known | {"url": url}
    settings = load_settings(config)
    runtime = replace(build_runtime(settings), store=open_store(settings.store))
    try:
        seed(runtime)
        if known is None:
            known = {"url": url, "tenant": TENANT, "tenant_uuid": runtime.tenants[TENANT].uuid}
            known["keys"] = _make_keys(runtime)
        return known | {"url": url}
    finally:
        close_runtime(runtime)


def _make_keys(runtime: Runtime) -> dict[str, str]:
    owner = local_principal(runtime, None)
    return {
        name: create_key(runtime, owner, tenant=tenant, scopes=scopes, roles=roles)[1]
        for name, (tenant, scopes, roles) in KEYS.items()
    }


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    aside = path.with_name(f".{path.name}.part")
    aside.unlink(missing_ok=True)
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    aside.replace(path)
