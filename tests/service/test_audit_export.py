"""The audit as a dataset like any other; by it, what relative dates meant in downloads, jobs and scheduled runs."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uuid_utils

from offtake.app import build_runtime, close_runtime
from offtake.appdb.audit import insert_entry
from offtake.model.audit import AuditEntry, Outcome
from offtake.model.export import DateRange, ExportRequest, FieldChoice
from offtake.model.job import ExportJob
from offtake.model.ports import Stop, StoreSpec
from offtake.service.access import local_principal
from offtake.service.audit import list_audit
from offtake.service.downloads import open_file
from offtake.service.exports import Submission, read_manifest, submit_export
from offtake.service.health import HealthWatch
from offtake.service.runs import claim_run, run_attempt
from offtake.service.runtime import Runtime
from offtake.settings import load_settings
from offtake.store import open_store
from servers import Postgres
from sites import ListedQueue, new_appdb

NOW = datetime(2026, 5, 17, 12, 30, tzinfo=UTC)
LAST_MONTH = ExportRequest(
    "audit",
    fields=(FieldChoice("at"), FieldChoice("action"), FieldChoice("rows")),
    date_range=DateRange("first day of last month midnight", "first day of this month midnight"),
    timezone="America/Santiago",
)
APRIL = [
    {"field": "at", "op": "gte", "values": ["2026-04-01T03:00:00Z"]},
    {"field": "at", "op": "lt", "values": ["2026-05-01T04:00:00Z"]},
]
MAY = [
    {"field": "at", "op": "gte", "values": ["2026-05-01T04:00:00Z"]},
    {"field": "at", "op": "lt", "values": ["2026-06-01T04:00:00Z"]},
]
FILE = "at,action,rows\n2026-04-17T08:30:00-04:00,dataset.download,3\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    """As settings without any dataset make it, with one line of the audit in April for each of two tenants."""
    if request.param == "sqlite":
        yield from _opened(tmp_path, new_appdb(tmp_path))
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        with postgres.app_database() as url:
            yield from _opened(tmp_path, url)


def _opened(home: Path, url: str) -> Iterator[Runtime]:
    (home / "offtake.yaml").write_text(f"database: {url}\ntenants: {{acme: {{}}, globex: {{}}}}\n", "utf-8")
    built = build_runtime(load_settings(home / "offtake.yaml", {}))
    runtime = replace(built, now=lambda: NOW, store=open_store(StoreSpec(str(home / "store"))), queue=ListedQueue())
    for days in (0, 30):
        for tenant in ("acme", "globex"):
            insert_entry(runtime.appdb, entry(tenant, NOW - timedelta(days=days)))
    yield runtime
    close_runtime(runtime)


def entry(tenant: str, at: datetime) -> AuditEntry:
    id_ = str(uuid_utils.uuid7())
    return AuditEntry(id_, at, tenant, "key", "dataset.download", Outcome.OK, "people", rows=3, bytes=10)


def run(runtime: Runtime, how: Submission | None = None) -> ExportJob:
    """A job for last month's lines, run."""
    job = submit_export(runtime, local_principal(runtime, "acme"), LAST_MONTH, how).job
    claimed = claim_run(runtime, job.id, 0)
    assert claimed is not None
    assert run_attempt(runtime, claimed, Stop())
    return job


def evaluated(runtime: Runtime, job: ExportJob) -> object:
    """The filter in the job's manifest."""
    return read_manifest(runtime, local_principal(runtime, "acme"), job.id)["filter"]["and"]


def test_a_download_of_it_shows_the_lines_of_one_tenant_and_what_the_dates_meant(runtime: Runtime) -> None:
    file = open_file(runtime, local_principal(runtime, "acme"), LAST_MONTH, stop=Stop(), with_manifest=True)
    with closing(file.chunks) as chunks:
        assert b"".join(chunks).decode("utf-8-sig").replace("\r\n", "\n") == FILE
    assert file.manifest is not None
    assert json.loads(json.dumps(file.manifest("x.csv").filter))["and"] == APRIL


def test_a_job_and_one_that_starts_later_say_what_the_dates_meant_then(runtime: Runtime) -> None:
    assert evaluated(runtime, run(runtime)) == APRIL
    then = NOW + timedelta(days=30)
    later = submit_export(runtime, local_principal(runtime, "acme"), LAST_MONTH, Submission(start_at=then)).job
    due = replace(runtime, now=lambda: then + timedelta(days=40))  # and its worker came late
    claimed = claim_run(due, later.id, 0)
    assert claimed is not None
    assert run_attempt(due, claimed, Stop())
    assert evaluated(due, later) == MAY


def test_a_scheduled_run_means_its_own_instant_however_late_it_is_made_up_for(runtime: Runtime) -> None:
    late = replace(runtime, now=lambda: NOW + timedelta(days=70))
    assert evaluated(late, run(late, Submission(instant=NOW))) == APRIL


def test_the_line_of_a_job_has_the_same_filter_on_one_line(runtime: Runtime) -> None:
    job = run(runtime)
    ended = list_audit(runtime, local_principal(runtime, "acme"), action="export.succeeded")
    said = "at ≥ 2026-04-01T03:00:00Z and at < 2026-05-01T04:00:00Z"
    assert [(line.thing, line.filter, line.rows, line.dataset) for line in ended] == [(job.id, said, 1, "audit")]


def test_whether_it_answers_says_nothing_of_the_sources(runtime: Runtime) -> None:
    assert HealthWatch(runtime).look().sources == {}


def test_names_that_the_settings_use_stay_theirs(tmp_path: Path) -> None:
    text = f"""
database: sqlite:///{tmp_path}/offtake.db
sources: {{offtake: {{url: "sqlite:///{tmp_path}/theirs.db"}}}}
datasets: {{audit: {{source: offtake, table: audit, label: Theirs}}}}
"""
    (tmp_path / "offtake.yaml").write_text(text, "utf-8")
    runtime = build_runtime(load_settings(tmp_path / "offtake.yaml", {}))
    assert runtime.datasets["audit"].label == "Theirs"
    assert not runtime.own_sources
    close_runtime(runtime)
