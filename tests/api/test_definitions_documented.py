"""The examples of docs/definitions.md run as they stand."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api.shelf import WRITER
from api.test_api_documented import DOCS, working
from sites import FakeSource, few, make_key, make_runtime, serve

SHELL = re.findall(r"^```sh\n(.*?)^```", (DOCS / "definitions.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("script", SHELL)
def test_every_example_of_the_definitions_page_runs(tmp_path: Path, script: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the examples are written for it.")
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    with serve(runtime) as site, working(runtime):
        environ = {**os.environ, "URL": site.url, "KEY": make_key(runtime, *WRITER)}
        done = subprocess.run(["sh", "-ec", script], env=environ, cwd=tmp_path, capture_output=True, text=True)
    logged = [json.loads(line) for line in site.log.getvalue().splitlines()]
    assert done.returncode == 0, done.stderr
    assert {line["status"] for line in logged} <= {200, 201, 202}
