"""Hypothesis strategies for whole row templates with the batches they render: every type, writer, escape and slice."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import pyarrow as pa
from hypothesis import strategies as st

from offtake.encode import kernel, oracle
from offtake.encode.columns import Prepared
from offtake.encode.iso import minute_zone
from offtake.encode.nested import prepare_any
from offtake.encode.rows import (
    ISO_INSTANT,
    BooleanWriter,
    Cell,
    ColumnWriter,
    Escape,
    Fixed,
    JsonWriter,
    Mode,
    NumberStyle,
    NumberWriter,
    Other,
    Part,
    PatternWriter,
    RowTemplate,
    SerialWriter,
    Step,
    Tally,
    TextWriter,
)
from offtake.encode.zones import zone_table

ZONES = ["UTC", "America/Santiago", "Asia/Kolkata", "Europe/Amsterdam", "Pacific/Apia"]
DIGITS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "\U0001e950\U0001e951\U0001e952\U0001e953\U0001e954\U0001e955\U0001e956\U0001e957\U0001e958\U0001e959"]  # fmt: skip  # noqa: E501
LETTERS = st.sampled_from(
    [*"ab,;\t\r\n\"'\\=+-@<>&_ \0\x01\x1f\x7f09xXFf().eéß中😀\ufffe\uffff\ufffd＝＋－＠\u2028", "_x000D_"]
)
# Long runs of one letter: only they come near the bounds the kernel computes.
TEXTS = (
    st.lists(LETTERS, max_size=12).map("".join)
    | st.text(max_size=8).map(lambda text: text.encode("utf-8", "ignore").decode())
    | st.builds(str.__mul__, LETTERS, st.integers(100, 1000))
)
MARKS = st.sampled_from(["", ".", ",", " ", "\u202f", "’", "٫", '"', "&"])
FIXED = st.builds(Fixed, st.binary(max_size=5), st.none() | st.binary(max_size=3))
NUMERALS = st.sampled_from(
    ["NaN", "Infinity", "-Infinity", "0", "-0", "007", ".5", "5.", "+1", "1e5", "1E-7", "-12.50", "1e400", "1e401", "x",
     "", "1.2.3", "9" * 60, "9" * 3000, "0.000", "99.995", "-1e-400", "12e", "1e99999", "--inf", "1_0"]
) | st.decimals(allow_nan=False, allow_infinity=False).map(str)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A template, the batch it renders and how many rows came before."""

    template: RowTemplate
    batch: pa.RecordBatch
    row: int


@lru_cache
def _names(size: int) -> tuple[str, ...]:
    return tuple(f"{'né,'[index % 3]}{index}" for index in range(size))


def styles() -> st.SearchStrategy[NumberStyle]:
    """Plain, and any combination of marks, groups and digits."""
    own = st.builds(
        NumberStyle,
        decimal=MARKS,
        group=MARKS,
        primary=st.integers(1, 4),
        secondary=st.integers(1, 4),
        negative=st.sampled_from([("-", ""), ("\u200e−", ""), ("(", ")"), ("", "-")]),
        digits=st.sampled_from(DIGITS),
        min_fraction=st.integers(0, 4),
        max_fraction=st.none() | st.integers(0, 5),
    )
    return st.just(NumberStyle()) | own


def number_writers() -> st.SearchStrategy[ColumnWriter]:
    """Writers of every numeric column."""
    return st.builds(
        NumberWriter,
        styles(),
        nan=st.sampled_from([None, "NaN", "n,n", ""]),
        infinity=st.sampled_from(["Infinity", "∞"]),
        exact_digits=st.sampled_from([0, 0, 1, 5, 15]),
    )


def patterns(zone: str) -> st.SearchStrategy[tuple[Step, ...]]:
    """Any parts in any order, with names for those that may have them."""
    names = {
        Part.ERA: 2, Part.QUARTER: 4, Part.MONTH: 12, Part.WEEKDAY: 7, Part.ZONE: len(zone_table(zone).starts_us)
    }  # fmt: skip
    named_only = {Part.ERA, Part.DAY_PERIOD, Part.ZONE}

    def step(part: Part) -> st.SearchStrategy[Step]:
        count = st.sampled_from([2, 26]) if part is Part.DAY_PERIOD else st.just(names.get(part, 0))
        given_names = count.map(_names)
        widths = st.integers(1, 6)
        texts = st.sampled_from([" ", ".", ",", "de", '"', "年"])
        plain = st.builds(Step, st.just(part), widths, texts)
        named = st.builds(Step, st.just(part), widths, names=given_names)
        if part in named_only:
            return named
        return plain | named if part in names else plain

    return st.lists(st.sampled_from(list(Part)).flatmap(step), max_size=8).map(tuple)


@st.composite
def pattern_writers(draw: st.DrawFn) -> PatternWriter:
    """Writers of dates, instants and times."""
    name = draw(st.sampled_from(ZONES))
    zone = draw(st.sampled_from([zone_table(name), minute_zone(name)]))
    pattern = draw(st.just(ISO_INSTANT) | patterns(name))
    return PatternWriter(pattern, zone, draw(st.sampled_from(DIGITS)), draw(st.sampled_from(["infinity", "a,b"])))


def temporal_writers() -> st.SearchStrategy[ColumnWriter]:
    """Patterns, and the serial numbers of spreadsheets."""
    zones = st.sampled_from(ZONES).map(zone_table)
    return pattern_writers() | st.builds(SerialWriter, pattern_writers(), zones)


def escapes() -> st.SearchStrategy[Escape]:
    """Every mode with every option."""
    return st.builds(
        Escape,
        st.sampled_from(list(Mode)),
        delimiter=st.sampled_from([b",", b";", b"\t", b"'", b"1", b"-", b"|"]),
        always=st.booleans(),
        null=st.sampled_from([b"", b"NULL", b"1", b"'=", b"NaN", b"-"]),
        guard=st.booleans(),
        limit=st.sampled_from([0, 0, 1, 2, 5]),
    )


def _integers(bits: int) -> st.SearchStrategy[int]:
    top = 2 ** (bits - 1)
    return st.integers(-top, top - 1) | st.sampled_from([0, 1, -1, top - 1, -top, -top + 1]) | st.integers(-99, 99999)


@st.composite
def _decimals(draw: st.DrawFn, rows: int) -> pa.Array:
    precision = draw(st.integers(1, 38))
    scale = draw(st.integers(0, precision))
    units = draw(
        st.lists(st.none() | st.integers(-(10**precision) + 1, 10**precision - 1), min_size=rows, max_size=rows)
    )
    values = [None if unit is None else Decimal(f"{unit}E{-scale}") for unit in units]
    return pa.array(values, pa.decimal128(precision, scale))


def _column(values: st.SearchStrategy[object], rows: int, type: pa.DataType, view: pa.DataType | None = None):  # type: ignore[no-untyped-def]
    lists = st.lists(st.none() | values, min_size=rows, max_size=rows)
    return lists.map(lambda given: pa.array(given, view).view(type) if view is not None else pa.array(given, type))


@st.composite
def columns(draw: st.DrawFn, rows: int) -> tuple[pa.Array, ColumnWriter]:
    """A column of `rows` values and a writer that fits it."""
    days = _integers(32) | st.integers(-900_000, 3_000_000)
    instants = _integers(64) | st.integers(-65_000_000_000_000_000, 254_000_000_000_000_000)
    whole_us = st.integers(-(10**12), 10**12).map(lambda ms: ms * 1000)
    times = st.integers(0, 86_399_999_999) | st.integers(0, 86_399).map(lambda second: second * 1_000_000)
    nested = pa.list_(pa.struct({"a": pa.int64(), "b\"'": pa.string(), "t": pa.timestamp("us", "UTC")}))
    items = st.lists(
        st.none() | st.fixed_dictionaries({"a": st.integers(0, 9), "b\"'": TEXTS, "t": st.just(0)}), max_size=3
    )
    choices = {
        "text": (_column(TEXTS, rows, pa.string()), st.just(TextWriter())),
        "json": (
            _column(TEXTS | st.sampled_from(['{"a":\n1}', "1.50", "NaN", "[]"]), rows, pa.string()),
            st.just(JsonWriter()),
        ),
        "nested": (_column(items, rows, nested), st.sampled_from([TextWriter(), JsonWriter()])),
        "integer": (_column(_integers(64), rows, pa.int64()), number_writers()),
        "decimal": (_decimals(rows), number_writers()),
        "double": (_column(st.floats(), rows, pa.float64()), number_writers()),
        "digits": (_column(NUMERALS, rows, pa.string()), number_writers()),
        "boolean": (_column(st.booleans(), rows, pa.bool_()), st.builds(BooleanWriter, TEXTS, TEXTS)),
        "date": (_column(days, rows, pa.date32(), pa.int32()), temporal_writers()),
        "instant": (_column(instants | whole_us, rows, pa.timestamp("us", "UTC"), pa.int64()), temporal_writers()),
        "time": (_column(times, rows, pa.time64("us"), pa.int64()), temporal_writers()),
    }
    values, writers = choices[draw(st.sampled_from(sorted(choices)))]
    return draw(values), draw(writers)


@st.composite
def drawn_rows(draw: st.DrawFn) -> Drawn:
    """Up to four cells over columns that are slices, so that validity bits begin in the middle of a byte."""
    rows = draw(st.integers(0, 12))
    before, after = draw(st.integers(0, 9)), draw(st.integers(0, 2))
    cells, arrays = [], []
    for index in range(draw(st.integers(1, 4))):
        values, writer = draw(columns(before + rows + after))
        arrays.append(values.slice(before, rows))
        other = draw(st.none() | st.builds(Other, FIXED, FIXED))
        cells.append(Cell(index, writer, draw(FIXED), draw(FIXED), draw(FIXED), draw(escapes()), other))
    template = RowTemplate(
        tuple(cells),
        draw(FIXED),
        draw(FIXED),
        draw(st.binary(max_size=2)),
        draw(st.binary(max_size=2)),
        draw(st.integers(0, 9)),
    )
    batch = pa.RecordBatch.from_arrays(arrays, names=[str(index) for index in range(len(arrays))])
    return Drawn(template, batch, draw(st.sampled_from([0, 0, 1, 99_999])))


def kernel_bytes(
    drawn: Drawn, library: ctypes.CDLL | None = None, chunk_bytes: int = kernel.CHUNK_BYTES
) -> tuple[bytes, Tally]:
    """What the kernel makes of it, and what it counted."""
    library = library or kernel.load()
    assert library is not None
    tally = Tally()
    written = kernel.render_chunks(
        library, prepared(drawn), drawn.batch.num_rows, drawn.template, drawn.row, tally, chunk_bytes
    )
    return b"".join(chunk for chunk, _ in written), tally


def oracle_bytes(drawn: Drawn) -> tuple[bytes, Tally]:
    """What plain Python makes of it, and what it counted."""
    tally = Tally()
    rows = oracle.render_rows(prepared(drawn), drawn.batch.num_rows, drawn.template, drawn.row, tally)
    return b"".join(rows), tally


def prepared(drawn: Drawn) -> list[Prepared]:
    """The columns of the template's cells."""
    return [prepare_any(drawn.batch.column(cell.column), cell.writer) for cell in drawn.template.cells]


def worst_rows() -> Iterator[Drawn]:
    """Rows that become as long as their kind can, for each escape: every letter escaped, every digit grouped."""
    wide = NumberStyle("😀", "😀", 1, 1, ("😀" * 9, "😀" * 9), DIGITS[3], 4)
    pattern = tuple(Step(part, 6, "😀" * 5) for part in Part if part not in (Part.ERA, Part.DAY_PERIOD, Part.ZONE))
    moments = PatternWriter(pattern, zone_table("Europe/Amsterdam"), DIGITS[3])
    kinds: list[tuple[list[object], pa.DataType, ColumnWriter]] = [
        *(([letter * 3000], pa.string(), TextWriter()) for letter in '"\\&<_\x01\ufffe=a'),
        (["_x0000_" * 3000], pa.string(), TextWriter()),
        ([-(2**63)], pa.int64(), NumberWriter(wide)),
        ([Decimal(-(10**38) + 1)], pa.decimal128(38, 0), NumberWriter(wide)),
        ([Decimal("-1E-38")], pa.decimal128(38, 38), NumberWriter(wide)),
        ([-1.7e308, 5e-324], pa.float64(), NumberWriter(wide)),
        (["9" * 3000 + "e400", "-1e-400", "x" * 3000], pa.string(), NumberWriter(wide)),
        ([-(2**62), -1], pa.timestamp("us", "UTC"), moments),
        ([-(2**62), -1], pa.timestamp("us", "UTC"), SerialWriter(moments)),
        ([True], pa.bool_(), BooleanWriter('"' * 999, "")),
    ]
    for values, type, writer in kinds:
        batch = pa.RecordBatch.from_arrays([pa.array(values, type)], names=["a"])
        for mode in Mode:
            yield Drawn(RowTemplate((Cell(0, writer, escape=Escape(mode, guard=True)),)), batch, 0)
