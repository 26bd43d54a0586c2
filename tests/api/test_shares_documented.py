"""The examples of docs/shares.md run as they stand."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sites import FakeSource, few, make_key, make_runtime, serve

PAGE = (Path(__file__).parents[2] / "docs" / "shares.md").read_text("utf-8")


def test_the_example_of_the_page_on_shares_runs(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the example is written for it.")
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    (script,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    with serve(runtime) as site:
        environ = {**os.environ, "URL": site.url, "KEY": make_key(runtime, "reports:read", "reports:write")}
        done = subprocess.run(["sh", "-ec", script], env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "numbers.csv").read_text().startswith("n,text\n0,row\n")
    assert "<h1>All numbers</h1>" in (tmp_path / "page.html").read_text()
    (share,) = json.loads(done.stdout)["data"]
    assert (share["uses"], share["max_downloads"], share["state"]) == (1, 3, "active")
