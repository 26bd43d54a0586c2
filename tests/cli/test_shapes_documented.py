"""docs/shapes.md, docs/parts.md and docs/reports.md are transcripts: their commands run, and say what the pages say."""

import os
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def fenced(page: str, language: str) -> str:
    """Every block of that language, one after the other."""
    text = (DOCS / page).read_text("utf-8")
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize(("page", "fewest"), [("shapes.md", 10), ("parts.md", 8), ("reports.md", 7)])
def test_the_page_says_what_the_commands_say(tmp_path: Path, offtake: Path, page: str, fewest: int) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.executescript(fenced(page, "sql"))
    (tmp_path / "offtake.yaml").write_text(fenced(page, "yaml"), "utf-8")
    environ = os.environ | {"PATH": f"{offtake.parent}:{os.environ['PATH']}"}
    steps = fenced(page, "console").split("$ ")[1:]
    assert len(steps) >= fewest
    for command, _, said in (step.partition("\n") for step in steps):
        shell = ["sh", "-c", command]
        done = subprocess.run(
            shell, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
        )
        assert done.stdout.decode() == said, command
