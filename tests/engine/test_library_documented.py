"""The example of docs/library.md runs as it stands."""

import re
import sqlite3
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

PAGE = Path(__file__).parents[2] / "docs" / "library.md"


def test_the_ten_lines_write_a_workbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with sqlite3.connect("shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER, status TEXT, total INTEGER)")
        database.executemany(
            "INSERT INTO orders VALUES (?, ?, ?)", [(1, "paid", 250), (2, "paid", 9), (3, "open", 999)]
        )
    example, imports = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(imports + example, {})
    assert capsys.readouterr().out.startswith("orders.xlsx has ")
    rows = CalamineWorkbook.from_path("orders.xlsx").get_sheet_by_index(0).to_python()
    assert rows == [["id", "status", "total"], [1.0, "paid", 250.0]]
