"""A zip of parts: each opens alone in a reader we did not write, and together they hold all rows once and in order."""

import csv
import gzip
import hashlib
import io
import itertools
import json
import re
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from offtake.encode import FORMATS
from offtake.engine.export import Account, write_file
from offtake.engine.manifest import manifest_of, verify_file, write_manifest
from offtake.engine.parts import LARGEST_PART, MOST_PARTS, Cut, export_parts
from offtake.errors import InvalidFormat, InvalidRequest, SourceFailed
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, OrderKey, Plan
from offtake.model.ports import Chunks, Format, RowStream, SourceSpec, Stop, Table
from offtake.source import open_source
from servers import Postgres

FIELDS = (Field("id", FieldType.INTEGER, "id", "Id"), Field("text", FieldType.STRING, "text", "Text"))
PLAN = Plan(
    Dataset("numbers", "fake", table="numbers", fields=FIELDS),
    tuple(map(Column, FIELDS)),
    order=(OrderKey("id"),),
)
SCHEMA = pa.schema([("id", pa.int64()), ("text", pa.string())])
SNAPSHOT = datetime(2026, 5, 1, tzinfo=UTC)
Ids = list[int]


def rows_of(ids: Sequence[int], text: str = "row, of #") -> pa.RecordBatch:
    texts = pa.array([text.replace("#", str(id)) for id in ids], pa.string())
    return pa.record_batch([pa.array(ids, pa.int64()), texts], schema=SCHEMA)


@dataclass
class Numbers:
    """A source of the batches it was made with; an exception among them is raised in its place."""

    script: Sequence[pa.RecordBatch | Exception]
    closed: list[str] = field(default_factory=list)
    reads: int = 0
    name: str = "fake"

    def read(self, plan: Plan, stop: Stop) -> RowStream:
        self.reads += 1
        return RowStream(plan.columns, SCHEMA, self._batches(), SNAPSHOT)

    def _batches(self) -> Generator[pa.RecordBatch, None, None]:
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.closed.append("read")

    def count(self, plan: Plan, stop: Stop) -> int:
        return 0

    def describe(self, dataset: Dataset) -> tuple[Field, ...]:
        return FIELDS

    def tables(self) -> tuple[Table, ...]:
        return ()

    def ping(self) -> None:
        """Always there."""

    def close(self) -> None:
        """Nothing to let go."""


def batches_of(*sizes: int) -> list[pa.RecordBatch]:
    """Batches of so many rows each, numbered on from 0."""
    ends = itertools.accumulate(sizes)
    return [rows_of(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]


def zipped(script: Sequence[pa.RecordBatch | Exception], cut: Cut, format: str = "csv", **wishes: Any) -> bytes:
    """The zip of what the source gives; a few bytes more than a test needs are no harm in memory."""
    ending = {"none": "", "gzip": ".gz", "zstd": ".zst"}[wishes.get("compression", "none")]
    name_part = partial(name_parts, f"{FORMATS[format].extension}{ending}")
    return b"".join(export_parts(Numbers(script), PLAN, FORMATS[format], cut=cut, name_part=name_part, **wishes))


def name_parts(extension: str, number: int) -> str:
    return f"numbers-part{number}.{extension}"


def members(content: bytes) -> dict[str, bytes]:
    """Every entry of the zip, as Python reads it; each CRC is checked."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pdf_ids(data: bytes) -> Ids:
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
    return [int(id) for id in re.findall(r"row, of (\d+)", text)]


def sheet_ids(data: bytes) -> Ids:
    rows = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    return [int(str(id).removesuffix(".0")) for id, _ in rows[1:]]


def table_ids(data: bytes, delimiter: str) -> Ids:
    return [int(row["id"]) for row in csv.DictReader(io.StringIO(data.decode(), newline=""), delimiter=delimiter)]


READERS: dict[str, Callable[[bytes], Ids]] = {
    "csv": lambda data: table_ids(data, ","),
    "tsv": lambda data: table_ids(data, "\t"),
    "json": lambda data: [row["id"] for row in json.loads(data)],
    "ndjson": lambda data: [json.loads(line)["id"] for line in data.splitlines()],
    "jsonapi": lambda data: [int(row["id"]) for row in json.loads(data)["data"]],
    "xlsx": sheet_ids,
    "xml": lambda data: [int(row.findtext("id")) for row in etree.fromstring(data)],
    "pdf": pdf_ids,
    "parquet": lambda data: pq.read_table(io.BytesIO(data)).column("id").to_pylist(),
    "arrow": lambda data: pa.ipc.open_file(io.BytesIO(data)).read_all().column("id").to_pylist(),
}
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda data: data,
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


@dataclass(frozen=True)
class Filler:
    """So many zeros for every row."""

    zeros: int = 0


def _encode_zeros(stream: RowStream, options: Filler) -> Chunks:
    for batch in stream:
        for _ in range(batch.num_rows):
            yield bytes(options.zeros)


NOTHING = Format("zeros", "application/octet-stream", "bin", Filler, _encode_zeros)


def test_every_format_is_tried_here() -> None:
    assert set(READERS) == set(FORMATS)


@pytest.mark.parametrize("compression", UNPACK)
@pytest.mark.parametrize("format", FORMATS)
def test_every_part_opens_alone_and_all_rows_come_once_and_in_order(format: str, compression: str) -> None:
    content = zipped(batches_of(500, 0, 700, 800), Cut(rows=600), format, compression=compression)
    parts = [READERS[format](UNPACK[compression](data)) for data in members(content).values()]
    assert [len(part) for part in parts] == [600, 600, 600, 200]
    assert list(itertools.chain(*parts)) == list(range(2000))


@pytest.mark.parametrize("format", FORMATS)
def test_no_rows_are_one_part_without_any(format: str) -> None:
    parts = members(zipped([], Cut(rows=5), format))
    assert list(parts) == [f"numbers-part1.{FORMATS[format].extension}"]
    assert READERS[format](next(iter(parts.values()))) == []


def test_parts_are_numbered_and_each_has_the_header() -> None:
    parts = members(zipped([rows_of([1, 2], "#"), rows_of([3], "#")], Cut(rows=2)))
    assert parts == {
        "numbers-part1.csv": b"id,text\n1,1\n2,2\n",
        "numbers-part2.csv": b"id,text\n3,3\n",
    }


def test_rows_that_fill_the_last_part_open_no_other() -> None:
    assert list(members(zipped(batches_of(2, 2), Cut(rows=2)))) == ["numbers-part1.csv", "numbers-part2.csv"]


def test_packed_parts_are_named_so() -> None:
    parts = members(zipped(batches_of(3), Cut(rows=2), compression="gzip"))
    assert list(parts) == ["numbers-part1.csv.gz", "numbers-part2.csv.gz"]


@pytest.mark.parametrize("format", ["csv", "ndjson"])
@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(0, 30), max_size=8),
    rows=st.none() | st.integers(1, 40),
    size=st.none() | st.integers(1, 2000),
)
def test_however_batches_and_parts_lie_no_row_is_lost(
    format: str, sizes: list[int], rows: int | None, size: int | None
) -> None:
    parts = [READERS[format](data) for data in members(zipped(batches_of(*sizes), Cut(rows, size), format)).values()]
    assert list(itertools.chain(*parts)) == list(range(sum(sizes)))
    if rows is not None:
        assert max(map(len, parts)) <= rows
    if size is None and rows is not None:
        assert all(len(part) == rows for part in parts[:-1])
    assert all(parts) or len(parts) == 1


@pytest.mark.parametrize("format", ["csv", "json", "xml", "arrow"])
@pytest.mark.parametrize("batch", [700, 70_000])
def test_a_part_ends_soon_after_so_many_bytes(format: str, batch: int) -> None:
    limit = 200_000
    sizes = [
        len(data)
        for data in members(zipped(batches_of(*[batch] * (70_000 // batch)), Cut(bytes=limit), format)).values()
    ]
    assert len(sizes) > 5
    assert all(limit <= size <= 1.25 * limit for size in sizes[:-1]), sizes


def test_whichever_comes_first_ends_a_part() -> None:
    long = [rows_of(range(100), "x" * 1000), rows_of(range(100, 400), "")]
    parts = members(zipped(long, Cut(rows=200, bytes=20_000)))
    counts = [len(table_ids(data, ",")) for data in parts.values()]
    assert sum(counts) == 400
    assert max(counts[:3]) < 30
    assert counts[-2] == 200


def test_a_zip_can_be_read_without_seeking() -> None:
    for compression in UNPACK:
        content = zipped(batches_of(500, 700), Cut(rows=500), compression=compression)
        assert dict(entries_in_passing(content)) == members(content)


def entries_in_passing(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The entries as someone reads them who never sees the directory: one local header after the other."""
    at = 0
    while content[at : at + 4] == b"PK\x03\x04":
        method, name_size, extra_size = struct.unpack_from("<H16xHH", content, at + 8)
        assert method == zipfile.ZIP_DEFLATED
        start = at + 30 + name_size + extra_size
        inflate = zlib.decompressobj(-15)
        data = inflate.decompress(content[start:]) + inflate.flush()
        yield content[at + 30 : at + 30 + name_size].decode(), data
        at = len(content) - len(inflate.unused_data)
        assert struct.unpack_from("<IIII", content, at) == (0x08074B50, zlib.crc32(data), at - start, len(data))
        at += 16


def test_the_same_rows_are_the_same_bytes() -> None:
    assert len({zipped(batches_of(900, 900), Cut(rows=700, bytes=9000), "xlsx") for _ in range(3)}) == 1


def test_one_read_makes_all_parts() -> None:
    source = Numbers(batches_of(10, 10))
    b"".join(export_parts(source, PLAN, FORMATS["csv"], cut=Cut(rows=3), name_part=str))
    assert (source.reads, source.closed) == (1, ["read"])


def test_every_row_is_told_once() -> None:
    seen: list[int] = []
    zipped(batches_of(10, 10), Cut(rows=3), on_rows=seen.append)
    assert sum(seen) == 20


def test_a_manifest_tells_of_every_part(tmp_path: Path) -> None:
    account, format = Account(), FORMATS["csv"]
    path = tmp_path / "numbers.zip"
    script = [rows_of([1, 2], "=#"), rows_of([3], "#")]
    chunks = export_parts(
        Numbers(script), PLAN, format, cut=Cut(rows=2), name_part=partial(name_parts, "csv"), account=account
    )
    write_file(chunks, path)
    manifest = manifest_of(account, PLAN, format, format.options(), file=path.name)
    write_manifest(manifest, tmp_path)
    inside = members(path.read_bytes())
    assert (manifest.rows, manifest.bytes, manifest.guarded) == (3, path.stat().st_size, 2)
    assert (manifest.format, manifest.media_type) == ("csv", "application/zip")
    assert [(part.file, part.rows, part.bytes, part.sha256) for part in manifest.parts] == [
        (name, rows, len(inside[name]), hashlib.sha256(inside[name]).hexdigest())
        for name, rows in (("numbers-part1.csv", 2), ("numbers-part2.csv", 1))
    ]
    told = verify_file(path)
    assert [part["file"] for part in told["parts"]] == list(inside)


def test_a_failure_in_the_middle_leaves_no_zip(tmp_path: Path) -> None:
    source = Numbers([*batches_of(10, 10), SourceFailed("cut")])
    chunks = export_parts(source, PLAN, FORMATS["xlsx"], cut=Cut(rows=3), name_part=str)
    with pytest.raises(SourceFailed):
        write_file(chunks, tmp_path / "numbers.zip")
    assert list(tmp_path.iterdir()) == []
    assert source.closed == ["read"]


def test_what_cannot_be_encoded_is_said_before_any_byte() -> None:
    csv_in_cp1252 = FORMATS["csv"].options(encoding="windows-1252")
    chunks = export_parts(
        Numbers([rows_of([1], "中")]), PLAN, FORMATS["csv"], csv_in_cp1252, cut=Cut(rows=3), name_part=str
    )
    with pytest.raises(InvalidFormat):
        next(chunks)


@pytest.mark.parametrize("format", ["csv", "xlsx", "parquet"])
def test_closing_the_chunks_closes_the_read(format: str) -> None:
    source = Numbers(batches_of(*[10] * 100))
    chunks = export_parts(source, PLAN, FORMATS[format], cut=Cut(rows=30), name_part=str)
    next(chunks)
    chunks.close()
    assert source.closed == ["read"]


@pytest.mark.parametrize(
    ("rows", "size", "pointer"),
    [(0, None, "/part_rows"), (-1, 5, "/part_rows"), (None, 0, "/part_bytes"), (5, LARGEST_PART + 1, "/part_bytes")],
)
def test_a_cut_that_makes_no_sense_is_refused(rows: int | None, size: int | None, pointer: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Cut(rows, size)
    assert caught.value.problems[0][0] == pointer


def test_too_many_parts_are_refused() -> None:
    chunks = export_parts(Numbers(batches_of(MOST_PARTS + 1)), PLAN, NOTHING, cut=Cut(rows=1), name_part=str)
    with pytest.raises(InvalidRequest, match="10,000 parts") as caught:
        deque(chunks, 0)
    assert caught.value.problems[0][0] == "/part_rows"


def test_parts_are_of_one_moment_whatever_is_written_meanwhile(postgres: Postgres) -> None:
    rows = 200_000
    with postgres.database() as url, psycopg.connect(url, autocommit=True) as writer:
        writer.execute("CREATE TABLE numbers AS SELECT n AS id, n::text AS text FROM generate_series(0, 199999) n")
        writer.execute("ALTER TABLE numbers ADD PRIMARY KEY (id)")
        with closing(open_source(SourceSpec("db", url))) as source:
            chunks = export_parts(source, PLAN, FORMATS["csv"], cut=Cut(rows=30_000), name_part=str)
            begun = next(chunks)
            writer.execute("DELETE FROM numbers WHERE id % 2 = 0")
            writer.execute("UPDATE numbers SET text = 'changed'")
            writer.execute("INSERT INTO numbers VALUES (200000, 'new')")
            parts = members(begun + b"".join(chunks))
    found = [row for data in parts.values() for row in csv.reader(io.StringIO(data.decode())) if row[0] != "id"]
    assert found == [[str(id), str(id)] for id in range(rows)]


@pytest.mark.slow
def test_no_part_grows_to_4_gib() -> None:
    account = Account()
    chunks = export_parts(
        Numbers(batches_of(*[1] * 80)),
        PLAN,
        NOTHING,
        Filler(1 << 26),
        cut=Cut(rows=100),
        name_part=str,
        account=account,
    )
    assert sum(map(len, chunks)) < 1 << 26
    assert [part.bytes < 1 << 32 for part in account.parts] == [True, True]
    assert sum(part.rows for part in account.parts) == 80
