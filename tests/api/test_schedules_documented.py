"""The examples of docs/schedules.md run as they stand."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sites import FakeSource, few, make_key, make_runtime, serve

PAGE = Path(__file__).parents[2] / "docs" / "schedules.md"
SHELL = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("script", SHELL)
def test_every_example_of_the_page_runs(tmp_path: Path, script: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the examples are written for it.")
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few, matched=3)})
    with serve(runtime) as site:
        environ = {**os.environ, "URL": site.url, "KEY": make_key(runtime, "reports:read", "reports:write")}
        done = subprocess.run(["sh", "-ec", script], env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"state":"submitted"' in done.stdout
