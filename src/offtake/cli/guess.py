"""What `offtake init` guesses from names."""

import re
from dataclasses import dataclass

from offtake.model.dataset import FieldType
from offtake.model.ports import Table

TENANT_NAMES = (
    "tenant_id", "tenant_uuid", "tenant", "tenant_key", "tenant_name", "org_id", "organization_id", "organisation_id",
    "org_uuid", "workspace_id", "account_id", "company_id",
)  # fmt: skip
DATE_NAMES = (
    "created_at", "created_on", "created_time", "created", "creation_date", "date_created", "inserted_at",
    "occurred_at", "timestamp", "date",
)  # fmt: skip
_CAPITALS = frozenset({"id", "uuid", "url", "ip", "vat", "iban", "sku", "api", "html", "json", "pdf", "csv"})


@dataclass(frozen=True)
class KeyGuess:
    """The columns that make a row one of its kind; a primary key is no guess."""

    columns: tuple[str, ...]
    is_guess: bool


def tenant_column(table: Table) -> str:
    """The column that seems to say whose row it is; empty if none does."""
    return _first_named(TENANT_NAMES, [field.column for field in table.fields])


def date_field(table: Table) -> str:
    """The date or instant people most likely mean by "from" and "to"; empty if there is none."""
    dated = [field.name for field in table.fields if field.type in (FieldType.DATE, FieldType.DATETIME)]
    return _first_named(DATE_NAMES, dated) or next(iter(dated), "")


def key_columns(table: Table) -> KeyGuess:
    """The primary key, or else a column named like one."""
    if table.key:
        return KeyGuess(table.key, is_guess=False)
    found = _first_named(("id", "uuid"), [field.column for field in table.fields])
    return KeyGuess((found,) if found else (), is_guess=True)


def label_of(name: str) -> str:
    """`first_name` and `firstName` as `First Name`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\s.-]+", " ", name)
    words = [word.upper() if word.lower() in _CAPITALS else word[:1].upper() + word[1:] for word in spaced.split()]
    return " ".join(words) or name


def _first_named(wanted: tuple[str, ...], names: list[str]) -> str:
    """The first of the wanted names that is there, whichever way it is written."""
    plain = {re.sub(r"[_\s-]", "", name).casefold(): name for name in reversed(names)}
    return next((plain[key] for key in (name.replace("_", "") for name in wanted) if key in plain), "")
