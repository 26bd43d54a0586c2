"""An adviser's address book, as Altafid sees it: contacts, organisations, households, and fields the customer added."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from offtake.demo.words import (
    CITIES,
    COMPANIES,
    COUNTRIES,
    Cast,
    Row,
    Tables,
    day,
    instant,
    moment,
    money,
    person,
    utc,
)

CONTACTS, ORGANISATIONS, HOUSEHOLDS = 20_000, 3_000, 2_500
STAGES = ("Lead", "Prospect", "Client")
CONTACT_TYPES = ("ACTIVE", "INACTIVE", "ARCHIVED")
TAGS = ("vip", "newsletter", "referral", "événement", "日本", 'so-called "friend"')
# What people really type into a notes field, and what spreadsheets and parsers trip over.
NOTES = (
    "=1+1",
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    '=HYPERLINK("http://example.com","click")',
    "\ttab first",
    'He said "tomorrow".\nThen she left.',
    "windows\r\nline ends",
    "a;b,c\td|e",
    "👩‍👩‍👧‍👦 family of four 🎉",
    "مرحبا بالعالم",
    "שלום לכולם",
    "日本語のメモ",
    "e\u0301 and é look alike",
    "İstanbul, Straße, ﬁne",
    "  spaces at both ends  ",
    "NULL",
    "NA",
    "true",
    "'quoted'",
    "100% sure; call +49 (30) 90-18 20",
    "＝full-width",
    "",
)
# uuid, label, type, form, position: `Referred by` stands in two forms.
CUSTOM_FIELDS = (
    ("risk", "Risk profile", "string", "onboarding", 1),
    ("income", "Yearly income", "number", "onboarding", 2),
    ("referrer", "Referred by", "string", "onboarding", 3),
    ("reviewed", "Last review", "date", "review", 1),
    ("referrer2", "Referred by", "string", "review", 2),
    ("consent", "Consent given", "boolean", "review", 3),
)
FIRST, LAST = utc(2019), utc(2026, 6)


def contacts(cast: Cast, dice: Random) -> Iterator[Row]:
    """People, with accents, quotes, newlines, formulas and emoji among them; about one value in ten is absent."""
    for number in range(cast.count(CONTACTS)):
        first, last = person(dice)
        created = moment(dice, FIRST, LAST)
        yield (
            cast.uuid_of("contact", number),
            first,
            last,
            dice.choice((None, "", person(dice)[1])),
            f"contact{number}@{cast.tenant}.example" if dice.random() < 0.9 else None,
            f"+56 2 {dice.randrange(10**4):04d} {dice.randrange(10**4):04d}" if dice.random() < 0.8 else None,
            dice.choices(STAGES, (5, 3, 2))[0],
            dice.choices(CONTACT_TYPES, (7, 2, 1))[0],
            f"{dice.randrange(10**9):09d}-{dice.choice('0123456789K')}" if dice.random() < 0.85 else None,
            f"{dice.randrange(10**20):020d}",
            f"{number:07d}",
            day(date(1940, 1, 1) + timedelta(days=dice.randrange(25_000))) if dice.random() < 0.9 else None,
            dice.random() < 0.75,
            money(dice, -5_000, 2_000_000) if dice.random() < 0.9 else None,
            dice.gauss(50, 20) if dice.random() < 0.9 else None,
            dice.choice(CITIES),
            dice.choice(COUNTRIES),
            _json(dice.sample(TAGS, dice.randrange(4))) if dice.random() < 0.9 else None,
            NOTES[number // 3 % len(NOTES)] if number % 3 == 0 else None,
            cast.uuid_of("household", number % cast.count(HOUSEHOLDS)) if number % 4 else None,
            cast.uuid_of("organisation", number % cast.count(ORGANISATIONS)) if number % 5 == 0 else None,
            _custom(cast, dice),
            instant(created),
            instant(created + timedelta(hours=dice.randrange(5_000))),
            cast.tenant,
        )


def _custom(cast: Cast, dice: Random) -> str:
    values: dict[str, object] = {
        "risk": dice.choice(("low", "medium", "high", "=1+1")),
        "income": dice.randrange(10_000, 300_000),
        "referrer": " ".join(person(dice)),
        "reviewed": f"202{dice.randrange(6)}-0{dice.randrange(1, 10)}-15",
        "referrer2": None,
        "consent": dice.random() < 0.6,
    }
    return _json({cast.uuid_of("field", key): value for key, value in values.items() if dice.random() < 0.7})


def contact_fields(cast: Cast, dice: Random) -> Iterator[Row]:
    """The fields this tenant added to its contacts, form by form."""
    for key, label, type, form, position in CUSTOM_FIELDS:
        uuid, made = cast.uuid_of("field", key), instant(moment(dice, FIRST, utc(2020)))
        yield uuid, uuid, label, type, cast.uuid_of("form", form), form.capitalize(), position, made, cast.tenant


def organisations(cast: Cast, dice: Random) -> Iterator[Row]:
    """Companies and foundations."""
    for number in range(cast.count(ORGANISATIONS)):
        created = moment(dice, FIRST, LAST)
        yield (
            cast.uuid_of("organisation", number),
            f"{dice.choice(COMPANIES)} {number + 1}",
            dice.choice(("COMPANY", "FOUNDATION", "TRUST")),
            f"{dice.randrange(10**8):08d}-{dice.randrange(10)}",
            f"https://org{number}.{cast.tenant}.example" if dice.random() < 0.8 else None,
            int(dice.lognormvariate(3, 1.5)),
            dice.choice(CITIES),
            dice.choice(COUNTRIES),
            dice.random() < 0.85,
            instant(created),
            instant(created + timedelta(hours=dice.randrange(5_000))),
            cast.tenant,
        )


def households(cast: Cast, dice: Random) -> Iterator[Row]:
    """Who lives and invests together."""
    for number in range(cast.count(HOUSEHOLDS)):
        created = moment(dice, FIRST, LAST)
        yield (
            cast.uuid_of("household", number),
            f"{person(dice)[1]} household" if number % 11 else f'The "{person(dice)[1]}" family, {dice.choice(CITIES)}',
            dice.random() < 0.8,
            dice.randrange(1, 8),
            money(dice, 0, 5_000_000),
            instant(created),
            instant(created + timedelta(hours=dice.randrange(5_000))),
            cast.tenant,
        )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


TABLES: Tables = {
    "contacts": contacts,
    "contact_fields": contact_fields,
    "organisations": organisations,
    "households": households,
}
