"""What the pages of docs/formats show is run as it stands there, and says what they say it says."""

import re
import shlex
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from workbooks import stream_of

PAGES = Path(__file__).parents[2] / "docs" / "formats"
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
      phone: {type: string}
      balance: {type: decimal}
      createdAt: {column: created_at, type: datetime}
"""
ROWS = [
    (1, "acme", 'Ana "La Jefa" Muñoz', "+56 9 1234 5678", 1234.25, "2026-05-31 18:05:09"),
    (2, "acme", '=HYPERLINK("http://evil")', None, -0.05, None),
    (3, "acme", "", "12-34", None, "2026-01-01 00:00:00"),
    (4, "globex", "not ours", None, 1, None),
]
SHOWN = [
    pytest.param(command, output, id=f"{name}: {command[:60]}")
    for name in ("csv", "tsv", "json", "ndjson")
    for command, output in re.findall(
        r"^```console\n\$ offtake (.*)\n((?:.*\n)*?)```$", (PAGES / f"{name}.md").read_text("utf-8"), re.MULTILINE
    )
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with an offtake.yaml over a small SQLite database."""
    (tmp_path / "offtake.yaml").write_text(CONFIG)
    database = sqlite3.connect(tmp_path / "crm.db")
    database.execute(
        "CREATE TABLE contacts (id INTEGER PRIMARY KEY, tenant TEXT, name TEXT, phone TEXT, balance DECIMAL(12, 2), created_at TIMESTAMP)"  # noqa: E501
    )
    database.executemany("INSERT INTO contacts VALUES (?, ?, ?, ?, ?, ?)", ROWS)
    database.commit()
    database.close()
    return tmp_path


def run(home: Path, offtake: Path, command: str) -> str:
    arguments = [offtake, *shlex.split(command)]
    return subprocess.run(arguments, cwd=home, check=True, capture_output=True, timeout=60).stdout.decode()


@pytest.mark.parametrize(("command", "output"), SHOWN)
def test_a_command_prints_what_the_page_shows(home: Path, offtake: Path, command: str, output: str) -> None:
    assert run(home, offtake, command).replace("\r\n", "\n") == output


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_a_command_writes_the_file_the_page_says(home: Path, offtake: Path, name: str) -> None:
    found = re.search(r"^offtake (.*)$", (PAGES / f"{name}.md").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    run(home, offtake, found[1])
    path = home / f"contacts.{name}"
    table = pq.read_table(path) if name == "parquet" else pa.ipc.open_file(path).read_all()
    assert table["id"].to_pylist() == [1, 2, 3]


def test_the_format_of_your_own_writes_rows() -> None:
    found = re.search(r"```python\n(.*?)```", (PAGES / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {"__name__": "my_package"}
    exec(compile(found[1], "README.md", "exec"), names)
    stream = stream_of(pa.table({"a": [1, None], "b": ["x", "y"]}))
    assert b"".join(names["PIPES"].encode(stream, names["PipesOptions"](ends=True))) == b"|1|x|\n||y|\n"
