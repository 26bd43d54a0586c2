"""The examples of docs/api.md and docs/errors.md run as they stand."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx2
import pytest

from api.desk import working
from offtake.errors import ERRORS
from sites import FakeSource, bearer, few, make_key, make_runtime, serve

DOCS = Path(__file__).parents[2] / "docs"
SHELL = re.findall(r"^```sh\n(.*?)^```", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("script", SHELL)
def test_every_example_of_the_api_page_runs(tmp_path: Path, script: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the examples are written for it.")
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    with serve(runtime) as site, working(runtime):
        environ = {**os.environ, "URL": site.url, "KEY": make_key(runtime)}
        done = subprocess.run(["sh", "-ec", script], env=environ, cwd=tmp_path, capture_output=True, text=True)
    logged = [json.loads(line) for line in site.log.getvalue().splitlines()]
    assert done.returncode == 0, done.stderr
    assert {line["status"] for line in logged} <= {200, 201, 202}


def test_the_problem_on_the_errors_page_is_a_real_one(tmp_path: Path) -> None:
    page = (DOCS / "errors.md").read_text("utf-8")
    shown = json.loads(re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0])
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    with serve(runtime) as site:
        url = f"{site.url}/api/v1/datasets/numbers/download?fields=txet"
        headers = {**bearer(make_key(runtime)), "X-Request-Id": shown["request_id"]}
        assert httpx2.get(url, headers=headers).json() == shown


def test_the_errors_page_gives_every_code_its_status() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", (DOCS / "errors.md").read_text("utf-8"), re.MULTILINE))
    assert rows == {error.code: str(error.status) for error in ERRORS if error.code != "CANCELLED"}
