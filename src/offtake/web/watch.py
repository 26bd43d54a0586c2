"""News of jobs: one read a second for all that are watched, however many watch them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from anyio.to_thread import run_sync

from offtake.errors import Unavailable
from offtake.model.job import ExportJob
from offtake.service.exports import look_at_exports
from offtake.service.runtime import Runtime

EVERY_S = 1.0


class Watch:
    """One job as it was last seen, for everybody who watches it; None once it was deleted."""

    def __init__(self, job: ExportJob) -> None:
        self.watchers = 0
        self._job: ExportJob | None = job
        self._failure: Exception | None = None
        self._next_look = anyio.Event()

    def see(self) -> tuple[ExportJob | None, anyio.Event]:
        """The job, and what is set when it is looked at again. Raises what made looking impossible."""
        if self._failure is not None:
            raise self._failure
        return self._job, self._next_look

    def learn(self, job: ExportJob | None) -> None:
        """Take over what somebody has read, unless it is older than what is known."""
        if job is None or (self._job is not None and job.revision >= self._job.revision):
            self._job = job
        self._wake()

    def give_up(self, failure: Exception) -> None:
        """Let everybody who watches fail."""
        self._failure = failure
        self._wake()

    def _wake(self) -> None:
        looked, self._next_look = self._next_look, anyio.Event()
        looked.set()


class Watches:
    """Every job that somebody watches. The task that looks at them lives as long as there are any."""

    def __init__(self) -> None:
        self._watches: dict[str, Watch] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def follow(self, runtime: Runtime, job: ExportJob) -> Iterator[Watch]:
        """The job's watch, from what was just read on."""
        watch = self._watches.setdefault(job.id, Watch(job))
        watch.watchers += 1
        watch.learn(job)
        if self._task is None:
            self._task = asyncio.create_task(self._look(runtime))
        try:
            yield watch
        finally:
            watch.watchers -= 1
            if not watch.watchers and self._watches.get(job.id) is watch:
                del self._watches[job.id]
            if not self._watches and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _look(self, runtime: Runtime) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            ids = tuple(self._watches)
            try:
                found = await run_sync(look_at_exports, runtime, ids)
            except Unavailable:
                continue  # the next look may find the database up again
            except Exception as error:
                failed, self._watches, self._task = self._watches, {}, None
                for watch in failed.values():
                    watch.give_up(error)
                return
            for id_ in ids:
                if id_ in self._watches:
                    self._watches[id_].learn(found.get(id_))
