"""Run everything: `python -m bench [databases] [writers] [memory] [jobs] [pages]`; QUICK=1 for small tables."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import databases, jobs, pages, writers
from bench.measure import Ratio, save

SUITES = {
    "databases": databases.compare_databases,
    "writers": writers.compare_writers,
    "memory": databases.compare_memory,
    "jobs": jobs.compare_jobs,
    "pages": pages.compare_pages,
}


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards; readable for the account PostgreSQL runs under."""
    folder = Path(tempfile.mkdtemp(prefix="offtake-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(names: list[str]) -> None:
    """Print a line a comparison and keep them all in bench/results/."""
    quick = os.environ.get("QUICK", "") not in ("", "0")
    ratios: list[Ratio] = []
    print(f"{'':<54} {'ours':>9} {'theirs':>9}   ratio {'':<14} {'ours':>8} {'theirs':>8}", flush=True)
    with scratch() as folder:
        for name in names or list(SUITES):
            ratios += SUITES[name](folder, quick)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = Path(__file__).parent / "results" / f"{stamp}.json"
    save(ratios, {"quick": quick, "cores": os.cpu_count(), "suites": names or list(SUITES)}, path)
    print(f"kept in {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
