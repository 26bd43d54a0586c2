"""Number formats: how Excel shows what a cell holds (ECMA-376-1 §18.8.31), from CLDR date patterns."""

import re

ISO_DATE = "yyyy\\-mm\\-dd"
ISO_TIME = "hh:mm:ss"
ISO_DATETIME = "yyyy\\-mm\\-dd hh:mm:ss"
INTEGER = "0"  # the general format shows 123456789012 as 1.23457E+11

_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']")
_FIELDS = {
    "y": ("yyyy",),
    "u": ("yyyy",),
    "M": ("m", "mm", "mmm", "mmmm", "mmmmm"),
    "L": ("m", "mm", "mmm", "mmmm", "mmmmm"),
    "d": ("d", "dd"),
    "E": ("ddd", "ddd", "ddd", "dddd"),
    "H": ("h", "hh"),
    "k": ("h", "hh"),
    "h": ("h", "hh"),
    "K": ("h", "hh"),
    "m": ("m", "mm"),
    "s": ("s", "ss"),
    "a": ("AM/PM",),
    "b": ("AM/PM",),
    "B": ("AM/PM",),
}
_NAMED = re.compile(r"m{3,}|d{3,}")


def date_format(pattern: str, locale: str = "") -> str:
    """The number format for a CLDR date, time or date-time pattern (UTS 35 part 4). Eras and zones fall away.

    Names of months and days are in the locale's language. Years always have four digits.
    """
    pieces = [_piece(found) for found in _TOKEN.finditer(pattern)]
    code = "".join(pieces).strip()
    return f"[$-{locale.replace('_', '-')}]{code}" if locale and _NAMED.search(code) else code


def decimal_format(scale: int, grouped: bool) -> str:
    """All digits of the scale; thousands apart if asked for. Excel takes marks from its own settings."""
    return ("#,##0" if grouped else "0") + ("." + "0" * scale if scale > 0 else "")


def shown_length(code: str) -> int:
    """About how many characters a value takes in this format."""
    return len(code.rpartition("]")[2].replace("\\", ""))


def _piece(found: re.Match[str]) -> str:
    """One token: a date field, or literal text with every character that could mean something escaped."""
    text = found[0]
    if found[2] is not None:
        forms = _FIELDS.get(text[0], ("",))
        return forms[min(len(text), len(forms)) - 1]
    literal = text if found[1] is None else (found[1].replace("''", "'") or "'")
    return "".join(c if c in " :" else f"\\{c}" for c in literal)
