"""Runs the real command in a process of its own, in a folder with a small database and its offtake.yaml."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from offtake.cli.commands import app

OFFTAKE = (sys.executable, "-m", "offtake.cli")
CONFIG = """\
tenants: {acme: {}, globex: {}}
roles: {clerk: [reports:read]}
sources:
  db: {url: "sqlite:///shop.db"}
  files: {url: "duckdb://", files: {cities: {path: "cities*.csv", nullstr: NA}}}
datasets:
  orders:
    source: db
    table: orders
    key: [id]
    date_field: day
    fields:
      id: {type: integer, label: No}
      status: {type: string}
      total: {type: decimal}
      day: {type: date}
  customers:
    source: db
    table: customers
    tenant_field: tenant
    key: [id]
    default_sort: [-id]
    fields:
      id: {type: integer}
      tenant: {type: string}
      phone: {type: string, mask: last4, unless_scope: pii:read}
  cities: {source: files, table: cities}
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with shop.db, two CSV files and their offtake.yaml."""
    with sqlite3.connect(tmp_path / "shop.db") as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT, total DECIMAL(10, 2), day DATE)")
        db.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, tenant TEXT, phone TEXT)")
        db.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?)",
            [(n, ("paid", "open", None)[n % 3], n * 1.5, f"2026-05-{n:02}") for n in range(1, 13)],
        )
        db.executemany(
            "INSERT INTO customers VALUES (?, ?, ?)",
            [(n, ("acme", "globex")[n % 2], f"+4930{n:06}") for n in range(1, 7)],
        )
    db.close()
    (tmp_path / "cities1.csv").write_text("name,people\nBerlin,3700000\nNowhere,NA\n")
    (tmp_path / "cities2.csv").write_text("name,people\nLima,10000000\n")
    (tmp_path / "offtake.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def run(home: Path, offtake: Path) -> Run:
    """`run("export", "orders", …)` in that folder, to its end."""

    def run_offtake(*arguments: str, cwd: Path = home) -> subprocess.CompletedProcess[str]:
        return subprocess.run([offtake, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, env=_plain())

    return run_offtake


@pytest.fixture
def run_here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same in this process, which spares the start: for the many ways to be wrong."""
    monkeypatch.chdir(home)

    def run_offtake(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = CliRunner().invoke(app, arguments, prog_name="offtake")
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    return run_offtake


def _plain() -> dict[str, str]:
    """An environment without a terminal's wishes."""
    return {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE")}
