"""Export jobs as people use them: asked for, looked at, cancelled, retried, fetched, deleted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from offtake.errors import (
    Conflict,
    Expired,
    InsufficientScope,
    InvalidFilter,
    InvalidFormat,
    InvalidRequest,
    NotFound,
    NotReady,
    OfftakeError,
)
from offtake.model.dataset import Mask
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.filter import Condition, Operator
from offtake.model.job import ExportJob, JobState, Retention
from offtake.model.ports import Stop, Turn
from offtake.service.access import local_principal
from offtake.service.exports import (
    cancel_export,
    delete_export,
    find_artifact,
    find_export,
    list_exports,
    read_manifest,
    retry_export,
)
from offtake.service.runs import claim_run, run_attempt
from offtake.service.runtime import Runtime
from service.at_work import CLERK, FOREIGN, OTHER, READER, WISH, at, claim, find, left, run, submit, turns
from sites import NOW, NUMBERS, FakeSource, few, make_runtime

MASKED = replace(
    NUMBERS,
    name="masked",
    scopes=frozenset({"reports:read"}),
    fields=(NUMBERS.fields[0], replace(NUMBERS.fields[1], mask=Mask.LAST4, unless_scope="pii:read")),
)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A service over three rows; turns are only listed."""
    return make_runtime(tmp_path, {"fake": FakeSource(few)}, NUMBERS, MASKED)


def test_a_new_job_waits_in_the_queue_of_its_tenant(runtime: Runtime) -> None:
    job = submit(runtime, priority=2)
    assert (job.state, job.due_at, job.attempt) == (JobState.QUEUED, NOW, 0)
    assert find_export(runtime, OTHER, job.id) == job
    assert turns(runtime, job) == [Turn(job.id, 0, "acme", priority=2)]


def test_a_job_for_later_is_held_back_until_then(runtime: Runtime) -> None:
    job = submit(runtime, start_at=NOW + timedelta(hours=2))
    assert (job.state, job.state_at(job.due_at)) == (JobState.SCHEDULED, JobState.QUEUED)
    assert turns(runtime, job) == [Turn(job.id, 0, "acme", priority=5, delay_s=7200)]


def test_a_job_for_a_time_that_has_passed_is_due_now(runtime: Runtime) -> None:
    assert submit(runtime, start_at=NOW - timedelta(days=1)).due_at == NOW


@pytest.mark.parametrize(
    ("request_", "how", "error"),
    [
        (replace(WISH, dataset="letters"), {}, NotFound),
        (replace(WISH, format="cvs"), {}, InvalidFormat),
        (replace(WISH, compression="rar"), {}, InvalidFormat),
        (replace(WISH, options={"color": "red"}), {}, InvalidFormat),
        (replace(WISH, filter=Condition("n", Operator.CONTAINS, ("x",))), {}, InvalidFilter),
        (replace(WISH, limit=0), {}, InvalidRequest),
        (replace(WISH, filename="{who}"), {}, InvalidRequest),
        (WISH, {"priority": 0}, InvalidRequest),
        (WISH, {"priority": 10}, InvalidRequest),
        (WISH, {"start_at": NOW + timedelta(days=367)}, InvalidRequest),
        (WISH, {"idempotency_key": ""}, InvalidRequest),
        (WISH, {"idempotency_key": "k" * 256}, InvalidRequest),
        (WISH, {"idempotency_key": "a\nb"}, InvalidRequest),
    ],
)
def test_what_is_wrong_is_said_before_there_is_a_job(
    runtime: Runtime, request_: ExportRequest, how: dict[str, Any], error: type[OfftakeError]
) -> None:
    with pytest.raises(error):
        submit(runtime, request=request_, **how)
    assert list_exports(runtime, READER) == ()
    queue: Any = runtime.queue
    assert queue.turns == []


def test_a_job_belongs_to_one_tenant(runtime: Runtime) -> None:
    with pytest.raises(InvalidRequest):
        submit(runtime, local_principal(runtime, None))
    assert submit(runtime, local_principal(runtime, "acme")).tenant == "acme"


def test_another_tenant_finds_no_job(runtime: Runtime) -> None:
    job = submit(runtime)
    for use in (find_export, cancel_export, retry_export, delete_export, find_artifact, read_manifest):
        with pytest.raises(NotFound):
            use(runtime, FOREIGN, job.id)
    assert list_exports(runtime, FOREIGN) == ()
    assert find(runtime, job) == job


@pytest.mark.parametrize("id_", ["", "x" * 36, "\0" * 36, "é" * 36, "../" * 12, "x" * 40])
def test_what_is_no_id_finds_no_job(runtime: Runtime, id_: str) -> None:
    with pytest.raises(NotFound):
        find_export(runtime, READER, id_)
    assert list_exports(runtime, READER, before=id_) == ()


def test_the_list_is_the_tenants_with_the_newest_first(runtime: Runtime) -> None:
    first, second, third = submit(runtime), submit(runtime, CLERK), submit(runtime)
    submit(runtime, FOREIGN)
    cancel_export(runtime, READER, first.id)
    assert [job.id for job in list_exports(runtime, READER)] == [third.id, second.id, first.id]
    assert [job.id for job in list_exports(runtime, READER, state=JobState.CANCELLED)] == [first.id]
    assert [job.id for job in list_exports(runtime, READER, before=second.id)] == [first.id]
    assert list_exports(runtime, READER, dataset="masked") == ()
    assert len(list_exports(runtime, READER, limit=1)) == 1


@pytest.mark.parametrize("use", [cancel_export, retry_export, delete_export])
def test_somebody_elses_job_is_changed_only_by_who_may_write(runtime: Runtime, use: Callable[..., Any]) -> None:
    job = submit(runtime)
    if use is retry_export:
        cancel_export(runtime, READER, job.id)
    with pytest.raises(InsufficientScope):
        use(runtime, OTHER, job.id)
    use(runtime, CLERK, job.id)


def test_a_cancelled_job_never_runs(runtime: Runtime) -> None:
    job = submit(runtime)
    done = cancel_export(runtime, READER, job.id)
    assert (done.state, done.finished_at) == (JobState.CANCELLED, NOW)
    assert claim_run(runtime, job.id, 0) is None
    assert cancel_export(runtime, READER, job.id) == done


def test_what_has_ended_cannot_be_cancelled(runtime: Runtime) -> None:
    job = run(runtime, submit(runtime))
    with pytest.raises(Conflict, match="succeeded"):
        cancel_export(runtime, READER, job.id)
    assert find(runtime, job) == job


def test_only_what_failed_or_was_cancelled_is_retried(runtime: Runtime) -> None:
    job = submit(runtime)
    for state in (lambda: None, lambda: claim(runtime, job)):
        state()
        with pytest.raises(Conflict):
            retry_export(runtime, READER, job.id)
    cancel_export(runtime, READER, job.id)
    retried = retry_export(at(runtime, NOW + timedelta(hours=1)), READER, job.id)
    assert (retried.state, retried.due_at) == (JobState.QUEUED, NOW + timedelta(hours=1))
    assert [turn.number for turn in turns(runtime, job)] == [0, 1]
    done = run(runtime, job)
    assert (done.state, done.attempt) == (JobState.SUCCEEDED, 2)
    with pytest.raises(Conflict):
        retry_export(runtime, READER, job.id)


def test_a_turn_of_before_a_retry_runs_nothing(runtime: Runtime) -> None:
    job = submit(runtime)
    cancel_export(runtime, READER, job.id)
    retry_export(runtime, READER, job.id)
    assert claim_run(runtime, job.id, 0) is None
    assert claim_run(runtime, job.id, 1) is not None


def test_a_deleted_job_leaves_nothing(runtime: Runtime) -> None:
    job = run(runtime, submit(runtime))
    assert len(left(runtime, job)) == 2
    delete_export(runtime, READER, job.id)
    assert left(runtime, job) == []
    with pytest.raises(NotFound):
        find_export(runtime, READER, job.id)


def test_a_running_job_that_is_deleted_leaves_nothing_either(runtime: Runtime) -> None:
    job = submit(runtime)
    attempt = claim(runtime, job)
    delete_export(runtime, READER, job.id)
    assert not run_attempt(runtime, attempt, Stop())
    assert left(runtime, job) == []


def test_the_file_is_there_only_when_the_job_has_succeeded(runtime: Runtime) -> None:
    job, other = submit(runtime), submit(runtime)
    for _ in range(2):
        with pytest.raises(NotReady):
            find_artifact(runtime, READER, job.id)
        attempt = claim(runtime, job)
    assert run_attempt(runtime, attempt, Stop())
    assert find_artifact(runtime, READER, job.id) == (find(runtime, job), find(runtime, job).artifact)
    cancel_export(runtime, READER, other.id)
    with pytest.raises(Conflict, match="cancelled"):
        find_artifact(runtime, READER, other.id)


def test_a_file_that_had_its_time_is_gone(runtime: Runtime) -> None:
    runtime = replace(runtime, retention=Retention(days=9, tenants={"acme": 3}, datasets={"masked": 0}))
    job, kept = run(runtime, submit(runtime)), run(runtime, submit(runtime, request=ExportRequest("masked")))
    for moment in (NOW, NOW + timedelta(days=3, seconds=-1)):
        assert find_artifact(at(runtime, moment), READER, job.id)
    late = at(runtime, NOW + timedelta(days=3))
    with pytest.raises(Expired):
        find_artifact(late, READER, job.id)
    assert find_artifact(at(runtime, NOW + timedelta(days=3650)), READER, kept.id)[0].expires_at is None


def test_the_manifest_is_the_files(runtime: Runtime) -> None:
    job = run(runtime, submit(runtime))
    manifest = read_manifest(runtime, READER, job.id)
    assert job.artifact is not None
    told = (manifest["file"], manifest["bytes"], manifest["sha256"], manifest["rows"])
    assert told == (job.artifact.filename, job.artifact.bytes, job.artifact.sha256, 3)


def test_a_file_shows_unmasked_values_only_to_who_may_see_them(runtime: Runtime) -> None:
    wish = ExportRequest("masked")
    clear, masked = run(runtime, submit(runtime, CLERK, wish)), run(runtime, submit(runtime, READER, wish))
    assert (clear.needs, masked.needs) == ({"reports:read", "pii:read"}, {"reports:read"})
    for use in (find_artifact, read_manifest):
        with pytest.raises(InsufficientScope, match="pii:read"):
            use(runtime, READER, clear.id)
        assert use(runtime, CLERK, clear.id)
        assert use(runtime, READER, masked.id)
    assert find_artifact(runtime, local_principal(runtime, "acme"), clear.id)


@pytest.mark.parametrize(
    ("wish", "lifted"),
    [
        (ExportRequest("masked", fields=(FieldChoice("n"),)), False),
        (ExportRequest("masked", fields=(FieldChoice("text"),)), True),
        (
            ExportRequest("masked", fields=(FieldChoice("n"),), filter=Condition("text", Operator.STARTS_WITH, ("r",))),
            True,
        ),
        (ExportRequest("masked", fields=(FieldChoice("n"),), q="row"), True),
    ],
)
def test_a_lifted_mask_counts_wherever_it_shows(runtime: Runtime, wish: ExportRequest, lifted: bool) -> None:
    assert ("pii:read" in submit(runtime, CLERK, wish).needs) is lifted


def test_percent_and_seconds_to_go_follow_from_rows_and_total() -> None:
    job = ExportJob("id", "acme", READER, WISH, JobState.RUNNING, NOW, NOW, started_at=NOW)
    later = NOW + timedelta(seconds=10)
    assert (job.percent, job.eta_s(later), job.rows_per_s) == (None, None, None)
    half = replace(job, rows=500, total=1000, beat_at=later)
    assert (half.percent, half.eta_s(later), half.rows_per_s) == (50.0, 10.0, 50.0)
    more = replace(half, rows=1200)
    assert (more.percent, more.eta_s(later)) == (99.9, 0.0)
    assert replace(half, state=JobState.QUEUED).eta_s(later) is None
    assert replace(half, state=JobState.SUCCEEDED, rows=0, total=0).percent == 100.0
