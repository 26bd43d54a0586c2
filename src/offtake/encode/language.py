"""BCP 47 tags read into what Babel knows of them: CLDR data and the digits numbers are written with."""

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.localedata import locale_identifiers

from offtake.errors import InvalidRequest

# The digit zero of every numbering system whose ten digits follow one another (CLDR, numberingSystems.xml).
ZEROS = {
    "adlm": 0x1E950, "arab": 0x0660, "arabext": 0x06F0, "bali": 0x1B50, "beng": 0x09E6, "cakm": 0x11136, "cham": 0xAA50,
    "deva": 0x0966, "fullwide": 0xFF10, "gujr": 0x0AE6, "guru": 0x0A66, "hmnp": 0x1E140, "java": 0xA9D0, "khmr": 0x17E0,
    "knda": 0x0CE6, "laoo": 0x0ED0, "latn": 0x0030, "lepc": 0x1C40, "limb": 0x1946, "mlym": 0x0D66, "mong": 0x1810,
    "mtei": 0xABF0, "mymr": 0x1040, "nkoo": 0x07C0, "olck": 0x1C50, "orya": 0x0B66, "sinh": 0x0DE6, "sund": 0x1BB0,
    "tamldec": 0x0BE6, "telu": 0x0C66, "thai": 0x0E50, "tibt": 0x0F20, "vaii": 0xA620,
}  # fmt: skip


@dataclass(frozen=True)
class Language:
    """A locale with the numbering system its numbers are written in, its own or the one the tag asks for (`-u-nu-`)."""

    locale: Locale
    numbering: str

    @property
    def digits(self) -> str:
        """The ten digits, zero first."""
        zero = ZEROS[self.numbering]
        return "".join(chr(zero + digit) for digit in range(10))


def is_plain(tag: str | None) -> bool:
    """Whether this reader gets ISO 8601 and plain numbers: no locale, or exactly `en`."""
    return not tag or tag.lower() == "en"


@lru_cache(maxsize=256)
def read_language(tag: str) -> Language:
    """The language of a BCP 47 tag (`_` for `-` is taken too). Raises InvalidRequest for one Babel does not know.

    Of the extensions (RFC 5646 §2.2.6) `-u-nu-` chooses the digits; others change nothing here.
    """
    core, _, extension = re.sub(r"-([0-9a-z])-", r"|\1-", tag.replace("_", "-"), flags=re.IGNORECASE).partition("|")
    try:
        locale = Locale.parse(core, sep="-")
    except (UnknownLocaleError, ValueError, TypeError) as error:
        raise InvalidRequest(f"There is no locale {tag!r}.", hint=_hint(core), pointer="/locale") from error
    asked = re.search(r"u-(?:[^|]*-)?nu-([0-9a-z]{3,8})", extension, flags=re.IGNORECASE)
    numbering = asked[1].lower() if asked else locale.default_numbering_system
    if numbering not in ZEROS:
        raise InvalidRequest(
            f"Numbers cannot be written in the digits {numbering!r}.",
            hint=f"Digits: {', '.join(ZEROS)}.",
            pointer="/locale",
        )
    return Language(locale, numbering)


def _hint(core: str) -> str:
    known = [identifier.replace("_", "-") for identifier in locale_identifiers()]
    near = difflib.get_close_matches(core, known, n=3)
    return f"Did you mean {' or '.join(near)}?" if near else "Use a BCP 47 tag such as es-CL or pt-BR."
