"""Memory does not grow with the file."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from offtake.model.ports import StoreSpec
from servers import Seaweed

MEASURE = """
import json, resource, sys
from offtake.model.ports import StoreSpec
from offtake.store import open_store

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

store = open_store(StoreSpec(**json.load(sys.stdin)))
store.write("job/0-a", (b"x" * 50_000 for _ in range(400)))
before = peak()
assert store.write("job/1-a", (b"x" * 50_000 for _ in range(6000))) == 300_000_000
assert sum(map(len, store.read("job/1-a"))) == 300_000_000
store.delete(["job/0-a", "job/1-a"])
print((peak() - before) // 1024)
"""


def grown_mb(spec: StoreSpec) -> int:
    """How many megabytes the peak of a process grew while it wrote and read 300 MB, after it had written 20 MB."""
    given = json.dumps(asdict(spec))
    measured = subprocess.run([sys.executable, "-c", MEASURE], input=given, capture_output=True, text=True, check=True)
    return int(measured.stdout)


@pytest.mark.slow
def test_memory_is_flat_whatever_a_folder_is_given(tmp_path: Path) -> None:
    assert grown_mb(StoreSpec(str(tmp_path))) < 10


@pytest.mark.slow
def test_memory_is_flat_whatever_a_bucket_is_given(seaweed: Seaweed) -> None:
    assert grown_mb(seaweed.spec("memory")) < 60
