"""The one loop every export runs through, over a source that fails, dawdles and tells what was done to it."""

import os
import threading
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from offtake.engine.export import export_chunks, write_file
from offtake.errors import NoRows, SourceFailed
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, Plan
from offtake.model.ports import Chunks, Format, RowStream, Stop, Table

COLUMN = Column(Field("id", FieldType.INTEGER, "id", "Id"))
PLAN = Plan(Dataset("numbers", "fake", table="numbers"), (COLUMN,))
SCHEMA = pa.schema([("id", pa.int64())])


@dataclass
class FakeSource:
    """Gives the batches it was made with; an exception among them is raised in its place."""

    script: list[list[int] | Exception]
    closed: list[str] = field(default_factory=list)
    name: str = "fake"

    def read(self, plan: Plan, stop: Stop) -> RowStream:
        return RowStream(plan.columns, SCHEMA, self._batches(), datetime(2026, 5, 1, tzinfo=UTC))

    def _batches(self) -> Generator[pa.RecordBatch, None, None]:
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                yield pa.record_batch([pa.array(step, pa.int64())], schema=SCHEMA)
        finally:
            self.closed.append("read")

    def count(self, plan: Plan, stop: Stop) -> int:
        return sum(len(step) for step in self.script if isinstance(step, list))

    def describe(self, dataset: Dataset) -> tuple[Field, ...]:
        return (COLUMN.field,)

    def tables(self) -> tuple[Table, ...]:
        return ()

    def ping(self) -> None:
        """Always there."""

    def close(self) -> None:
        """Nothing to let go."""


@dataclass(frozen=True)
class LinesOptions:
    """None."""


def _encode_lines(stream: RowStream, options: LinesOptions) -> Chunks:
    yield b"id\n"
    for batch in stream:
        yield "".join(f"{value}\n" for value in batch.column(0).to_pylist()).encode()


LINES = Format("lines", "text/plain", "txt", LinesOptions, _encode_lines)


def test_every_batch_reaches_the_file_in_order(tmp_path: Path) -> None:
    source = FakeSource([[1, 2], [], [3]])
    size = write_file(export_chunks(source, PLAN, LINES), tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_bytes() == b"id\n1\n2\n3\n"
    assert size == 9
    assert source.closed == ["read"]


def test_nothing_runs_before_the_first_chunk_is_pulled() -> None:
    source = FakeSource([SourceFailed("down")])
    export_chunks(source, PLAN, LINES)
    assert source.closed == []


def test_a_source_that_fails_at_once_gives_no_byte_not_even_a_header() -> None:
    chunks = export_chunks(FakeSource([SourceFailed("down")]), PLAN, LINES)
    with pytest.raises(SourceFailed):
        next(chunks)


def test_zero_rows_still_make_a_file_with_its_header() -> None:
    assert b"".join(export_chunks(FakeSource([]), PLAN, LINES)) == b"id\n"


@pytest.mark.parametrize("script", [[], [[]], [[], []]])
def test_no_rows_are_refused_before_the_first_byte_where_they_make_no_file(script: list[list[int]]) -> None:
    source = FakeSource(list(script))
    with pytest.raises(NoRows):
        next(export_chunks(source, replace(PLAN, allow_empty=False), LINES))
    assert source.closed == ["read"]


def test_rows_that_come_late_are_rows() -> None:
    chunks = export_chunks(FakeSource([[], [], [7]]), replace(PLAN, allow_empty=False), LINES)
    assert b"".join(chunks).endswith(b"7\n")


def test_late_failure_leaves_nothing(tmp_path: Path) -> None:
    chunks = export_chunks(FakeSource([[1], [2], SourceFailed("cut")]), PLAN, LINES)
    with pytest.raises(SourceFailed):
        write_file(chunks, tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rewrite_keeps_the_file_that_was_there(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(SourceFailed):
        write_file(export_chunks(FakeSource([[1], SourceFailed("cut")]), PLAN, LINES), target)
    assert target.read_text() == "old"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert write_file(chunks_of(b"one ", b"two"), pipe) == 7
    reader.join(60)
    assert read == [b"one two"]
    assert pipe.is_fifo()


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "latest").symlink_to("data/today")
    write_file(chunks_of(b"rows"), tmp_path / "latest")
    assert (tmp_path / "latest").is_symlink()
    assert (tmp_path / "data" / "today").read_bytes() == b"rows"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["today"]


def chunks_of(*chunks: bytes) -> Chunks:
    yield from chunks


def test_closing_the_chunks_closes_the_read() -> None:
    source = FakeSource([[1], [2], [3]])
    chunks = export_chunks(source, PLAN, LINES)
    next(chunks)
    next(chunks)
    chunks.close()
    assert source.closed == ["read"]


def test_progress_counts_every_row() -> None:
    seen: list[int] = []
    b"".join(export_chunks(FakeSource([[1, 2], [3]]), PLAN, LINES, on_rows=seen.append))
    assert sum(seen) == 3
