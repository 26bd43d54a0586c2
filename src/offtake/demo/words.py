"""The demo's vocabulary: two tenants, names from many places, and dice that fall the same way at every start."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from random import Random

Row = tuple[object, ...]


@dataclass(frozen=True)
class Cast:
    """One tenant of the demo. It has one row where the larger tenant has `share`."""

    tenant: str
    share: int

    def count(self, rows: int) -> int:
        """How many rows this tenant has where acme has so many."""
        return rows // self.share

    def uuid_of(self, kind: str, number: int | str) -> str:
        """The id of this tenant's thing of that kind and number: the same at every start, and no other tenant's."""
        digits = _digest(f"{self.tenant}/{kind}/{number}")
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def token_of(self, prefix: str, number: int | str) -> str:
        """The same as a short prefixed token, such as `cus_0f3e…`."""
        return f"{prefix}_{_digest(f'{self.tenant}/{prefix}/{number}')[:26].upper()}"


ACME = Cast("acme", share=1)
GLOBEX = Cast("globex", share=10)
CASTS = (ACME, GLOBEX)

# What a module of demo data gives: for each of its tables, the rows of one tenant.
Tables = Mapping[str, Callable[[Cast, Random], Iterable[Row]]]


def dice_for(cast: Cast, table: str) -> Random:
    """Dice of its own for every tenant and table, so that one more row in one table changes no other."""
    return Random(f"{cast.tenant}/{table}")  # noqa: S311  (made-up data)


def instant(moment: datetime) -> str:
    """A UTC instant as SQLite keeps it: `2026-05-31 08:15:00.000`."""
    return moment.isoformat(sep=" ", timespec="milliseconds")[:23]


def day(value: date) -> str:
    """A day as SQLite keeps it: `2026-05-31`."""
    return value.isoformat()[:10]


def moment(dice: Random, first: datetime, last: datetime) -> datetime:
    """Some instant between the two, to the millisecond."""
    return first + timedelta(milliseconds=dice.randrange(int((last - first).total_seconds() * 1000)))


def utc(year: int, month: int = 1, day: int = 1) -> datetime:
    """Midnight UTC of a day."""
    return datetime(year, month, day, tzinfo=UTC)


def money(dice: Random, low: int, high: int) -> str:
    """An amount with two decimals between two whole ones; small amounts are more common than large ones."""
    cents = int((low + (high - low) * dice.random() ** 3) * 100)
    return f"{cents // 100}.{cents % 100:02d}"


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


FIRST_NAMES = (
    "Ana", "Zoë", "José", "Müge", "Søren", "François", "Łucja", "Jürgen", "Siobhán", "Nguyễn", "Dvořák", "Björk",
    "Иван", "Ольга", "Γιώργος", "أحمد", "ליאור", "美咲", "小明", "지훈", "आरव", "Ayşe", "İpek", "D'Arcy", "Jean-Luc",
    "Maria", "John", "Emma", "Mateo", "Sofía", "Liam", "Chloé", "Noah", "Ines", "Oskar",
)  # fmt: skip
LAST_NAMES = (
    "Muñoz", "O'Brien", "García López", "Strauß", "Ångström", "Kowalski", "Nováková", "Şahin", "Петрова",
    "Παπαδόπουλος", "حسن", "כהן", "佐藤", "王", "김", "शर्मा", "van der Berg", "de la Cruz", "Smith", "Jones",
    "Rossi", "Silva", "Weiß", "Larsson", "Dubois", "Ivanov", "Tanaka", "Okonkwo", "Nakamura-Hughes", "Fernández",
)  # fmt: skip
COMPANIES = (
    "Andes Capital", "Nordlicht GmbH", "Bäckerei Öztürk", "Smith & Sons", 'The "Quiet" Company', "Café Río; Ltda.",
    "東京商事", "Société Générale d'Été", "Łódź Logistics", "Alpha, Beta & Gamma", "Blue Whale Ltd", "Ferrari Fratelli",
)  # fmt: skip
COUNTRIES = ("US", "CA", "DE", "CL", "MX", "FR", "GB", "PL", "JP", "BR")
CITIES = ("Santiago", "Zürich", "São Paulo", "Köln", "Kraków", "Montréal", "東京", "New York", "Málaga", "İzmir")
CURRENCIES = ("USD", "EUR", "CAD", "GBP", "CLP")


def person(dice: Random) -> tuple[str, str]:
    """A first and a last name."""
    return dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES)
