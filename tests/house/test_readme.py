"""README's transcripts are real: every `$` line is run in a prepared demo home, its output compared to the word."""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from house.tree import ROOT

BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
TRANSCRIPT = [
    pair for block in BLOCK.findall((ROOT / "README.md").read_text("utf-8")) for pair in COMMAND.findall(block)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout as README's reader sees it: `.venv` and `.demo` lie where they are said to."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture(scope="module")
def port(folder: Path, demo_home: Path) -> Iterator[int]:
    """Where the demo is served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    shutil.copytree(demo_home, folder / ".demo")
    command = [sys.executable, "-m", "offtake.cli", "demo", "--home", ".demo", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            assert any(line == "ready\n" for line in server.stdout), "the demo ended before it was ready"
            yield port
        finally:
            server.terminate()


def test_the_transcripts_of_the_readme_are_what_happens(folder: Path, port: int) -> None:
    assert TRANSCRIPT
    marks = [f"printf '\\036'\n{command}" for command, _ in TRANSCRIPT]
    script = "set -euo pipefail\n" + "\n".join(marks)
    script = script.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outputs = done.stdout.split("\036")[1:]
    shown = [
        (command, output.replace(f"127.0.0.1:{port}", "127.0.0.1:8000"))
        for (command, _), output in zip(TRANSCRIPT, outputs, strict=True)
    ]
    assert shown == TRANSCRIPT
