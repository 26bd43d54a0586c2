"""Requests that schemathesis makes up from an OpenAPI document, and what it finds wrong with the answers."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sites import Site

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# A key that would already have expired is refused, and no schema can say that.
EXCLUDED = "positive_data_acceptance"


def run_schemathesis(site: Site, spec: str, headers: Mapping[str, str], folder: Path, *options: str) -> str:
    """What it found against the site, whose document is at that path; empty if nothing. Bugs in its log fail the test.

    `folder` is where it works.
    """
    seen = len(site.log.getvalue())
    command = [str(SCHEMATHESIS), "run", f"{site.url}{spec}", "--no-color", "--seed=1", "--generation-database=none"]
    sent = [f"--header={name}: {value}" for name, value in headers.items()]
    checks = [f"--exclude-checks={EXCLUDED}", "--suppress-health-check=all"]
    done = subprocess.run([*command, *sent, *checks, *options], capture_output=True, text=True, cwd=folder)
    assert [line for line in site.log.getvalue()[seen:].splitlines() if '"bug"' in line] == []
    found = "" if done.returncode == 0 else done.stdout + done.stderr
    return found[max(0, found.find("= FAILURES")) :]
