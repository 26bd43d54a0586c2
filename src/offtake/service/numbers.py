"""What the whole installation has done and has to do, from the app database: for /metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

from offtake.appdb.jobs import count_jobs, oldest_waiting
from offtake.appdb.totals import read_totals
from offtake.model.job import JobState
from offtake.service.asked import PATIENCE_S, Asked
from offtake.service.runtime import Runtime


@dataclass(frozen=True)
class Numbers:
    """Jobs by state now, seconds the job that waits longest has been due, and sums since the installation began.

    `finished` are jobs by how they ended; `stages` seconds spent by those that succeeded.
    """

    jobs: Mapping[JobState, int]
    queue_age_s: float
    finished: Mapping[JobState, int]
    rows: int
    bytes: int
    stages: Mapping[str, float]


class NumbersWatch:
    """The numbers of one runtime, read at most once a second."""

    def __init__(self, runtime: Runtime, *, patience_s: float = PATIENCE_S) -> None:
        self._asked = Asked(lambda: read_numbers(runtime), patience_s=patience_s)

    def look(self) -> Numbers | None:
        """The numbers; None while the app database does not answer."""
        return self._asked.answer()


def read_numbers(runtime: Runtime) -> Numbers:
    """The numbers now. Raises Unavailable."""
    now = runtime.now()
    jobs, since = count_jobs(runtime.appdb, now), oldest_waiting(runtime.appdb, now)
    totals = read_totals(runtime.appdb)
    stages = {name.removeprefix("seconds."): value for name, value in totals.items() if name.startswith("seconds.")}
    return Numbers(
        jobs={state: jobs.get(state, 0) for state in JobState},
        queue_age_s=0.0 if since is None else max(0.0, (now - since).total_seconds()),
        finished={state: int(totals.get(state, 0)) for state in JobState if state.is_final},
        rows=int(totals.get("rows", 0)),
        bytes=int(totals.get("bytes", 0)),
        stages=stages,
    )
