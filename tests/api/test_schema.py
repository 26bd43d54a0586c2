"""The OpenAPI document is true: made-up requests meet no 5xx and no answer that it does not describe."""

import subprocess
import sys
from pathlib import Path

import pytest

from offtake.model.limits import Limits
from sites import FakeSource, few, make_key, make_runtime, serve

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# A key that would already have expired is refused, and no schema can say that.
EXCLUDED = "positive_data_acceptance"


def run_schemathesis(home: Path, *options: str) -> str:
    """What it found against a served runtime; empty if nothing."""
    runtime = make_runtime(home, {"fake": FakeSource(few)}, limits=Limits(rate=""))
    secret = make_key(runtime, "reports:read", "reports:write", "keys:admin")
    with serve(runtime) as site:
        command = [str(SCHEMATHESIS), "run", f"{site.url}/openapi.json", "--no-color", "--seed=1"]
        key = ["--header", f"Authorization: Bearer {secret}", "--generation-database=none"]
        checks = [f"--exclude-checks={EXCLUDED}", "--suppress-health-check=all"]
        done = subprocess.run([*command, *key, *checks, *options], capture_output=True, text=True, cwd=home)
        bugs = [line for line in site.log.getvalue().splitlines() if '"bug"' in line]
    assert bugs == []
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_made_up_requests_get_only_documented_answers(tmp_path: Path) -> None:
    found = run_schemathesis(tmp_path, "--phases=coverage,fuzzing", "--max-examples=5")
    assert not found, found[found.find("= FAILURES") :]


@pytest.mark.slow
def test_many_made_up_requests_get_only_documented_answers(tmp_path: Path) -> None:
    found = run_schemathesis(tmp_path, "--max-examples=200")
    assert not found, found[found.find("= FAILURES") :]
