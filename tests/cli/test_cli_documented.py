"""docs/cli.md is a transcript: every command in it is run, and says what the page says."""

import os
import re
import sqlite3
import subprocess
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")


def fenced(language: str) -> str:
    """Every block of that language, one after the other."""
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_says_what_the_commands_say(tmp_path: Path, offtake: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as db:
        db.executescript(fenced("sql"))
    db.close()
    for command, expected in _transcript():
        assert _run(command, tmp_path, offtake) == expected, command


def _transcript() -> list[tuple[str, str]]:
    """Every command of the page and what it says there."""
    steps = fenced("console").split("$ ")[1:]
    return [(command, said) for command, _, said in (step.partition("\n") for step in steps)]


def _run(command: str, home: Path, offtake: Path) -> str:
    """What it says in a shell that finds our offtake; stderr among stdout, as on a terminal."""
    environ = os.environ | {"PATH": f"{offtake.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", command], cwd=home, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    said = re.sub(r"^key [0-9a-f-]{36} of", "key … of", done.stdout.decode(), flags=re.MULTILINE)
    return re.sub(r"^(kernel|PostgreSQL reader): .*$", r"\1: compiled", said, flags=re.MULTILINE)
