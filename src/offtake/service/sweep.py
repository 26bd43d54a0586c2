"""What has had its time is deleted: expired files, files that no job knows, rows that nobody will ask for."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from offtake.appdb import jobs as table
from offtake.appdb.idempotency import forget_old_keys
from offtake.model.job import ExportJob, JobState
from offtake.model.ports import StoredFile
from offtake.service.runtime import Runtime

ROWS_KEPT = timedelta(days=90)  # of ended jobs whose file is gone
BATCH = 200

# JOB/ATTEMPT-RANDOM and its manifest, as `service.runs` names them.
_NAME = re.compile(r"(?P<job>[0-9a-f-]{36})/(?P<attempt>[0-9]+)-[0-9a-f]+(\.manifest\.json)?")


@dataclass(frozen=True)
class Swept:
    """What went: artifacts past their time, files nobody names, files half-written, rows of jobs long over."""

    expired: int = 0
    orphans: int = 0
    unfinished: int = 0
    rows: int = 0

    def __bool__(self) -> bool:
        return any((self.expired, self.orphans, self.unfinished, self.rows))


def sweep(runtime: Runtime, *, grace: timedelta) -> Swept:
    """Delete all that has had its time; files younger than `grace`, finished or not, are no orphans yet.

    A grace shorter than an attempt may take cuts writers that only wait for their database. Any number of processes
    may sweep at once. Raises StoreFailed, Unavailable; what was done by then stays done.
    """
    expired, rows = sweep_expired(runtime), sweep_rows(runtime)
    before = runtime.now() - grace
    return Swept(expired, _sweep_orphans(runtime, before), runtime.store.sweep_unfinished(before), rows)


def sweep_expired(runtime: Runtime) -> int:
    """Delete the artifacts that had their time; their jobs stay in the list. Raises StoreFailed, Unavailable."""
    deleted = 0
    while jobs := table.expired_jobs(runtime.appdb, runtime.now(), BATCH):
        artifacts = [job.artifact for job in jobs if job.artifact is not None]
        # The bytes go first: a file whose row has forgotten it would be an orphan.
        runtime.store.delete([name for artifact in artifacts for name in (artifact.name, artifact.manifest_name)])
        for job in jobs:
            table.forget_artifact(runtime.appdb, job.id)
        deleted += len(jobs)
    return deleted


def sweep_rows(runtime: Runtime) -> int:
    """Forget jobs that ended long ago and left no file, and Idempotency-Keys of yesterday. Raises Unavailable."""
    forget_old_keys(runtime.appdb, runtime.now())
    forgotten = 0
    while pruned := table.prune_jobs(runtime.appdb, runtime.now() - ROWS_KEPT, BATCH):
        forgotten += pruned
    return forgotten


def _sweep_orphans(runtime: Runtime, before: datetime) -> int:
    """Delete files of ours that no job names or still writes. What is not named like ours is somebody else's."""
    deleted = 0
    for files in _batches(file for file in runtime.store.list() if file.modified_at < before):
        named = {file.name: match for file in files if (match := _NAME.fullmatch(file.name))}
        # Listed first, asked then: a file is there before its row can name it. So one that is neither named nor of the
        # attempt that runs now never will be: a commit wants the running attempt, and the next one has a new number.
        jobs = table.find_jobs(runtime.appdb, {match["job"] for match in named.values()})
        orphans = [
            name for name, match in named.items() if not _is_kept(name, int(match["attempt"]), jobs.get(match["job"]))
        ]
        runtime.store.delete(orphans)
        deleted += len(orphans)
    return deleted


def _is_kept(name: str, attempt: int, job: ExportJob | None) -> bool:
    if job is None:
        return False
    if job.state is JobState.RUNNING:
        return attempt == job.attempt
    return job.artifact is not None and name in (job.artifact.name, job.artifact.manifest_name)


def _batches(files: Iterable[StoredFile]) -> Iterator[tuple[StoredFile, ...]]:
    rest = iter(files)
    while batch := tuple(islice(rest, BATCH)):
        yield batch
