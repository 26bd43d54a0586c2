"""What docs/formats/xlsx.md shows is run as it stands there."""

import re
import shlex
import sqlite3
import subprocess
from datetime import datetime
from pathlib import Path

from workbooks import openpyxl_rows

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "xlsx.md"
CONFIG = """\
tenants: {acme: {}, globex: {}}
sources: {crm: {url: "sqlite:///crm.db"}}
datasets:
  contacts:
    source: crm
    table: contacts
    tenant_field: tenant
    key: [id]
    fields:
      id: {type: integer}
      name: {type: string}
      createdAt: {column: created_at, type: datetime}
"""


def test_the_example_writes_the_workbook_it_says(tmp_path: Path, offtake: Path) -> None:
    (tmp_path / "offtake.yaml").write_text(CONFIG)
    with sqlite3.connect(tmp_path / "crm.db") as db:
        db.execute("CREATE TABLE contacts (id INTEGER PRIMARY KEY, tenant TEXT, name TEXT, created_at TIMESTAMP)")
        db.execute("INSERT INTO contacts VALUES (1, 'acme', '=1+1', '2026-05-31 18:05:09')")
        db.execute("INSERT INTO contacts VALUES (2, 'globex', 'not ours', NULL)")
    db.close()
    found = re.search(r"^offtake (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert found is not None
    command = [offtake, *shlex.split(found[1])]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    content = (tmp_path / "contacts.xlsx").read_bytes()
    shown = datetime(2026, 5, 31, 14, 5, 9)  # noqa: DTZ001  (the wall clock in Santiago)
    assert openpyxl_rows(content) == [["id", "name", "createdAt"], [1, "=1+1", shown]]
    assert ["Time zone", "America/Santiago"] in openpyxl_rows(content, 1)
