"""Every example of the page on Optimaite's API runs against the demo."""

import os
import re
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dialect.conftest import Demo

PAGE = (Path(__file__).parents[2] / "docs/dialects/optimaite.md").read_text("utf-8")
EXECUTED, RETRIEVED = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run(demo: Demo, script: str, folder: Path) -> str:
    """What it prints."""
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the examples are written for it.")
    environ = {**os.environ, "URL": demo.site.url, "KEY": demo.keys["admin"]}
    done = subprocess.run(["sh", "-ec", script], env=environ, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_that_executes_brings_a_workbook(demo: Demo, tmp_path: Path) -> None:
    run(demo, EXECUTED, tmp_path)
    (file,) = tmp_path.iterdir()
    assert re.fullmatch(r"Monthly Revenue Report_\d{4}-\d\d-\d\d\.xlsx", file.name)
    assert "xl/worksheets/sheet1.xml" in zipfile.ZipFile(file).namelist()


def test_the_example_with_a_token_brings_the_rows_of_the_month_before(demo: Demo, tmp_path: Path) -> None:
    demo.clock.at = datetime(2026, 6, 3, tzinfo=UTC)
    lines = run(demo, RETRIEVED, tmp_path).splitlines()
    assert lines[0] == "Invoice #,Amount (EUR)"
    assert "RE-2026-042,2677.50" in lines
    assert 1 < len(lines) <= 43
