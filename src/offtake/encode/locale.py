"""A reader's language and zone made into column writers, once per column, from the CLDR data that Babel carries.

No locale, or exactly `en`, is ISO 8601 and plain numbers. What is decided here, and why, stands in docs/locales.md.
"""

import pyarrow as pa
from babel.numbers import (
    UnsupportedNumberingSystemError,
    get_decimal_symbol,
    get_group_symbol,
    get_infinity_symbol,
    get_minus_sign_symbol,
)

from offtake.encode.language import Language, is_plain, read_language
from offtake.encode.patterns import compile_pattern, pattern_for
from offtake.encode.rows import ColumnWriter, NumberStyle, NumberWriter, PatternWriter, TextWriter, iso_writer
from offtake.encode.zones import zone_table
from offtake.model.dataset import FieldType
from offtake.model.export import Column, Reader

NO_GROUPS = 1000  # how CLDR patterns without a comma come out of Babel


def column_writer(column: Column, type: pa.DataType, reader: Reader, *, date_style: str | None = None) -> ColumnWriter:
    """How the values of a column become text for this reader; `type` is its Arrow type (see `RowStream`).

    `date_style` is short, medium, long, full or a CLDR pattern; without it ISO for plain readers, else short.
    Raises InvalidRequest for a locale or zone nobody knows, InvalidFormat for a pattern that cannot be followed.
    """
    kind = _temporal(type)
    pattern = pattern_text(reader, kind, date_style) if kind else ""
    if kind and pattern:
        language = _language(reader)
        zone = zone_table(reader.timezone if kind is FieldType.DATETIME else None)
        return PatternWriter(compile_pattern(pattern, language, zone), zone, language.digits)
    if pa.types.is_nested(type):
        return TextWriter(column.field)
    plain = iso_writer(type, reader.timezone, column.type)
    if isinstance(plain, NumberWriter) and not is_plain(reader.locale):
        return number_writer(_language(reader))
    return plain


def pattern_text(reader: Reader, type: FieldType, date_style: str | None = None) -> str:
    """The CLDR pattern in which this reader sees date, datetime or time; "" is ISO. `y` is the whole year."""
    if is_plain(reader.locale) and not date_style:
        return ""
    return pattern_for(type, _language(reader).locale, date_style or "short")


def number_writer(language: Language) -> NumberWriter:
    """Numbers as CLDR's decimal pattern has them, with every digit of the fraction the value has."""
    locale, numbering = language.locale, language.numbering
    try:
        get_decimal_symbol(locale, numbering_system=numbering)
    except UnsupportedNumberingSystemError:  # digits the tag asks for, of which CLDR has no symbols in this language
        numbering = "latn"
    pattern = locale.decimal_formats[None]
    minus = get_minus_sign_symbol(locale, numbering_system=numbering)
    primary, secondary = pattern.grouping
    style = NumberStyle(
        decimal=get_decimal_symbol(locale, numbering_system=numbering),
        group=get_group_symbol(locale, numbering_system=numbering) if primary < NO_GROUPS else "",
        primary=primary,
        secondary=secondary,
        negative=(pattern.prefix[1].replace("-", minus), pattern.suffix[1].replace("-", minus)),
        digits=language.digits,
    )
    nan = locale.number_symbols[numbering].get("nan", "NaN")
    return NumberWriter(style, nan=nan, infinity=get_infinity_symbol(locale, numbering_system=numbering))


def decimal_mark(tag: str | None) -> str:
    """The mark between a number's whole part and its fraction, "." for plain readers."""
    return "." if is_plain(tag) else number_writer(read_language(tag or "")).style.decimal


def check_reader(reader: Reader, date_style: str | None = None) -> None:
    """Raise InvalidRequest or InvalidFormat now for what `column_writer` would refuse later."""
    language, zone = _language(reader), zone_table(reader.timezone)
    if date_style:
        compile_pattern(pattern_for(FieldType.DATETIME, language.locale, date_style), language, zone)


def _language(reader: Reader) -> Language:
    return read_language(reader.locale or "en")


def _temporal(type: pa.DataType) -> FieldType | None:
    if pa.types.is_timestamp(type):
        return FieldType.DATETIME
    if pa.types.is_date(type):
        return FieldType.DATE
    return FieldType.TIME if pa.types.is_time(type) else None
