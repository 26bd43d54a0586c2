"""docs/shapes.md is a transcript: its files are written, every command in it is run, and says what the page says."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "shapes.md").read_text("utf-8")


def fenced(language: str) -> str:
    """Every block of that language, one after the other."""
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_says_what_the_commands_say(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.executescript(fenced("sql"))
    (tmp_path / "offtake.yaml").write_text(fenced("yaml"), "utf-8")
    (tmp_path / "offtake").write_text(f'#!/bin/sh\nexec {sys.executable} -m offtake.cli "$@"\n')
    (tmp_path / "offtake").chmod(0o755)
    environ = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    steps = fenced("console").split("$ ")[1:]
    assert len(steps) >= 10
    for command, _, said in (step.partition("\n") for step in steps):
        shell = ["sh", "-c", command]
        done = subprocess.run(
            shell, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
        )
        assert done.stdout.decode() == said, command
