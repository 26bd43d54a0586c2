"""Row templates in plain Python: what `kernel/rows.c` must write byte for byte; it runs where that was not compiled."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pyarrow as pa

from offtake.encode.columns import Kind, Prepared
from offtake.encode.template import (
    BooleanWriter,
    Cell,
    Escape,
    Fixed,
    Mode,
    NumberStyle,
    NumberWriter,
    Part,
    PatternWriter,
    RowTemplate,
    SerialWriter,
    Step,
    Tally,
)
from offtake.encode.zones import ZoneTable

DAY_US = 86_400_000_000
INFINITIES = {Kind.DATE: 2**31 - 1, Kind.INSTANT: 2**63 - 1}
PLAIN = NumberStyle()
NUMBER = re.compile(r"([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,4}))?")
JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")
LARGEST_EXPONENT = 400
FORMULA = re.compile("[=+@\t\r＝＋－＠-]")
NUMBER_OR_PHONE = re.compile("[+-]?[0-9 ().-]+")
SERIALS = range(61, 2_958_466)  # 1900-03-01 to 9999-12-31; before, spreadsheets believe in a 29 February 1900
LAST_SERIAL_US = DAY_US - 501  # spreadsheets round what is later to a day that a time, or year 9999, does not have
SERIAL_OF_1970 = 25_569
DAYS_BEFORE_1970 = 719_162  # from 0001-01-01
DAYS_OF_400_YEARS = 146_097


def render_rows(
    columns: Sequence[Prepared], rows: int, template: RowTemplate, row: int, tally: Tally
) -> Iterator[bytes]:
    """The bytes of each row. `columns[i]` belongs to `template.cells[i]`; `row` rows were written before these."""
    values = [_values(column) for column in columns]
    for index in range(rows):
        number = str(template.first_number + row + index).encode()
        pieces = [template.between if row + index else template.first, _fixed(template.prefix, number)]
        for cell, column, cells in zip(template.cells, columns, values, strict=True):
            pieces.append(_cell(cell, column, cells[index], number, tally))
        pieces.append(_fixed(template.suffix, number))
        yield b"".join(pieces)


def escape_text(text: str, escape: Escape, tally: Tally | None = None) -> str:
    """The text as it stands in the file: cut, guarded, escaped."""
    tally = tally or Tally()
    text = cut_text(text, escape.limit, tally)
    match escape.mode:
        case Mode.CSV:
            return _csv_text(text, escape, tally)
        case Mode.JSON:
            return json.dumps(text, ensure_ascii=False)[1:-1]
        case Mode.XML:
            text = _xml_text(text).replace("\r", "&#13;")
            return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", text)
        case Mode.XLSX:
            text = re.sub("_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", _xml_text(text))
            return re.sub("[\x00-\x08\x0b-\x1f\ufffe\uffff]", lambda found: f"_x{ord(found[0]):04X}_", text)
    return text


def cut_text(text: str, limit: int, tally: Tally) -> str:
    """At most `limit` UTF-16 code units of the text, whole characters only; 0 = all of it."""
    units = text.encode("utf-16-le", "surrogatepass")
    if not limit or len(units) <= 2 * limit:
        return text
    tally.cut += 1
    return units[: 2 * limit].decode("utf-16-le", "ignore")


def _csv_text(text: str, escape: Escape, tally: Tally) -> str:
    if escape.guard and FORMULA.match(text) and not NUMBER_OR_PHONE.fullmatch(text):
        tally.guarded += 1
        text = "'" + text
    special = any(mark in text for mark in (escape.delimiter.decode(), '"', "\r", "\n"))
    if escape.always or special or not text or text == escape.null.decode():
        return '"' + text.replace('"', '""') + '"'
    return text


def _xml_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fixed(fixed: Fixed, number: bytes) -> bytes:
    return fixed.before if fixed.after is None else fixed.before + number + fixed.after


def _values(column: Prepared) -> list[object]:
    """Python values; dates and times as integers, since Python's own end at year 9999."""
    array = column.array
    if column.kind is Kind.DATE:
        array = array.view(pa.int32())
    elif column.kind in (Kind.INSTANT, Kind.TIME):
        array = array.view(pa.int64())
    values: list[object] = array.to_pylist()
    return values


def _cell(cell: Cell, column: Prepared, value: object, number: bytes, tally: Tally) -> bytes:
    if value is None:
        return _fixed(cell.null, number)
    text, needs_other = _text(cell, column.kind, value)
    if column.kind is Kind.TEXT:
        text = cut_text(text, cell.escape.limit, tally)
        needs_other = bool(text) and (text[0] <= " " or text[-1] <= " ")
    around = cell.other if cell.other is not None and needs_other else cell
    escape = cell.escape if column.kind is Kind.TEXT else replace(cell.escape, guard=False, limit=0)
    escaped = escape_text(text, escape, tally).encode()
    return _fixed(around.prefix, number) + escaped + _fixed(around.suffix, number)


def _text(cell: Cell, kind: Kind, value: object) -> tuple[str, bool]:
    """The text of a value before it is escaped, and whether it needs the cell's other form."""
    match cell.writer, value:
        case NumberWriter() as writer, _:
            return number_text(format(value, "f") if isinstance(value, Decimal) else str(value), writer, kind)
        case BooleanWriter() as writer, bool():
            return writer.true if value else writer.false, False
        case PatternWriter() as writer, int():
            return pattern_text(value, writer, kind), False
        case SerialWriter() as writer, int():
            serial = serial_text(value, writer, kind)
            return (serial, False) if serial is not None else (pattern_text(value, writer.otherwise, kind), True)
    assert isinstance(value, str)
    return value, False


def number_text(text: str, writer: NumberWriter, kind: Kind) -> tuple[str, bool]:
    """A number from its plain digits, and whether it has more digits than the writer's `exact_digits`, or none."""
    style = writer.style
    is_plain = style == PLAIN and JSON_NUMBER.fullmatch(text) is not None
    found = NUMBER.fullmatch(text)
    exponent = int(found[4] or 0) if found else 0
    if found is None or abs(exponent) > LARGEST_EXPONENT:
        return text if is_plain else _not_finite(text, writer), writer.exact_digits > 0
    whole, fraction = _shift(found[2], found[3] or "", exponent)
    digits = (whole + fraction.rstrip("0")).lstrip("0")
    needs_other = 0 < writer.exact_digits < len(digits) and kind is not Kind.DOUBLE
    return text if is_plain else _styled(found[1] == "-", whole, fraction, style), needs_other


def _not_finite(text: str, writer: NumberWriter) -> str:
    """NaN and the infinities by name; what is no number at all stays as it is."""
    match text.lower().lstrip("+-"):
        case "nan":
            return writer.nan or ""
        case "inf" | "infinity":
            before, after = writer.style.negative if text.startswith("-") else ("", "")
            return before + writer.infinity + after
    return text


def _shift(whole: str, fraction: str, exponent: int) -> tuple[str, str]:
    """The digits with the decimal point moved by the exponent."""
    if exponent >= 0:
        fraction = fraction.ljust(exponent, "0")
        return (whole + fraction[:exponent]).lstrip("0"), fraction[exponent:]
    whole = whole.rjust(-exponent, "0")
    return whole[:exponent].lstrip("0"), whole[exponent:] + fraction


def _styled(negative: bool, whole: str, fraction: str, style: NumberStyle) -> str:
    if style.max_fraction is not None:
        whole, fraction = _rounded(whole, fraction, style.max_fraction)
        fraction = fraction.rstrip("0")
    fraction = fraction.ljust(style.min_fraction, "0")
    groups, size, left = [], style.primary, whole or "0"
    while style.group and len(left) > size:
        groups.append(left[-size:])
        left, size = left[:-size], style.secondary
    digits = str.maketrans("0123456789", style.digits)
    shown = [group.translate(digits) for group in (left, *reversed(groups))]
    text = style.group.join(shown)
    if fraction:
        text += style.decimal + fraction.translate(digits)
    before, after = style.negative if negative else ("", "")
    return before + text + after


def _rounded(whole: str, fraction: str, places: int) -> tuple[str, str]:
    """Half to even, as CLDR and IEEE 754 round."""
    if len(fraction) <= places:
        return whole, fraction
    unit = 10 ** (len(fraction) - places)
    kept, rest = divmod(int(whole + fraction), unit)
    if 2 * rest > unit or (2 * rest == unit and kept % 2):
        kept += 1
    digits = str(kept).rjust(places + 1, "0")
    return digits[: len(digits) - places].lstrip("0"), digits[len(digits) - places :]


def pattern_text(value: int, writer: PatternWriter, kind: Kind) -> str:
    """A date (days), instant or time (microseconds) by the writer's pattern."""
    if abs(value) >= INFINITIES.get(kind, 2**64):
        return writer.infinity if value > 0 else "-" + writer.infinity
    moment = _moment(value, writer.zone, kind)
    digits = str.maketrans("0123456789", writer.digits)
    return "".join(_step(step, moment, digits) for step in writer.pattern)


def serial_text(value: int, writer: SerialWriter, kind: Kind) -> str | None:
    """The spreadsheet serial number, or None if there is none."""
    if abs(value) >= INFINITIES.get(kind, 2**64):
        return None
    moment = _moment(value, writer.zone, kind)
    days = 0 if kind is Kind.TIME else moment.days + SERIAL_OF_1970
    if kind is not Kind.TIME and days not in SERIALS:
        return None
    if moment.us > LAST_SERIAL_US and (kind is Kind.TIME or days == SERIALS[-1]):
        return None
    fraction = (moment.us * 10**15 + DAY_US // 2) // DAY_US
    return f"{days}.{fraction:015}".rstrip("0").rstrip(".") if fraction else str(days)


@dataclass(frozen=True)
class _Moment:
    """A local time: days since 1970, microseconds of the day, offset from UTC, interval of the zone."""

    days: int
    us: int
    offset_us: int = 0
    interval: int = 0

    @property
    def year(self) -> int:
        """Proleptic Gregorian; the year before 1 is 0 (ISO 8601)."""
        cycles, _ = divmod(self.days + DAYS_BEFORE_1970, DAYS_OF_400_YEARS)
        return self.date.year + 400 * cycles

    @property
    def date(self) -> date:
        """The day in the first 400 years that falls alike."""
        return date.fromordinal((self.days + DAYS_BEFORE_1970) % DAYS_OF_400_YEARS + 1)


def _moment(value: int, zone: ZoneTable, kind: Kind) -> _Moment:
    if kind is Kind.DATE:
        return _Moment(value, 0)
    if kind is Kind.TIME:
        return _Moment(0, value % DAY_US)
    interval = zone.interval_at(value)
    offset_us = zone.offsets_us[interval]
    days, us = divmod(value + offset_us, DAY_US)
    return _Moment(days, us, offset_us, interval)


def _step(step: Step, moment: _Moment, digits: dict[int, int]) -> str:
    us = moment.us % 1_000_000
    match step.part:
        case Part.LITERAL:
            return step.text
        case Part.FRACTION if us == 0:
            return ""
        case Part.FRACTION:
            shown = f"{us:06}" if us % 1000 else f"{us // 1000:03}"
            return step.text + shown.translate(digits)
        case Part.FRACTION_FIXED:
            return f"{us:06}"[: step.width].translate(digits)
        case Part.OFFSET | Part.OFFSET_NUMERIC | Part.OFFSET_PLAIN:
            return _offset(step.part, moment.offset_us)
        case Part.DAY_PERIOD:
            return _day_period(step.names, moment.us // 1_000_000)
        case Part.ZONE:
            return step.names[moment.interval]
        case Part.ERA:
            return step.names[moment.year > 0]
        case Part.YEAR if not 0 <= moment.year <= 9999:
            return ("-" if moment.year < 0 else "+") + str(abs(moment.year)).rjust(4, "0").translate(digits)
    number = _number(step.part, moment)
    if step.names:
        return step.names[number - 1]
    return str(number).rjust(step.width, "0").translate(digits)


def _day_period(names: Sequence[str], second: int) -> str:
    if len(names) == 2:
        return names[second // 43_200]
    return names[{0: 24, 43_200: 25}.get(second, second // 3_600)]


def _number(part: Part, moment: _Moment) -> int:
    hour, year = moment.us // 3_600_000_000, moment.year
    of_era = year if year > 0 else 1 - year
    return {
        Part.YEAR: year,
        Part.YEAR_OF_ERA: of_era,
        Part.YEAR_2: of_era % 100,
        Part.QUARTER: (moment.date.month + 2) // 3,
        Part.MONTH: moment.date.month,
        Part.DAY: moment.date.day,
        Part.DAY_OF_YEAR: moment.date.timetuple().tm_yday,
        Part.WEEKDAY: moment.date.isoweekday(),
        Part.HOUR_0_23: hour,
        Part.HOUR_1_12: (hour + 11) % 12 + 1,
        Part.HOUR_0_11: hour % 12,
        Part.HOUR_1_24: (hour + 23) % 24 + 1,
        Part.MINUTE: moment.us // 60_000_000 % 60,
        Part.SECOND: moment.us // 1_000_000 % 60,
    }[part]


def _offset(part: Part, offset_us: int) -> str:
    if part is Part.OFFSET and offset_us == 0:
        return "Z"
    colon = "" if part is Part.OFFSET_PLAIN else ":"
    minutes, seconds = divmod(abs(offset_us) // 1_000_000, 60)
    text = f"{'-' if offset_us < 0 else '+'}{minutes // 60:02}{colon}{minutes % 60:02}"
    return f"{text}{colon}{seconds:02}" if seconds else text
