"""docs/formats/xml.md and jsonapi.md are transcripts: every command in them is run, and says what the page says."""

import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from offtake.encode import FORMATS, parse_options

FORMAT_PAGES = Path(__file__).parents[2] / "docs" / "formats"
CONFIG = """\
tenants: {acme: {}, globex: {}}
sources: {crm: {url: "sqlite:///crm.db"}}
datasets:
  contacts:
    source: crm
    table: contacts
    tenant_field: tenant
    key: [id]
    default_sort: [id]
    fields:
      id: {type: integer}
      name: {type: string}
      balance: {type: decimal}
      createdAt: {column: created_at, type: datetime}
      customerId: {column: customer_id, type: integer}
"""
TABLE = """\
CREATE TABLE contacts (
  id INTEGER PRIMARY KEY, tenant TEXT, name TEXT, balance TEXT, created_at TIMESTAMP, customer_id INTEGER);
INSERT INTO contacts VALUES
  (1, 'acme', 'Ann & Co', '1250.50', '2026-05-31 18:05:09', 7),
  (2, 'acme', '', NULL, NULL, NULL),
  (3, 'globex', 'not ours', '1', NULL, 8);
"""


def fenced(name: str, language: str) -> str:
    page = (FORMAT_PAGES / f"{name}.md").read_text("utf-8")
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL))


@pytest.fixture
def environ(tmp_path: Path, offtake: Path) -> Mapping[str, str]:
    """Where the shell finds our offtake, in a folder with the sample data."""
    (tmp_path / "offtake.yaml").write_text(CONFIG)
    with sqlite3.connect(tmp_path / "crm.db") as db:
        db.executescript(TABLE)
    db.close()
    return os.environ | {"PATH": f"{offtake.parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("name", ["xml", "jsonapi"])
def test_the_page_shows_what_the_commands_write(name: str, tmp_path: Path, environ: Mapping[str, str]) -> None:
    steps = fenced(name, "console").split("$ ")[1:]
    assert len(steps) > 2
    for command, _, shown in (step.partition("\n") for step in steps):
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        assert _undated(done.stdout.decode()) == _undated(shown), command


def test_the_options_shown_for_a_request_are_taken() -> None:
    body: dict[str, Any] = json.loads(fenced("jsonapi", "json"))
    options = parse_options(FORMATS[body["format"]], body["options"])
    assert (options.id, options.relationships) == ("name", {"customerId": "customers"})


def _undated(text: str) -> str:
    return re.sub(r'"snapshot_at":"[0-9T:.-]+Z"', '"snapshot_at":…', text)
