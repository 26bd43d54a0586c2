"""The examples of the page on Altafid's API run against the demo, and the error on it is a real one."""

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dialect.adviser import post, wish
from dialect.conftest import Demo

PAGE = (Path(__file__).parents[2] / "docs/dialects/altafid.md").read_text("utf-8")


def test_the_example_of_the_page_on_altafid_runs(demo: Demo, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the example is written for it.")
    (script,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    environ = {**os.environ, "URL": demo.site.url, "KEY": demo.keys["admin"], "TENANT_UUID": demo.tenant_uuid}
    done = subprocess.run(["sh", "-ec", script], env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    header, first = done.stdout.splitlines()
    assert header == "First Name,Created"
    assert re.fullmatch(r".+,2026-05-\d\dT[\d:.]+-04:00", first)


def test_the_error_on_the_page_on_altafid_is_a_real_one(demo: Demo) -> None:
    (shown,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    demo.clock.at = datetime(2026, 5, 31, 18, 0, 0, 250_000, tzinfo=UTC)
    assert post(demo, wish("nmae"), "/api/exports/households").json() == json.loads(shown)
