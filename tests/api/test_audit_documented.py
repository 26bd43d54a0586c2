"""The example of docs/audit.md runs as it stands, and the page knows every member of a line."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from offtake.model.audit import AuditEntry, Outcome
from sites import FakeSource, few, make_key, make_runtime, serve

PAGE = (Path(__file__).parents[2] / "docs" / "audit.md").read_text("utf-8")


def test_the_example_of_the_page_on_the_audit_runs(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the example is written for it.")
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    (script,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    with serve(runtime) as site:
        environ = {**os.environ, "URL": site.url, "KEY": make_key(runtime, "reports:read", "audit:read")}
        done = subprocess.run(["sh", "-ec", script], env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (line,) = json.loads(done.stdout)["data"]
    assert (line["action"], line["filter"], line["rows"]) == ("dataset.download", "n between 0, 1", 3)


def test_the_page_names_every_member_and_outcome() -> None:
    said = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert {field.name for field in fields(AuditEntry)} | {str(outcome) for outcome in Outcome} <= said
