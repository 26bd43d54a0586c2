"""Several workers, some of them long dead, pulling at one job: what may happen to its row, whatever they do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import uuid_utils
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from offtake.appdb import jobs as table
from offtake.appdb.database import AppDb
from offtake.appdb.totals import read_totals
from offtake.model.access import Principal
from offtake.model.export import ExportRequest
from offtake.model.job import MOVES, Artifact, ExportJob, JobError, JobState, Progress

NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)
OWNER = Principal("reader", "acme", frozenset({"reports:read"}))
BROKE = JobError("SOURCE_FAILED", "The database broke off.", "Try again.", True)
ENDINGS = ("succeeded", "failed", "cancelled")
PICK = st.integers(0, 9)


def make_job(request: ExportRequest | None = None, state: JobState = JobState.QUEUED, **given: Any) -> ExportJob:
    """A new job of acme, due at noon."""
    request = request or ExportRequest("numbers")
    return ExportJob(str(uuid_utils.uuid7()), "acme", OWNER, request, state, NOON, NOON, **given)


def make_artifact(attempt: ExportJob) -> Artifact:
    """A file of ten bytes that this attempt wrote."""
    return Artifact(f"{attempt.id}/{attempt.attempt}", "numbers.csv", "text/csv", 10, "00" * 32)


def commit(db: AppDb, attempt: ExportJob) -> bool:
    """Commit that attempt's file of three rows."""
    stages = {"read": 0.5}
    return table.commit_job(
        db, attempt, make_artifact(attempt), rows=3, stages=stages, now=NOON, expires_at=NOON + timedelta(days=7)
    )


class JobMachine(RuleBasedStateMachine):
    """Every operation there is, in any order, by whoever holds the job as it was at any time."""

    def __init__(self, db: AppDb) -> None:
        super().__init__()
        self.db = db
        self.turns: list[int] = []  # what was put into the queue
        self.held: list[ExportJob] = []  # the attempts that workers believe to be theirs
        self.seen: list[ExportJob] = []  # the job as people saw it
        self.counted = read_totals(db)
        self.endings = dict.fromkeys(ENDINGS, 0)

    @initialize(state=st.sampled_from((JobState.QUEUED, JobState.SCHEDULED)))
    def submit(self, state: JobState) -> None:
        self.id = self.look_at(make_job(state=state)).id
        table.insert_job(self.db, self.seen[0], lambda _: self.turns.append(0))
        self.now = self.read()
        assert self.now == self.seen[0]

    def look_at(self, job: ExportJob) -> ExportJob:
        self.seen.append(job)
        return job

    def read(self) -> ExportJob:
        found = table.find_job(self.db, self.id)
        assert found is not None
        return found

    def changed(self, did: bool, *states: JobState) -> None:
        """Compare the row with what it was: unchanged, or moved legally into one of the states."""
        before, self.now = self.now, self.read()
        if not did:
            assert self.now == before
            return
        self.look_at(self.now)
        assert self.now.state in states
        assert self.now.revision == before.revision + 1
        assert self.now.state is before.state is JobState.RUNNING or self.now.state in MOVES[before.state]
        if self.now.state is not before.state and self.now.state in ENDINGS:
            self.endings[self.now.state] += 1
        assert self.now.turn == max(self.turns)

    def settle(self, attempt: ExportJob, did: bool, *states: JobState) -> None:
        counts = (self.now.attempt, self.now.state) == (attempt.attempt, JobState.RUNNING)
        assert did is counts
        self.changed(did, *states)

    @rule(which=PICK)
    def claim(self, which: int) -> None:
        turn = self.turns[-1 - which % len(self.turns)]
        attempt = table.claim_job(self.db, self.id, turn, NOON)
        waits = not self.now.state.is_final
        assert (attempt is not None) is (waits and turn == self.now.turn)
        if attempt is not None:
            assert attempt.attempt == self.now.attempt + 1
            self.held.append(attempt)
        self.changed(attempt is not None, JobState.RUNNING)
        assert attempt in (None, self.now)

    @precondition(lambda self: self.held)
    @rule(which=PICK, rows=st.integers(0, 10**12), total=st.none() | st.integers(0, 10**12))
    def beat(self, which: int, rows: int, total: int | None) -> None:
        attempt = self.held[-1 - which % len(self.held)]
        did = table.beat_job(self.db, attempt, Progress(rows, rows, total), NOON + timedelta(seconds=rows % 60))
        self.settle(attempt, did, JobState.RUNNING)
        assert not did or (self.now.rows, self.now.bytes) == (rows, rows)

    @precondition(lambda self: self.held)
    @rule(which=PICK)
    def commit(self, which: int) -> None:
        attempt = self.held[-1 - which % len(self.held)]
        did = commit(self.db, attempt)
        self.settle(attempt, did, JobState.SUCCEEDED)
        assert not did or self.now.artifact == make_artifact(attempt)

    @precondition(lambda self: self.held)
    @rule(which=PICK)
    def repeat(self, which: int) -> None:
        attempt = self.held[-1 - which % len(self.held)]
        did = table.repeat_job(self.db, attempt, BROKE, lambda _: self.turns.append(attempt.turn + 1))
        self.settle(attempt, did, JobState.QUEUED)
        assert not did or self.now.error == BROKE

    @precondition(lambda self: self.held)
    @rule(which=PICK)
    def fail(self, which: int) -> None:
        attempt = self.held[-1 - which % len(self.held)]
        self.settle(attempt, table.fail_job(self.db, attempt, BROKE, NOON, None), JobState.FAILED)

    @rule()
    def cancel(self) -> None:
        ended = self.now.state.is_final
        did = table.cancel_job(self.db, self.id, NOON, None)
        assert (did is None) is ended
        self.changed(did is not None, JobState.CANCELLED)

    @rule(which=PICK)
    def retry(self, which: int) -> None:
        as_seen = self.seen[-1 - which % len(self.seen)]
        number = max(as_seen.turn + 1, as_seen.attempt)
        may = self.now.turn == as_seen.turn and self.now.state in (JobState.FAILED, JobState.CANCELLED)
        did = table.retry_job(self.db, as_seen, number, NOON, lambda _: self.turns.append(number))
        assert (did is not None) is may
        self.changed(did is not None, JobState.QUEUED)

    def teardown(self) -> None:
        assert len(self.turns) == len(set(self.turns)), "two turns of one job would be one workflow"
        assert self.endings["succeeded"] <= 1
        counted = read_totals(self.db)
        assert {name: counted.get(name, 0) - self.counted.get(name, 0) for name in ENDINGS} == self.endings
        if hasattr(self, "id"):
            table.delete_job(self.db, self.id)
