"""Whether this service can do its work now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from offtake.errors import Unavailable
from offtake.service.asked import PATIENCE_S, Asked
from offtake.service.runtime import Runtime


@dataclass(frozen=True)
class Health:
    """Which parts answered. `store` and `queue` are None where the service runs without jobs."""

    appdb: bool
    sources: Mapping[str, bool]
    store: bool | None = None
    queue: bool | None = None

    @property
    def is_ready(self) -> bool:
        """Its own parts answer, and so does a source: one broken source must not take the others out of service."""
        return self._has_its_own and (not self.sources or any(self.sources.values()))

    @property
    def is_whole(self) -> bool:
        """Everything answers."""
        return self._has_its_own and all(self.sources.values())

    @property
    def _has_its_own(self) -> bool:
        return self.appdb and self.store is not False and self.queue is not False


class HealthWatch:
    """Asks the parts of one runtime, all at the same time, each at most once a second and never twice at once.

    A part that has not answered after `patience_s` has failed.
    """

    def __init__(self, runtime: Runtime, *, patience_s: float = PATIENCE_S) -> None:
        def asked(ping: Callable[[], object]) -> Asked[bool]:
            return Asked(lambda: ping() is None, patience_s=patience_s)

        self._appdb = asked(lambda: _ping_appdb(runtime))
        theirs = {name: source for name, source in runtime.sources.items() if name not in runtime.own_sources}
        self._sources = {name: asked(source.ping) for name, source in theirs.items()}
        self._store = asked(runtime.store.ping) if runtime.has_jobs else None
        self._queue = asked(runtime.queue.ping) if runtime.has_jobs else None

    def look(self) -> Health:
        """How they are; takes as long as the slowest of them."""
        for part in (self._appdb, self._store, self._queue, *self._sources.values()):
            if part is not None:
                part.ask()
        return Health(
            appdb=self._appdb.answer() is True,
            sources={name: source.answer() is True for name, source in self._sources.items()},
            store=None if self._store is None else self._store.answer() is True,
            queue=None if self._queue is None else self._queue.answer() is True,
        )


def _ping_appdb(runtime: Runtime) -> None:
    if not runtime.appdb.answers():
        raise Unavailable("The app database does not answer.")
