"""What one export has come to: rows, bytes, seconds in each stage."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from offtake.model.ports import Chunks


@dataclass
class Meter:
    """Written by the thread that works, read by whoever tells. `stages` are plan, read, encode and deliver."""

    rows: int = 0
    size: int = 0
    total: int | None = None
    stages: dict[str, float] = field(default_factory=dict)

    def count_rows(self, rows: int) -> None:
        """A batch of so many rows passed."""
        self.rows += rows

    def watch(self, chunks: Chunks) -> Chunks:
        """The same chunks, counted; the time they take is `read` up to the first and `encode` from then on."""
        stage = "read"
        with closing(chunks):
            while True:
                began = time.perf_counter()
                chunk = next(chunks, None)
                self.add(stage, time.perf_counter() - began)
                if chunk is None:
                    return
                stage = "encode"
                self.size += len(chunk)
                yield chunk

    @contextmanager
    def delivering(self) -> Iterator[None]:
        """What the block takes besides reading and encoding is `deliver`."""
        began, before = time.perf_counter(), self._watched
        try:
            yield
        finally:
            self.add("deliver", time.perf_counter() - began - (self._watched - before))

    @property
    def _watched(self) -> float:
        return sum(self.stages.get(stage, 0.0) for stage in ("read", "encode"))

    def add(self, stage: str, seconds: float) -> None:
        """So many seconds more in that stage."""
        self.stages[stage] = self.stages.get(stage, 0.0) + seconds
