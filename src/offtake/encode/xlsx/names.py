"""Names in a workbook: sheets within Excel's rules, columns as letters, text as ECMA-376 wants it."""

import re
from collections.abc import Collection

from offtake.encode.rows import Escape, Mode, escape_text

SHEET_NAME_CHARACTERS = 31  # as Excel counts: UTF-16 units
CELL_CHARACTERS = 32_767
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f\x7f-\x9f\ud800-\udfff￾￿]")
_EDGE = "'" + "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_ESCAPE = Escape(Mode.XLSX, limit=CELL_CHARACTERS)


def sheet_name(wish: str, taken: Collection[str] = (), ordinal: int = 1) -> str:
    """The nearest name Excel takes: no `[]:*?/\\`, at most 31 characters, not `History`, not in `taken`, never empty.

    From the second sheet on the ordinal stands behind it. `taken` names are in casefolded form.
    """
    name = _FORBIDDEN.sub("_", wish).strip(_EDGE) or "Data"
    while True:
        suffix = f" {ordinal}" if ordinal > 1 else ""
        fitted = _cut(name, SHEET_NAME_CHARACTERS - len(suffix)).rstrip(_EDGE) + suffix
        if fitted.casefold() not in taken and fitted.casefold() != "history":
            return fitted
        ordinal += 1


def column_letters(index: int) -> str:
    """0 is A, 25 Z, 26 AA."""
    letters = ""
    number = index + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def xml_text(text: str) -> str:
    """The text for an XML element or attribute of type ST_Xstring (ECMA-376-1 §22.9.2.19)."""
    valid = text.encode("utf-8", "replace").decode()  # half a surrogate pair has no UTF-8
    return escape_text(valid, _ESCAPE).replace('"', "&quot;")


def _cut(text: str, characters: int) -> str:
    """As much of the text as so many UTF-16 units hold, no character halved."""
    return text.encode("utf-16-le")[: 2 * characters].decode("utf-16-le", "ignore")
