"""Whether this service can do its work now."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from offtake.errors import OfftakeError
from offtake.model.ports import Source
from offtake.service.runtime import Runtime


@dataclass(frozen=True)
class Health:
    """Which parts answered."""

    appdb: bool
    sources: Mapping[str, bool]

    @property
    def is_ready(self) -> bool:
        """The app database answers, and so does a source: one broken source must not take the others out of service."""
        return self.appdb and (not self.sources or any(self.sources.values()))

    @property
    def is_whole(self) -> bool:
        """Everything answers."""
        return self.appdb and all(self.sources.values())


def check_health(runtime: Runtime) -> Health:
    """Ask every part at the same time; takes as long as the slowest of them, at most its connect timeout."""
    with ThreadPoolExecutor(max_workers=len(runtime.sources) + 1) as pool:
        appdb = pool.submit(runtime.appdb.answers)
        sources = {name: pool.submit(_source_answers, source) for name, source in runtime.sources.items()}
        return Health(appdb.result(), {name: answer.result() for name, answer in sources.items()})


def _source_answers(source: Source) -> bool:
    try:
        source.ping()
    except OfftakeError:
        return False
    return True
