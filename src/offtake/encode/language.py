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
# RFC 5646 §2.1: language, script, region and variants, then extensions that begin with a single letter or digit.
TAG = re.compile(r"([a-z]{2,8}(?:-[a-z0-9]{2,8})*)((?:-[a-z0-9](?:-[a-z0-9]{2,8})+)*)", re.IGNORECASE)
NUMBERING = re.compile(r"-u-(?:[a-z0-9]{2,8}-)*?nu-([a-z0-9]{3,8})", re.IGNORECASE)
LONGEST_TAG = 35


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

    A language in a territory CLDR has no data for (English in Japan) is the language alone. Of the extensions
    (RFC 5646 §2.2.6) `-u-nu-` chooses the digits; others change nothing here.
    """
    parts = TAG.fullmatch(tag.replace("_", "-"))
    locale = _locale(parts[1]) if parts else None
    if parts is None or locale is None:
        raise InvalidRequest(f"There is no locale {tag[:LONGEST_TAG]!r}.", hint=_hint(tag), pointer="/locale")
    asked = NUMBERING.search(parts[2])
    numbering = asked[1].lower() if asked else locale.default_numbering_system
    if numbering not in ZEROS:
        raise InvalidRequest(
            f"Numbers cannot be written in the digits {numbering!r}.",
            hint=f"Digits: {', '.join(ZEROS)}.",
            pointer="/locale",
        )
    return Language(locale, numbering)


def _locale(core: str) -> Locale | None:
    for known in (core, _without_territory(core)):
        try:
            return Locale.parse(known, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return None


def _without_territory(core: str) -> str:
    language, _, territory = core.rpartition("-")
    return language if territory.upper() in Locale("en").territories else ""


def _hint(tag: str) -> str:
    known = [identifier.replace("_", "-") for identifier in locale_identifiers()]
    near = difflib.get_close_matches(tag[:LONGEST_TAG], known, n=3)
    return f"Did you mean {' or '.join(near)}?" if near else "Use a BCP 47 tag such as es-CL or pt-BR."
