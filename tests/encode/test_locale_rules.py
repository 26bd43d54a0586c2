"""Which language, digits, zone and pattern a reader gets, and what is refused."""

import re
import unicodedata
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from babel.dates import PATTERN_CHARS, format_datetime
from babel.localedata import locale_identifiers

from offtake.encode.language import ZEROS, Language, read_language
from offtake.encode.locale import check_reader, column_writer, decimal_mark, pattern_text
from offtake.encode.rows import Cell, RowTemplate, iso_writer, render
from offtake.errors import InvalidFormat, InvalidRequest
from offtake.model.dataset import Field, FieldType
from offtake.model.export import Column, Reader

DOCS = Path(__file__).parents[2] / "docs" / "locales.md"
AFTERNOON = datetime(2026, 5, 31, 18, 5, 9, 123456, tzinfo=UTC)
INSTANT, DATE, TIME = pa.timestamp("us", "UTC"), pa.date32(), pa.time64("us")
ARROW_TYPES = {
    FieldType.INTEGER: pa.int64(),
    FieldType.NUMBER: pa.float64(),
    FieldType.DECIMAL: pa.decimal128(12, 2),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.STRING: pa.string(),
    FieldType.DATE: DATE,
    FieldType.DATETIME: INSTANT,
    FieldType.TIME: TIME,
}


def shown(value: Any, type: FieldType, reader: Reader, date_style: str | None = None, text: bool = False) -> str:
    arrow_type = pa.string() if text else ARROW_TYPES[type]
    column = Column(Field(name="x", type=type, column="x", label="X"))
    writer = column_writer(column, arrow_type, reader, date_style=date_style)
    batch = pa.record_batch({"x": pa.array([value], arrow_type)})
    return render(batch, RowTemplate((Cell(0, writer),))).decode()


@pytest.mark.parametrize("locale", [None, "", "en", "EN"])
@pytest.mark.parametrize("type", ARROW_TYPES)
def test_no_locale_and_en_are_the_iso_writers(locale: str | None, type: FieldType) -> None:
    column = Column(Field(name="x", type=type, column="x", label="X"))
    arrow_type, reader = ARROW_TYPES[type], Reader(locale, "America/Santiago")
    assert column_writer(column, arrow_type, reader) == iso_writer(arrow_type, "America/Santiago", type)


def test_chilean_dates_and_decimals_are_as_chileans_write_them() -> None:
    reader = Reader("es-CL", "America/Santiago")
    assert shown(date(2026, 5, 31), FieldType.DATE, reader) == "31/05/2026"
    assert shown(AFTERNOON, FieldType.DATETIME, reader) == "31/05/2026, 2:05:09\u202fp.\u202fm."
    assert shown(Decimal("-1234567.50"), FieldType.DECIMAL, reader) == "-1.234.567,50"


@pytest.mark.parametrize("tag", ["es-CL", "es_CL", "ES-cl", "es-Latn-CL", "es-CL-u-ca-gregory", "es-CL-x-bank"])
def test_a_locale_is_known_in_any_spelling(tag: str) -> None:
    assert shown(date(2026, 5, 31), FieldType.DATE, Reader(tag)) == "31/05/2026"


def test_the_tag_may_choose_the_digits() -> None:
    assert shown(1234567, FieldType.INTEGER, Reader("th-TH-u-nu-thai")) == "๑,๒๓๔,๕๖๗"
    assert shown(1234567, FieldType.INTEGER, Reader("ar-EG-u-nu-latn")) == "1,234,567"
    assert shown(1234567, FieldType.INTEGER, Reader("hi-u-ca-gregory-nu-deva")) == "१२,३४,५६७"


@pytest.mark.parametrize("tag", ["xx", "tlh", "es-XX", "Spanish", "x-private", "-", "es-CL; drop", "e" * 500, "\0"])
def test_unknown_locale_is_refused(tag: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_reader(Reader(tag))
    assert refusal.value.problems[0][0] == "/locale"


def test_refusals_name_the_nearest_locale() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_language("es-CLL")
    assert "es-CL" in refusal.value.hint


def test_a_language_abroad_is_the_language_alone() -> None:
    assert read_language("es-JP").locale == read_language("es").locale
    assert shown(date(2026, 5, 31), FieldType.DATE, Reader("en-JP")) == "5/31/2026"


def test_unknown_digits_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="roman"):
        read_language("de-u-nu-roman")


def test_every_language_has_its_digits() -> None:
    assert {read_language(tag).numbering for tag in locale_identifiers()} <= set(ZEROS)


@pytest.mark.parametrize("numbering", ZEROS)
def test_digits_are_the_ten_digits_of_unicode(numbering: str) -> None:
    language = Language(read_language("en-US").locale, numbering)
    assert [unicodedata.decimal(digit) for digit in language.digits] == list(range(10))


@pytest.mark.parametrize("locale", [None, "es-CL", "ar-EG"])
def test_a_date_never_moves(locale: str | None) -> None:
    assert shown(date(2026, 5, 31), FieldType.DATE, Reader(locale, "Pacific/Apia")) == shown(
        date(2026, 5, 31), FieldType.DATE, Reader(locale, "America/Santiago")
    )


@pytest.mark.parametrize("locale", [None, "es-CL", "ar-EG"])
def test_a_time_of_day_never_moves(locale: str | None) -> None:
    assert shown(time(14, 5), FieldType.TIME, Reader(locale, "Pacific/Apia")) == shown(
        time(14, 5), FieldType.TIME, Reader(locale)
    )


def test_both_hours_of_a_change_to_winter_time_are_told_apart_by_the_name_of_the_zone() -> None:
    reader = Reader("de", "Europe/Berlin")
    hours = [shown(datetime(2026, 10, 25, hour, 30, tzinfo=UTC), FieldType.DATETIME, reader, "long") for hour in (0, 1)]
    assert [text.split(", ")[1] for text in hours] == ["02:30:00 MESZ", "02:30:00 MEZ"]


@pytest.mark.parametrize("locale", [None, "en", "es-CL", "ar-EG"])
def test_booleans_are_true_and_false_everywhere(locale: str | None) -> None:
    assert shown(True, FieldType.BOOLEAN, Reader(locale)) == "true"


@pytest.mark.parametrize("locale", [None, "es-CL", "ar-EG"])
def test_text_stays_as_it_is(locale: str | None) -> None:
    assert shown("1234.5", FieldType.STRING, Reader(locale)) == "1234.5"


def test_decimals_without_bound_keep_their_digits() -> None:
    digits = "-12345678901234567890123456789012345678901234567890.10"
    expected = "-12.345.678.901.234.567.890.123.456.789.012.345.678.901.234.567.890,10"
    assert shown(digits, FieldType.DECIMAL, Reader("es-CL"), text=True) == expected


def test_what_is_no_number_has_its_own_words() -> None:
    assert shown(float("inf"), FieldType.NUMBER, Reader("es-CL")) == "∞"
    assert shown(float("-inf"), FieldType.NUMBER, Reader("es-CL")) == "-∞"
    assert shown(float("nan"), FieldType.NUMBER, Reader("ru")) == "не\u00a0число"


@pytest.mark.parametrize("letter", sorted(set(PATTERN_CHARS) - set("SYwWFgAb")))
@pytest.mark.parametrize("tag", ["de", "ar-EG", "zh-Hant"])
def test_every_letter_of_a_pattern_equals_babel(letter: str, tag: str) -> None:
    language = read_language(tag)
    for count in PATTERN_CHARS[letter] or (1, 2, 3, 4, 5):
        if (letter, count) in (("O", 1), ("u", 2)):  # Babel has no short offsets, and cuts years that CLDR keeps whole
            continue
        pattern = f"'at' {letter * count} ''"
        expected = format_datetime(AFTERNOON, pattern, tzinfo=UTC, locale=language.locale)
        digits = str.maketrans("0123456789", language.digits)
        style = pattern if letter in "HhKkmsaBzZvVxXO" else f"{pattern} H"
        text = shown(AFTERNOON, FieldType.DATETIME, Reader(tag), style)
        assert text.removesuffix(" ١٨").removesuffix(" 18") == expected.translate(digits)


def test_a_pattern_is_for_dates_and_the_clock_follows_instants() -> None:
    reader = Reader("de", "Europe/Berlin")
    assert shown(date(2026, 5, 31), FieldType.DATE, reader, "dd.MM.yyyy") == "31.05.2026"
    assert shown(AFTERNOON, FieldType.DATETIME, reader, "dd.MM.yyyy") == "31.05.2026, 20:05:09"


def test_a_pattern_with_a_clock_is_for_instants_alone() -> None:
    reader = Reader("de", "Europe/Berlin")
    assert shown(AFTERNOON, FieldType.DATETIME, reader, "d.M.yyyy HH:mm:ss.SSS") == "31.5.2026 20:05:09.123"
    assert shown(date(2026, 5, 31), FieldType.DATE, reader, "d.M.yyyy HH:mm") == "31.05.2026"


def test_a_style_without_locale_is_english() -> None:
    assert shown(date(2026, 5, 31), FieldType.DATE, Reader(), "long") == "May 31, 2026"
    assert shown(1234567, FieldType.INTEGER, Reader(), "long") == "1234567"


@pytest.mark.parametrize(
    "style",
    [
        "Short",
        "medum",
        "lung",
        "bb",
        "ww",
        "Y",
        "d 'of",
        "dd.MM.yyyy nonsense",
        "SSSSSSS",
        "y" * 10,
        "ddd",
        "A",
        "' '" * 100,
    ],
)
def test_patterns_that_cannot_be_followed_are_refused(style: str) -> None:
    with pytest.raises(InvalidFormat) as refusal:
        check_reader(Reader("de"), style)
    assert refusal.value.problems[0][0] == "/options/date_style"


@pytest.mark.parametrize("pattern", ["dd", "EEEE, d MMMM y", "yyyyMMdd", "d. 'de' MMM", "QQQ y", "HH 'o''clock'", "-"])
def test_patterns_that_can_be_followed_are_accepted(pattern: str) -> None:
    check_reader(Reader("de", "Europe/Berlin"), pattern)


def test_unknown_zone_is_refused_before_anything_is_read() -> None:
    with pytest.raises(InvalidRequest):
        check_reader(Reader("de", "Mars/Base"))


def test_decimal_marks_are_known_for_csv_profiles() -> None:
    assert [decimal_mark(tag) for tag in (None, "en", "en-US", "es-CL", "de-CH", "ar-EG")] == [
        ".",
        ".",
        ".",
        ",",
        ".",
        "٫",
    ]


def test_pattern_texts_are_known_for_spreadsheets() -> None:
    assert pattern_text(Reader("es-CL"), FieldType.DATE) == "dd/MM/y"
    assert pattern_text(Reader("sv"), FieldType.DATETIME) == "y-MM-dd HH:mm:ss"
    assert pattern_text(Reader("en"), FieldType.DATE) == ""


def documented() -> list[list[str]]:
    """The rows of the table of examples."""
    table = DOCS.read_text().split("<!-- examples -->")[1].split("\n\n")[0]
    return [re.split(r" *\| *", line.strip("| ")) for line in table.strip().splitlines()[2:]]


@pytest.mark.parametrize("row", documented(), ids=lambda row: row[0])
def test_the_examples_of_the_documentation_hold(row: list[str]) -> None:
    tag, *cells = (cell.strip("`") for cell in row)
    reader = Reader(None if tag == "none" else tag, "America/Santiago")
    values = (Decimal("-1234567.50"), date(2026, 5, 31), AFTERNOON)
    types = (FieldType.DECIMAL, FieldType.DATE, FieldType.DATETIME)
    texts = [shown(value, type, reader) for value, type in zip(values, types, strict=True)]
    texts.append(shown(AFTERNOON, FieldType.DATETIME, reader, "long"))
    assert texts == cells
