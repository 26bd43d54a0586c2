"""`offtake jobs`: every tenant's jobs, and those that nobody works on."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.conftest import Run
from offtake.appdb.jobs import find_job
from offtake.cli.jobs import MOST
from offtake.errors import SourceFailed
from offtake.model.export import ExportRequest
from offtake.model.job import ExportJob
from offtake.service.access import local_principal
from offtake.service.exports import Submission, submit_export
from offtake.service.runs import claim_run, settle_failure
from offtake.service.runtime import Runtime
from sites import FakeSource, few, make_runtime


@pytest.fixture
def runtime(home: Path) -> Iterator[Runtime]:
    """The service whose jobs `offtake jobs` in that folder lists."""
    database = f"sqlite:///{home}/.offtake/offtake.db"
    runtime = make_runtime(home, {"fake": FakeSource(few)}, database=database, now=lambda: datetime.now(UTC))
    yield runtime
    runtime.appdb.close()


def submitted(runtime: Runtime, tenant: str = "acme", how: Submission | None = None) -> ExportJob:
    return submit_export(runtime, local_principal(runtime, tenant), ExportRequest("numbers", format="csv"), how).job


def earlier(runtime: Runtime, **ago: float) -> Runtime:
    """The same service some time ago."""
    return replace(runtime, now=lambda: datetime.now(UTC) - timedelta(**ago))


def listed(run_here: Run, *options: str) -> list[list[str]]:
    """The cells of the rows it prints."""
    done = run_here("jobs", *options)
    assert done.returncode == 0, done.stderr
    return [line.split(maxsplit=7) for line in done.stdout.splitlines()[1:]]


def test_jobs_of_every_tenant_are_listed_the_newest_first(runtime: Runtime, run_here: Run) -> None:
    first = submitted(earlier(runtime, days=3, hours=4), "acme")
    second = submitted(runtime, "globex")
    claim = claim_run(runtime, first.id, 0)
    assert claim is not None
    settle_failure(runtime, claim, SourceFailed("The database is not there.", hint="Start it."), final=True)
    done = run_here("jobs")
    rows = done.stdout.splitlines()
    assert rows[1].split()[:4] == [second.id, "globex", "numbers", "queued"]
    assert rows[2].split(maxsplit=8) == [
        *(first.id, "acme", "numbers", "failed", "3d", "4h", "0", "1"),
        "SOURCE_FAILED: The database is not there.",
    ]
    assert [row[0] for row in listed(run_here, "--state", "failed")] == [first.id]
    assert listed(run_here, "--state", "running") == []


def test_stuck_are_the_silent_and_those_that_nobody_takes(runtime: Runtime, run_here: Run) -> None:
    silent, waiting, fresh = (submitted(earlier(runtime, minutes=m)) for m in (30, 11, 1))
    submitted(runtime, how=Submission(start_at=datetime.now(UTC) + timedelta(hours=1)))
    alive = submitted(earlier(runtime, minutes=30))
    assert claim_run(earlier(runtime, minutes=2), silent.id, 0)
    assert claim_run(runtime, alive.id, 0)
    assert [row[0] for row in listed(run_here, "--stuck")] == [silent.id, waiting.id]
    assert find_job(runtime.appdb, fresh.id) is not None


def test_a_long_list_is_cut_and_says_so(runtime: Runtime, run_here: Run) -> None:
    for _ in range(MOST + 1):
        submitted(runtime)
    done = run_here("jobs")
    assert (len(done.stdout.splitlines()), done.stderr) == (
        MOST + 1,
        f"these are the newest {MOST}; there are more\n",
    )


def test_what_is_typed_wrong_is_told(run_here: Run) -> None:
    wrong = run_here("jobs", "--state", "runing")
    both = run_here("jobs", "--stuck", "--state", "running")
    assert (wrong.returncode, both.returncode) == (2, 2)
    assert "Did you mean running?" in wrong.stderr
