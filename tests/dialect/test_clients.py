"""A stock client generated from the OpenAPI document of each foreign API works.

The generator has an environment of its own, made by the test. What a program would do with the client of a dialect is
in clients/<dialect>.py.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dialect.conftest import Demo
from offtake.dialect import ENTRYPOINTS
from offtake.web.entrypoint import Entrypoint

ROOT = Path(__file__).parents[2]
# The generator knows what to do with a file only under this name.
FILE = "application/octet-stream"
FILE_TYPES = (
    "*/*",
    "text/csv",
    "text/csv;charset=UTF-8",
    "text/xml",
    "application/xml",
    "application/pdf",
    "application/zip",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
CONFIG = {"content_type_overrides": dict.fromkeys(FILE_TYPES, FILE), "post_hooks": []}


def run(*command: str | Path, **environment: str) -> None:
    """Run it; what it says is the failure if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs of an environment with the generator are."""
    home = tmp_path_factory.mktemp("generator")
    run(sys.executable, "-m", "venv", "--without-pip", home)
    python, locked = home / "bin/python", ROOT / "requirements/clients.txt"
    # The environment of the tests has no pip either; the interpreter it was made from does.
    own = getattr(sys, "_base_executable", sys.executable)
    run(own, "-m", "pip", "--python", python, "install", "-qq", "--no-deps", "--require-hashes", "-r", locked)
    return home / "bin"


@pytest.mark.slow
@pytest.mark.parametrize("entrypoint", ENTRYPOINTS, ids=lambda one: one.name)
def test_a_generated_client_works(demo: Demo, entrypoint: Entrypoint, tools: Path, tmp_path: Path) -> None:
    spec, config, client = tmp_path / "spec.json", tmp_path / "config.json", tmp_path / f"{entrypoint.name}_client"
    spec.write_bytes(demo.client.get(f"/openapi/{entrypoint.name}.json").content)
    config.write_text(json.dumps(CONFIG))
    where = ("--path", spec, "--config", config, "--output-path", client)
    run(tools / "openapi-python-client", "generate", "--meta=none", "--fail-on-warning", *where)
    script = Path(__file__).parent / f"clients/{entrypoint.name}.py"
    run(tools / "python", script, demo.site.url, demo.keys["admin"], PYTHONPATH=str(tmp_path))
