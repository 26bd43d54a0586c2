"""The same rows give the same bytes, in every format, in any process."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from acceptance.edges import FORMATS

TESTS = Path(__file__).parent.parent


def digests(home: Path, seed: str) -> dict[str, str]:
    """By format, from a process of its own with its own order of hashes."""
    command = [sys.executable, "-m", "acceptance.digests", str(home)]
    environment = dict(os.environ) | {"PYTHONHASHSEED": seed}
    done = subprocess.run(command, cwd=TESTS, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_of_one_snapshot(demo_home: Path) -> None:
    first = digests(demo_home, "1")
    time.sleep(max(0.0, 2 - time.time() % 2))  # the clocks in ZIP archives count in twos
    assert digests(demo_home, "2") == first
    assert set(FORMATS) <= set(first)
