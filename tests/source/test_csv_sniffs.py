"""CSV files are guessed about once, and read as DuckDB's own guess at every query would read them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from offtake.model.dataset import Dataset, FieldType
from offtake.model.export import Column, Plan
from offtake.model.ports import FileSet, SourceSpec, Stop
from offtake.source import open_source
from offtake.source.csv_sniffs import CsvFiles
from source.samples import reading

OPTIONS = "nullstr = ['NA', ''], allow_quoted_nulls = false, sample_size = 200000"
CELLS = (
    ("1", "02", "-7"),
    ("1.5", "2e3"),
    ("x", "O'Hara", '5" pipe', '"q,""q"', '"NA"', '""', "é", '"two\nlines"'),
    ("2020-01-02", "2021-12-31"),
    ("13/01/2020", "02/03/2021"),
    ("2020-01-02 03:04:05", "2020-01-02T03:04:05Z"),
    ("true", "f"),
    ("NA", ""),
    ("'a,b'", "#c"),
)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


def asked(connection: duckdb.DuckDBPyConnection, relation: str) -> Any:
    """Names, types and rows; or the kind of error."""
    try:
        rows = connection.sql(f"SELECT * FROM {relation}")
        return rows.columns, [str(type_) for type_ in rows.types], repr(rows.to_arrow_table().to_pylist())
    except duckdb.Error as error:
        return type(error)


def both_ways(connection: duckdb.DuckDBPyConnection, path: str) -> tuple[Any, Any]:
    guessed = asked(connection, f"read_csv('{path}', {OPTIONS}, union_by_name = true)")
    try:
        return guessed, asked(connection, CsvFiles(path, OPTIONS).sniffed(connection).relation)
    except duckdb.Error as error:
        return guessed, type(error)


@st.composite
def csv_text(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from(("a", "b", "B", "it's", '"q x"', "é")), min_size=1, max_size=4, unique=True))
    kinds = [draw(st.sampled_from(CELLS)) for _ in names]
    delimiter, line_end = draw(st.sampled_from((",", ";", "\t", "|"))), draw(st.sampled_from(("\n", "\r\n")))
    rows = draw(st.lists(st.tuples(*(st.sampled_from((*kind, "NA")) for kind in kinds)), max_size=6))
    lines = [delimiter.join(line) for line in (tuple(names), *rows)]
    return line_end.join(lines) + draw(st.sampled_from((line_end, "")))


@examples(40)
@given(texts=st.lists(csv_text(), min_size=1, max_size=3))
def test_files_are_read_as_by_a_guess_at_every_query(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    for index, text in enumerate(texts):
        (folder / f"{index}.csv").write_bytes(text.encode())
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        guessed, ours = both_ways(connection, f"{folder}/*.csv")
    assert ours == guessed


@pytest.mark.parametrize(
    "texts",
    [
        ("",),
        ("a,b\n",),
        ("a,b\n1,2",),
        ("a,b\n", "a,b\n1,2\n"),
        ("", "a,b\n1,2\n"),
        ("a,b\n01,2\n", "b,a\n1,x\n", "a;c\n3;2020-01-02\n"),
        ("a\n13/01/2020\n", "a\n2020-01-02\n"),
        ("A,b\n1,2\n", "a,b\n1,x\n"),
        ("\ufeffa,b\n1,2\n",),
        ("junk\n\na,b,c\n1,2,3\n4,5,6\n",),
        ("a,b\n1,2\n3\n",),
        ("a,b\n" + "1,x\n" * 200_100 + '3,"4,5"\n',),
        ("a,b\n" + "1,x\n" * 200_100 + "x,4\n",),
    ],
    ids=range(13),
)
def test_odd_files_are_read_as_by_a_guess_at_every_query(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, texts: tuple[str, ...]
) -> None:
    for index, text in enumerate(texts):
        (tmp_path / f"{index}.csv").write_bytes(text.encode())
    guessed, ours = both_ways(connection, f"{tmp_path}/*.csv")
    assert ours == guessed


@pytest.mark.parametrize("path", ["year=2024/t.csv", "t[1].csv"])
def test_paths_that_mean_more_to_duckdb_are_left_to_it(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, path: str
) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text("a\n1\n")
    guessed, ours = both_ways(connection, f"{tmp_path}/**/t*.csv")
    assert ours == guessed
    assert ours[2] in ("[{'a': 1}]", "[{'a': 1, 'year': 2024}]")


def test_files_that_did_not_change_are_guessed_about_once(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text('b,a\n"y,z",1.5\n')
    files = CsvFiles(f"{tmp_path}/*.csv", OPTIONS)
    first = files.sniffed(connection)
    assert files.sniffed(connection) is first
    assert first.relation.count("auto_detect = false") == first.relation.count("read_csv") == 2


def test_only_the_file_that_changed_is_guessed_about_anew(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for part in (1, 2, 3):
        (tmp_path / f"{part}.csv").write_text("a\n1\n")
    files = CsvFiles(f"{tmp_path}/*.csv", OPTIONS)
    before = list(files.sniffed(connection).shapes.values())
    (tmp_path / "2.csv").write_text("a\n2020-01-02\n")
    (tmp_path / "3.csv").unlink()
    after = list(files.sniffed(connection).shapes.values())
    assert [old is new for old, new in zip(before, after, strict=False)] == [True, False]
    assert after[1].columns == (("a", "DATE"),)
    assert len(after) == 2  # of files that are gone nothing is kept


def test_a_file_replaced_between_two_exports_is_seen(tmp_path: Path) -> None:
    path, new = tmp_path / "t.csv", tmp_path / "t.new"
    dataset = Dataset("d", "lake", table="t")
    with closing(open_source(SourceSpec("lake", "duckdb://", {"t": FileSet(str(path))}))) as source:
        seen = []
        for text in ("a,b\n1,2\n", "b;a\nx;1.5\n"):
            new.write_text(text)
            new.replace(path)
            fields = source.describe(dataset)
            plan = Plan(Dataset("d", "lake", table="t", fields=fields), tuple(Column(field) for field in fields))
            with reading(source, plan, Stop()) as stream:
                rows = [row for batch in stream for row in batch.to_pylist()]
            seen.append(([(field.name, field.type) for field in fields], rows))
    whole, number, text_type = FieldType.INTEGER, FieldType.NUMBER, FieldType.STRING
    assert seen == [
        ([("a", whole), ("b", whole)], [{"a": 1, "b": 2}]),
        ([("b", text_type), ("a", number)], [{"b": "x", "a": 1.5}]),
    ]
