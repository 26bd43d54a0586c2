"""What happened to the jobs, seen from beside: every attempt, and how long after a kill the next one began."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from offtake.appdb.database import AppDb
from offtake.appdb.tables import JOBS
from offtake.errors import Unavailable
from offtake.model.job import JobState

LOOK_S = 0.05


@dataclass(frozen=True)
class Attempt:
    """One attempt of a job, and in which turn."""

    job: str
    number: int
    turn: int
    started_at: datetime


@dataclass
class History:
    """What was seen so far."""

    attempts: dict[tuple[str, int], Attempt] = field(default_factory=dict)
    states: dict[str, JobState] = field(default_factory=dict)
    kills: list[datetime] = field(default_factory=list)
    troubles: list[datetime] = field(default_factory=list)  # whatever was done, kills included

    def note_kill(self) -> None:
        """The last trouble is the kill of a worker."""
        self.kills.append(self.troubles[-1])

    def note_trouble(self) -> None:
        """Something is done at this moment."""
        self.troubles.append(datetime.now(UTC))

    def count(self, *states: JobState) -> int:
        """How many jobs are in one of the states."""
        return sum(state in states for state in self.states.copy().values())

    def begun_since_trouble(self) -> int:
        """How many attempts have begun since the last trouble."""
        last = self.troubles[-1:]
        return sum(last <= [attempt.started_at] for attempt in self.attempts.copy().values())

    def pickups_s(self) -> list[float]:
        """Seconds from the kill of a worker to the start of the next attempt of each job that it had."""
        found = []
        for attempt in self.attempts.values():
            before = self.attempts.get((attempt.job, attempt.number - 1))
            if before is None or before.turn != attempt.turn:
                continue  # it failed by itself, and waited
            between = [trouble for trouble in self.troubles if before.started_at <= trouble <= attempt.started_at]
            found += [(attempt.started_at - kill).total_seconds() for kill in self.kills if between[-1:] == [kill]]
        return found


@contextmanager
def watching(db: AppDb) -> Iterator[History]:
    """Look at the jobs twenty times a second for as long as the block runs."""
    history, over = History(), threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_S):
            try:
                _look(db, history)
            except Unavailable:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield history
    finally:
        over.set()
        watcher.join()


def _look(db: AppDb, history: History) -> None:
    columns = (JOBS.c.id, JOBS.c.state, JOBS.c.attempt, JOBS.c.turn, JOBS.c.started_at)
    with db.read() as connection:
        rows = connection.execute(sa.select(*columns)).all()
    for row in rows:
        history.states[row.id] = JobState(row.state)
        if row.started_at is not None:
            history.attempts.setdefault((row.id, row.attempt), Attempt(row.id, row.attempt, row.turn, row.started_at))


def states(history: History) -> Mapping[str, int]:
    """How many jobs are in each state."""
    return {state: count for state in JobState if (count := history.count(state))}
