"""What a text format is made of: a row template, its cells, and the writers that turn values into text.

Plain frozen data, without any code that runs per value. `rows.render` interprets it; `oracle.py` (plain Python) and
`kernel/rows.c` are the two interpreters and agree byte for byte. Import these names from `offtake.encode.rows`.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from offtake.encode.zones import ZoneTable, zone_table
from offtake.model.dataset import Field


class Mode(IntEnum):
    """How text is made safe for where it stands."""

    NONE = 0
    CSV = 1  # RFC 4180 §2: quoted if need be, quotes doubled
    JSON = 2  # RFC 8259 §7, without the quotes around: those belong to the cell's prefix and suffix
    XML = 3  # element content; CR as &#13;, what XML 1.0 cannot hold as U+FFFD
    XLSX = 4  # as XML, but what XML cannot hold (CR too) as _xHHHH_ and a literal _xHHHH_ as _x005F_xHHHH_


@dataclass(frozen=True)
class Escape:
    """How a cell's text is escaped. It is applied to the finished text of a value, numbers and dates included.

    csv only: `delimiter` is one ASCII character; `always` quotes every text; text equal to `null` is quoted, and so is
    empty text; `guard` puts `'` before text that a spreadsheet would take for a formula (and counts it).
    `limit`, in UTF-16 code units, cuts longer text (and counts it); 0 = never. A cut never splits a character.
    `guard` and `limit` hold for columns of text only, whatever the cell says: a typed number is never touched.
    """

    mode: Mode = Mode.NONE
    delimiter: bytes = b","
    always: bool = False
    null: bytes = b""
    guard: bool = False
    limit: int = 0


@dataclass(frozen=True)
class Fixed:
    """Fixed bytes. With `after`, the row's number stands between the two: Fixed(b'<row r="', b'">')."""

    before: bytes = b""
    after: bytes | None = None


@dataclass(frozen=True)
class NumberStyle:
    """How digits become a number in somebody's language. The default is plain: `-1234567.50`.

    `group` "" = no grouping; `primary` and `secondary` are group sizes from the right (3 and 2 for 12,34,567).
    `negative` stands before and after a negative number; `digits` are ten characters, all of one UTF-8 length.
    Fractions: all digits the value has (decimals keep their scale) if `max_fraction` is None; else rounded half-even to
    it and trailing zeros dropped. Both ways padded with zeros to `min_fraction`.
    """

    decimal: str = "."
    group: str = ""
    primary: int = 3
    secondary: int = 3
    negative: tuple[str, str] = ("-", "")
    digits: str = "0123456789"
    min_fraction: int = 0
    max_fraction: int | None = None


class Part(IntEnum):
    """One piece of a date or time. Numbers are zero-padded to `Step.width` digits."""

    LITERAL = 0  # `text`
    YEAR = 1  # ISO 8601: below 0 or above 9999 with a sign (-0043, +12024), width 4; the year before 1 is 0
    YEAR_OF_ERA = 2  # 1 BC is 1
    YEAR_2 = 3  # the last two digits
    ERA = 4  # `names`: BC, AD
    QUARTER = 5  # 1-4, or `names` (4)
    MONTH = 6  # 1-12, or `names` (12)
    DAY = 7
    DAY_OF_YEAR = 8
    WEEKDAY = 9  # 1-7, Monday first, or `names` (7)
    HOUR_0_23 = 10
    HOUR_1_12 = 11
    HOUR_0_11 = 12
    HOUR_1_24 = 13
    DAY_PERIOD = 14  # `names`: 2 (am, pm), or 26: one an hour, then midnight and noon to the second
    MINUTE = 15
    SECOND = 16
    FRACTION = 17  # nothing if zero; else `text` (the decimal mark) and 3 digits if they say it all, 6 if not
    FRACTION_FIXED = 18  # the first `width` (1-6) digits of the fraction, cut and not rounded
    OFFSET = 19  # Z for zero, else +02:00 (+02:00:30 where the zone has seconds)
    OFFSET_NUMERIC = 20  # +00:00, +02:00
    OFFSET_PLAIN = 21  # +0000, +0200
    ZONE = 22  # `names`: one for each interval of the writer's zone


@dataclass(frozen=True)
class Step:
    """One part of a pattern with its padding, its literal text or the names that stand for its numbers."""

    part: Part
    width: int = 0
    text: str = ""
    names: tuple[str, ...] = ()


Pattern = tuple[Step, ...]


@dataclass(frozen=True)
class TextWriter:
    """Strings as they are; lists and structs as one line of JSON.

    Of these, `field` tells which of the strings inside are JSON or decimals, and no JSON strings.
    """

    field: Field | None = None


@dataclass(frozen=True)
class JsonWriter:
    """JSON text as one line of JSON (columns of type json, lists, structs); text that is no JSON as a JSON string.

    Its cells want Mode.NONE and no quotes around. `field` as in TextWriter.
    """

    field: Field | None = None


@dataclass(frozen=True)
class NumberWriter:
    """int64, float64, decimal128, and strings that hold digits.

    Doubles have their shortest exact digits (1e+20 stays 1e+20 in the plain style). `nan` None: NaN and ±infinity are
    null; else they are these two texts, `style.negative` around -infinity. `exact_digits` n: an integer or decimal of
    more than n significant digits, or a number that is not finite, takes `Cell.other` around it; 0 = never.
    """

    style: NumberStyle = NumberStyle()
    nan: str | None = "NaN"
    infinity: str = "Infinity"
    exact_digits: int = 0


@dataclass(frozen=True)
class BooleanWriter:
    """bool as one of two texts."""

    true: str = "true"
    false: str = "false"


@dataclass(frozen=True)
class PatternWriter:
    """date32, timestamp[us] and time64[us] by a pattern; instants in the local time of `zone`, dates never moved.

    ±infinity (the sentinels of `ports.RowStream`) are `infinity` and `-infinity`.
    """

    pattern: Pattern
    zone: ZoneTable = field(default_factory=lambda: zone_table(None))
    digits: str = "0123456789"
    infinity: str = "infinity"


@dataclass(frozen=True)
class SerialWriter:
    """Dates, instants (local time of `zone`) and times as spreadsheet serial numbers: days since 1899-12-30.

    Fifteen digits of a day: with thirteen LibreOffice still shows some times a second early. What no serial number can
    say is written by `otherwise` and takes `Cell.other` around it: before 1900-03-01, after 9999-12-31, ±infinity, and
    the last half millisecond of 9999-12-31 and of a time, which readers would round to the next day.
    """

    otherwise: PatternWriter
    zone: ZoneTable = field(default_factory=lambda: zone_table(None))


ColumnWriter = TextWriter | JsonWriter | NumberWriter | BooleanWriter | PatternWriter | SerialWriter


@dataclass(frozen=True)
class Other:
    """What stands around a value that needs another form than its column usually has."""

    prefix: Fixed = Fixed()
    suffix: Fixed = Fixed()


@dataclass(frozen=True)
class Cell:
    """One cell of a row: column `column` of the batch, written by `writer`, escaped, between prefix and suffix.

    A null is `null`, without prefix and suffix. `other`, if given, replaces prefix and suffix for text that begins or
    ends with white space (any byte up to 0x20), for numbers beyond `exact_digits` and dates without a serial number.
    """

    column: int
    writer: ColumnWriter
    prefix: Fixed = Fixed()
    suffix: Fixed = Fixed()
    null: Fixed = Fixed()
    escape: Escape = Escape()
    other: Other | None = None


@dataclass(frozen=True)
class RowTemplate:
    """A row: `first` before the very first row or `between` before any other, `prefix`, the cells, `suffix`.

    `first_number` is the number of the very first row, for every Fixed that has an `after`.
    """

    cells: tuple[Cell, ...]
    prefix: Fixed = Fixed()
    suffix: Fixed = Fixed()
    first: bytes = b""
    between: bytes = b""
    first_number: int = 1


@dataclass
class Tally:
    """What rendering had to change, for the manifest: cells guarded against formulas, cells cut at the limit."""

    guarded: int = 0
    cut: int = 0
