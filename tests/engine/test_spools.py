"""A spooled result: any of its rows come back as they went in, and cost what the first ones cost."""

import tracemalloc
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offtake.encode.json import JsonOptions
from offtake.engine.pages import BYTES_AT_ONCE, MOST_MARKS, ROWS_AT_ONCE, Tally, read_rows, spool_chunks
from offtake.errors import Cancelled, Expired, SourceFailed, StoreFailed
from offtake.model.dataset import Field, FieldType
from offtake.model.export import Column, Plan, Reader
from offtake.model.ports import Chunks, RowStream, Source, Stop, Store, StoreSpec
from offtake.model.snapshot import Spool
from offtake.store import open_store
from servers import Seaweed
from sites import NOW, NUMBERS, Batches, FakeSource, batch, endless, failing_after

PLAN = Plan(NUMBERS, tuple(Column(each) for each in NUMBERS.fields), reader=Reader("es-CL", "America/Santiago"))


@dataclass
class Watched:
    """A store that notes how many bytes were read from it."""

    inner: Store
    read_bytes: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def read(self, name: str, start: int = 0, end: int | None = None) -> Chunks:
        for chunk in self.inner.read(name, start, end):
            self.read_bytes += len(chunk)
            yield chunk


@pytest.fixture
def store(tmp_path: Path) -> Any:
    return Watched(open_store(StoreSpec(str(tmp_path))))


def spooled(store: Store, source: Source, page_size: int = 1000, options: JsonOptions | None = None) -> Spool:
    """Everything the source gives, in the store."""
    tally = Tally()
    store.write("s", spool_chunks(source, PLAN, options or JsonOptions(), tally, page_size=page_size, stop=Stop()))
    return tally.spool("s")


def in_batches(*sizes: int) -> Batches:
    def batches(_: Stop) -> Generator[pa.RecordBatch, None, None]:
        first = 0
        for size in sizes:
            yield batch(first, size, "row")
            first += size

    return batches


def numbers(store: Store, spool: Spool, start: int, end: int) -> list[int]:
    rows, _ = read_rows(store, spool, start, end)
    return [n for each in rows for n in each.column("n").to_pylist()]


@given(
    st.lists(st.integers(0, 7000), max_size=6),
    st.integers(1, 12_000),
    st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 30_000)), min_size=1, max_size=5),
)
@settings(max_examples=15)
def test_any_rows_come_back_in_their_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], page_size: int, asked: list[tuple[int, int]]
) -> None:
    store = open_store(StoreSpec(str(tmp_path_factory.mktemp("store"))))
    spool = spooled(store, FakeSource(in_batches(*sizes)), page_size)
    everything = list(range(sum(sizes)))
    assert spool.rows == len(everything)
    for start, end in asked:
        assert numbers(store, spool, start, end) == everything[start:end]


def test_a_result_without_rows_has_its_columns(store: Any) -> None:
    spool = spooled(store, FakeSource(in_batches()))
    rows, _ = read_rows(store, spool, 0, 1000)
    assert (spool.rows, list(rows), [column.name for column in rows.columns]) == (0, [], ["n", "text"])


def test_what_pages_are_written_with_lies_in_the_spool(store: Any) -> None:
    options = JsonOptions(formatted=True, date_style="long")
    rows, read = read_rows(store, spooled(store, FakeSource(in_batches(3)), options=options), 0, 3)
    assert (read, rows.reader, rows.snapshot_at) == (options, PLAN.reader, NOW)


def test_nested_columns_come_back_with_their_fields(store: Any) -> None:
    inner = Field("price", FieldType.STRUCT, "p", "Price", fields=(Field("sum", FieldType.DECIMAL, "s", "Sum"),))
    column = Column(Field("items", FieldType.LIST, "i", "Items", items=FieldType.STRUCT, fields=(inner,)), "Your items")
    rows = [[{"price": {"sum": "1.50"}}], None, []]
    source = Columns((column,), pa.record_batch({"items": pa.array(rows)}))
    read, _ = read_rows(store, spooled(store, source), 0, 3)
    (found,) = read.columns
    assert (found.label, found.field.items, found.field.fields[0].fields[0].type) == (
        "Your items",
        FieldType.STRUCT,
        FieldType.DECIMAL,
    )
    assert [each for got in read for each in got.column("items").to_pylist()] == rows


@dataclass
class Columns(FakeSource):
    """A source of one batch with columns of its own."""

    def __init__(self, columns: tuple[Column, ...], rows: pa.RecordBatch) -> None:
        super().__init__(lambda _: iter(()))  # type: ignore[arg-type, return-value]
        self._columns, self._rows = columns, rows

    def read(self, plan: Plan, stop: Stop) -> Any:
        return RowStream(self._columns, self._rows.schema, (each for each in [self._rows]), NOW, plan.reader)


def test_a_page_reads_only_its_own_batches_wherever_it_lies(store: Any) -> None:
    spool = spooled(store, FakeSource(in_batches(*[4000] * 50)), 1000)
    costs = []
    for start in (0, 1000, 100_000, 199_000):
        store.read_bytes = 0
        assert numbers(store, spool, start, start + 1000) == list(range(start, start + 1000))
        costs.append(store.read_bytes)
    assert max(costs) < min(costs) * 1.5
    assert max(costs) < spool.bytes / 25


def test_many_batches_are_marked_sparsely(store: Any) -> None:
    tally = Tally()
    for number in range(10_000):
        tally.mark()
        tally.rows += 7
        tally.end = number + 1
    assert MOST_MARKS / 2 <= len(tally.marks) <= MOST_MARKS
    assert all(row == 7 * first_byte for row, first_byte in tally.marks)
    gaps = {after[1] - before[1] for before, after in zip(tally.marks, tally.marks[1:], strict=False)}
    assert gaps == {16}


def test_rows_between_sparse_marks_are_found(store: Any) -> None:
    spool = spooled(store, FakeSource(in_batches(*[5000] * 20)), 5000)
    assert len(spool.marks) == 20
    sparse = Spool("s", spool.marks[::8], spool.end, spool.rows, spool.bytes, spool.snapshot_at)
    for start in range(0, 100_000, 7000):
        assert numbers(store, sparse, start, start + 7000) == list(range(start, min(100_000, start + 7000)))


def test_pages_begin_where_batches_begin(store: Any) -> None:
    for page_size in (1, 50, 999, 5000, 5001, 10_000):
        spool = spooled(store, FakeSource(in_batches(*[3000] * 10)), page_size)
        firsts = {row for row, _ in spool.marks}
        assert firsts == set(range(0, 30_000, max(1, ROWS_AT_ONCE // page_size) * page_size))


def test_readers_we_did_not_write_open_a_spool(store: Any, tmp_path: Path) -> None:
    spooled(store, FakeSource(in_batches(4000, 4000)))
    with duckdb.connect() as connection:
        connection.register("spool", pa.ipc.open_file(tmp_path / "s").read_all())
        assert connection.execute("SELECT count(*), max(n) FROM spool").fetchall() == [(8000, 7999)]


def test_a_spool_that_is_gone_has_expired(store: Any) -> None:
    spool = spooled(store, FakeSource(in_batches(10)))
    rows, _ = read_rows(store, spool, 0, 10)
    store.delete(["s"])
    with pytest.raises(Expired):
        read_rows(store, spool, 0, 10)
    with pytest.raises(Expired):
        list(rows)


def test_pages_come_from_a_bucket_too(seaweed: Seaweed) -> None:
    store = open_store(seaweed.spec("spools"))
    spool = spooled(store, FakeSource(in_batches(*[4000] * 10)), 1000)
    assert numbers(store, spool, 39_000, 40_000) == list(range(39_000, 40_000))
    assert numbers(store, spool, 0, 1000) == list(range(1000))
    store.delete(["s"])
    with pytest.raises(Expired):
        read_rows(store, spool, 0, 1000)


@dataclass
class Torn:
    """A store that lost the end of a file, or what was in it."""

    data: bytes
    calls: list[int] = field(default_factory=list)

    def read(self, name: str, start: int = 0, end: int | None = None) -> Chunks:
        yield self.data[start:end]


@pytest.mark.parametrize("left", [0, 4, 100, 700, 3000])
def test_a_spool_that_is_not_whole_is_no_page(store: Any, tmp_path: Path, left: int) -> None:
    spool = spooled(store, FakeSource(in_batches(2000)))
    torn: Any = Torn((tmp_path / "s").read_bytes()[:left])
    with pytest.raises(StoreFailed):
        list(read_rows(torn, spool, 0, 2000)[0])


def test_a_source_that_fails_leaves_no_spool(store: Any) -> None:
    with pytest.raises(SourceFailed):
        spooled(store, FakeSource(failing_after(20_000)))
    assert list(store.list()) == []


def test_a_stop_ends_the_read_and_leaves_no_spool(store: Any) -> None:
    stop, source, tally = Stop(), FakeSource(endless), Tally()

    def interrupted() -> Iterator[bytes]:
        for number, chunk in enumerate(spool_chunks(source, PLAN, JsonOptions(), tally, page_size=10, stop=stop)):
            if number == 5:
                stop.set()
            yield chunk

    with pytest.raises(Cancelled):
        store.write("s", interrupted())
    assert list(store.list()) == []
    assert source.closed.wait(60)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_result(store: Any) -> None:
    peaks = []
    for batches in (100, 400):
        tracemalloc.start()
        before = pa.total_allocated_bytes()
        spool = spooled(store, FakeSource(in_batches(*[5000] * batches)), 10_000)
        assert numbers(store, spool, spool.rows - 10_000, spool.rows)[0] == spool.rows - 10_000
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert pa.total_allocated_bytes() - before < 8 * BYTES_AT_ONCE
    assert peaks[1] < peaks[0] + 2_000_000  # four times the rows; the index of the spool grows with them
