"""What has had its time is deleted: expired files and snapshots, files that nobody knows, rows nobody will ask for."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from offtake.appdb import jobs as table
from offtake.appdb import snapshots
from offtake.appdb.idempotency import forget_old_keys
from offtake.model.job import ExportJob, JobState
from offtake.model.ports import StoredFile
from offtake.model.snapshot import Snapshot
from offtake.service.audit import prune_audit
from offtake.service.pages import FOLDER
from offtake.service.runtime import Runtime

ROWS_KEPT = timedelta(days=90)  # of ended jobs whose file is gone
SPOOLS_KEPT = timedelta(minutes=5)  # after their snapshot's end, for whoever still reads a page that was asked for
BATCH = 200

# JOB/ATTEMPT-RANDOM and its manifest, as `service.runs` names them; snapshots/ID/ATTEMPT-RANDOM, as `service.pages`.
_NAME = re.compile(r"(?P<job>[0-9a-f-]{36})/(?P<attempt>[0-9]+)-[0-9a-f]+(\.manifest\.json)?")
_SPOOL = re.compile(rf"{FOLDER}/(?P<snapshot>[0-9a-f-]{{36}})/[0-9]+-[0-9a-f]+")


@dataclass(frozen=True)
class Swept:
    """What went: artifacts and snapshots past their time, files nobody names or half-written, rows of old jobs.

    `audit` counts the lines of the audit that had their time.
    """

    expired: int = 0
    snapshots: int = 0
    orphans: int = 0
    unfinished: int = 0
    rows: int = 0
    audit: int = 0

    def __bool__(self) -> bool:
        return any((self.expired, self.snapshots, self.orphans, self.unfinished, self.rows, self.audit))


def sweep(runtime: Runtime, *, grace: timedelta) -> Swept:
    """Delete all that has had its time; files younger than `grace`, finished or not, are no orphans yet.

    A grace shorter than an attempt may take cuts writers that only wait for their database. Any number of processes
    may sweep at once. Raises StoreFailed, Unavailable; what was done by then stays done.
    """
    expired, ended, rows = sweep_expired(runtime), sweep_snapshots(runtime), sweep_rows(runtime)
    before, audit = runtime.now() - grace, prune_audit(runtime)
    orphans, unfinished = _sweep_orphans(runtime, before), runtime.store.sweep_unfinished(before)
    return Swept(expired, ended, orphans, unfinished, rows, audit)


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


def sweep_snapshots(runtime: Runtime) -> int:
    """Delete the snapshots that had their time, and what dead processes left of theirs.

    Raises StoreFailed, Unavailable.
    """
    deleted, before = 0, runtime.now() - SPOOLS_KEPT
    while ended := snapshots.expired_snapshots(runtime.appdb, before, BATCH):
        for snapshot in ended:
            # The row goes first: a writer that was only slow may have come back and committed meanwhile.
            if snapshots.delete_expired(runtime.appdb, snapshot.id, before):
                runtime.store.delete(_spools(runtime, snapshot))
                deleted += 1
    return deleted


def _spools(runtime: Runtime, snapshot: Snapshot) -> list[str]:
    if snapshot.spool is not None:
        return [snapshot.spool.name]
    return [file.name for file in runtime.store.list(f"{FOLDER}/{snapshot.id}/")]


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
        orphans += _orphan_spools(runtime, files)
        runtime.store.delete(orphans)
        deleted += len(orphans)
    return deleted


def _is_kept(name: str, attempt: int, job: ExportJob | None) -> bool:
    if job is None:
        return False
    if job.state is JobState.RUNNING:
        return attempt == job.attempt
    return job.artifact is not None and name in (job.artifact.name, job.artifact.manifest_name)


def _orphan_spools(runtime: Runtime, files: Iterable[StoredFile]) -> list[str]:
    """Spools that no snapshot names or still waits for. Its row is there before a spool, and names it once for all."""
    named = {file.name: match["snapshot"] for file in files if (match := _SPOOL.fullmatch(file.name))}
    found = snapshots.find_snapshots(runtime.appdb, set(named.values()))
    return [name for name, id_ in named.items() if not _is_spool_of(name, found.get(id_))]


def _is_spool_of(name: str, snapshot: Snapshot | None) -> bool:
    return snapshot is not None and (snapshot.spool is None or snapshot.spool.name == name)


def _batches(files: Iterable[StoredFile]) -> Iterator[tuple[StoredFile, ...]]:
    rest = iter(files)
    while batch := tuple(islice(rest, BATCH)):
        yield batch
