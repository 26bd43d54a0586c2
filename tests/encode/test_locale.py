"""What a reader sees in their language is what Babel, a reader of CLDR we did not write, would show them.

Babel leaves two things of CLDR out, which are put back here before comparing: it writes `-` and the digits 0-9 whatever
the language. Short dates are ours: the locale's, with the whole year.
"""

import decimal
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from babel import Locale
from babel.dates import format_date, format_datetime, format_time, parse_pattern
from babel.localedata import locale_identifiers
from babel.numbers import format_decimal, get_minus_sign_symbol
from hypothesis import given, settings
from hypothesis import strategies as st

from offtake.encode.columns import prepare
from offtake.encode.language import Language, read_language
from offtake.encode.locale import column_writer
from offtake.encode.oracle import render_rows
from offtake.encode.rows import Cell, Fixed, RowTemplate, Tally, render
from offtake.model.dataset import Field, FieldType
from offtake.model.export import Column, Reader

LOCALES = [
    *(
        "ar",
        "ar-EG",
        "fa",
        "ur",
        "he",
        "hi",
        "bn",
        "mr",
        "ne",
        "my",
        "th",
        "vi",
        "id",
        "ja",
        "ko",
        "zh-Hans",
        "zh-Hant",
    ),
    *("de", "de-AT", "de-CH", "fr", "fr-CH", "it", "nl", "es", "es-CL", "es-MX", "pt-BR", "pt-PT", "en-US", "en-GB"),
    *("en-IN", "pl", "cs", "hu", "ru", "uk", "bg", "sr-Latn", "el", "tr", "lt", "lv", "fi", "sv", "nb", "da", "et"),
]
ZONES = ["UTC", "America/Santiago", "America/St_Johns", "Europe/Dublin", "Asia/Kolkata", "Australia/Lord_Howe"]
TYPES = {
    FieldType.INTEGER: pa.int64(),
    FieldType.NUMBER: pa.float64(),
    FieldType.DATE: pa.date32(),
    FieldType.DATETIME: pa.timestamp("us", "UTC"),
    FieldType.TIME: pa.time64("us"),
}
Style = Literal["short", "medium", "long", "full"]
INSTANTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC))  # noqa: DTZ001
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
few = settings(max_examples=5, deadline=None)
fewest = settings(max_examples=2, deadline=None)


def column(type: FieldType) -> Column:
    return Column(Field(name="x", type=type, column="x", label="X"))


def shown(
    values: Sequence[Any],
    type: FieldType,
    reader: Reader,
    *,
    arrow_type: pa.DataType | None = None,
    date_style: str | None = None,
) -> list[str]:
    """The values as a file shows them: as plain Python writes them, which the compiled kernel must repeat."""
    arrow_type = arrow_type or TYPES[type]
    writer = column_writer(column(type), arrow_type, reader, date_style=date_style)
    batch = pa.record_batch({"x": pa.array(values, arrow_type)})
    template = RowTemplate((Cell(0, writer),), suffix=Fixed(b"\x00"))
    plain = b"".join(render_rows([prepare(batch.column(0), writer)], batch.num_rows, template, 0, Tally()))
    assert render(batch, template) == plain
    return plain.decode().split("\x00")[:-1]


def in_own_digits(text: str, language: Language) -> str:
    return text.translate(str.maketrans("0123456789", language.digits))


def babel_number(value: int | float | Decimal, language: Language, pattern: str | None = None) -> str:
    with decimal.localcontext(prec=700):
        text = format_decimal(
            value,
            format=pattern,
            locale=language.locale,
            decimal_quantization=pattern is not None,
            numbering_system="default",
        )
    minus = get_minus_sign_symbol(language.locale, numbering_system="default")
    return in_own_digits(text.replace("-", minus, 1), language)


def babel_short(value: date, locale: Locale) -> str:
    pattern = {"es_CL": "dd/MM/y"}.get(str(locale), locale.date_formats["short"].pattern.replace("yy", "y"))
    return parse_pattern(pattern).apply(value, locale)


def babel_instants(values: Sequence[datetime], style: Style, zone: str, language: Language) -> list[str]:
    texts = (format_datetime(value, style, ZoneInfo(zone), language.locale) for value in values)
    return [in_own_digits(text, language) for text in texts]


@pytest.mark.parametrize("tag", LOCALES)
@few
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-99999, 99999), min_size=10))
def test_integers_equal_babel(tag: str, values: list[int]) -> None:
    language = read_language(tag)
    assert shown(values, FieldType.INTEGER, Reader(tag)) == [babel_number(value, language) for value in values]


@pytest.mark.parametrize("tag", LOCALES)
@few
@given(values=st.lists(DOUBLES, min_size=10))
def test_doubles_equal_babel_with_every_digit(tag: str, values: list[float]) -> None:
    language = read_language(tag)
    assert shown(values, FieldType.NUMBER, Reader(tag)) == [babel_number(value, language) for value in values]


@pytest.mark.parametrize("tag", LOCALES)
@few
@given(data=st.data(), scale=st.integers(0, 12))
def test_decimals_equal_babel_and_keep_their_scale(tag: str, data: st.DataObject, scale: int) -> None:
    language = read_language(tag)
    units = data.draw(st.lists(st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-99999, 99999), min_size=10))
    values = [Decimal((unit < 0, Decimal(abs(unit)).as_tuple().digits, -scale)) for unit in units]
    whole = language.locale.decimal_formats[None].pattern.split(".")[0]
    pattern = f"{whole}.{'0' * scale}" if scale else whole
    expected = [babel_number(value, language, pattern) for value in values]
    assert shown(values, FieldType.DECIMAL, Reader(tag), arrow_type=pa.decimal128(38, scale)) == expected


@pytest.mark.parametrize("tag", LOCALES)
@few
@given(values=st.lists(st.dates(), min_size=10))
def test_dates_equal_babel(tag: str, values: list[date]) -> None:
    language = read_language(tag)
    styles: tuple[Style, ...] = ("medium", "long", "full")
    for style in styles:
        expected = [in_own_digits(format_date(value, style, language.locale), language) for value in values]
        assert shown(values, FieldType.DATE, Reader(tag, "America/Santiago"), date_style=style) == expected


@pytest.mark.parametrize("tag", LOCALES)
@few
@given(values=st.lists(st.dates(), min_size=10))
def test_short_dates_are_numeric_with_the_whole_year(tag: str, values: list[date]) -> None:
    language = read_language(tag)
    expected = [in_own_digits(babel_short(value, language.locale), language) for value in values]
    assert shown(values, FieldType.DATE, Reader(tag)) == expected


@pytest.mark.parametrize("tag", LOCALES)
@few
@given(values=st.lists(INSTANTS, min_size=10), zone=st.sampled_from(ZONES))
def test_instants_equal_babel(tag: str, values: list[datetime], zone: str) -> None:
    assert shown(values, FieldType.DATETIME, Reader(tag, zone), date_style="medium") == babel_instants(
        values, "medium", zone, read_language(tag)
    )


@pytest.mark.parametrize("style", ["long", "full"])
@pytest.mark.parametrize("tag", LOCALES)
@fewest
@given(values=st.lists(INSTANTS, min_size=20), zone=st.sampled_from(ZONES))
def test_instants_equal_babel_with_the_name_of_their_zone(
    tag: str, style: Style, values: list[datetime], zone: str
) -> None:
    assert shown(values, FieldType.DATETIME, Reader(tag, zone), date_style=style) == babel_instants(
        values, style, zone, read_language(tag)
    )


@pytest.mark.parametrize("tag", LOCALES)
@few
@given(values=st.lists(INSTANTS, min_size=10), zone=st.sampled_from(ZONES))
def test_instants_are_short_dates_with_the_clock_to_the_second(tag: str, values: list[datetime], zone: str) -> None:
    language = read_language(tag)
    locale = language.locale
    glue = locale.datetime_formats["short"].replace("'", "")
    local = [value.astimezone(ZoneInfo(zone)) for value in values]
    expected = [
        glue.replace("{0}", format_time(value, "medium", locale=locale)).replace("{1}", babel_short(value, locale))
        for value in local
    ]
    assert shown(values, FieldType.DATETIME, Reader(tag, zone)) == [in_own_digits(text, language) for text in expected]


@pytest.mark.parametrize("tag", LOCALES)
@few
@given(values=st.lists(st.times(), min_size=10))
def test_times_equal_babel(tag: str, values: list[time]) -> None:
    language = read_language(tag)
    values = [*values, time(0), time(12), time(12, 0, 0, 5), time(23, 59, 59)]
    expected = [in_own_digits(format_time(value, "medium", locale=language.locale), language) for value in values]
    assert shown(values, FieldType.TIME, Reader(tag, "America/Santiago")) == expected


@pytest.mark.slow
@pytest.mark.parametrize("identifier", locale_identifiers())
def test_every_locale_of_cldr_can_be_written(identifier: str) -> None:
    language = read_language(identifier)
    reader = Reader(identifier if identifier != "en" else "en-US", "America/Santiago")
    values = [datetime(2026, 1 + month % 12, 1 + month, 5 * month % 24, 7, 9, tzinfo=UTC) for month in range(24)]
    expected = babel_instants(values, "full", "America/Santiago", language)
    assert shown(values, FieldType.DATETIME, reader, date_style="full") == expected
    assert shown([-1234567], FieldType.INTEGER, reader) == [babel_number(-1234567, language)]
