"""Documents a machine has read, as Exelensia sees them: schemas, and one result per document with its line items."""

import json
from collections.abc import Iterator
from datetime import timedelta
from random import Random

from offtake.demo.words import ACME, COMPANIES, CURRENCIES, Cast, Row, Tables, instant, moment, money, utc

INVOICE_SCHEMA = {"acme": "019760a0-0001-7000-8000-000000000001", "globex": "019760a0-0001-7000-8000-0000000000a1"}
RECEIPT_SCHEMA = {"acme": "019760a0-0002-7000-8000-000000000002", "globex": "019760a0-0002-7000-8000-0000000000a2"}
FIELDS = (
    ("vendor", "string", "Vendor"),
    ("invoice_number", "string", "Invoice number"),
    ("invoice_date", "date", "Invoice date"),
    ("currency", "string", "Currency"),
    ("total", "number", "Total"),
    ("paid", "boolean", "Paid"),
    ("line_items", "array", "Line items"),
)
ITEM_FIELDS = (
    ("description", "string", "Description"),
    ("quantity", "integer", "Quantity"),
    ("unit_price", "number", "Unit price"),
)
GOODS = ("Paper A4", 'Screen 27"', "Coffee, ground", "Consulting", "Toner (black)", "Chaise d'été", "Kabel 2 m", "印章")
YEAR = utc(2025) - utc(2024)


def schemas(cast: Cast, dice: Random) -> Iterator[Row]:
    """Two each: invoices, which have an array field, and receipts, which have none."""
    items = [_field(*item) for item in ITEM_FIELDS]
    fields = [_field(*field) | ({"items": {"fields": items}} if field[0] == "line_items" else {}) for field in FIELDS]
    for number, (id, name, chosen) in enumerate(
        ((INVOICE_SCHEMA[cast.tenant], "Invoices", fields), (RECEIPT_SCHEMA[cast.tenant], "Receipts", fields[:5]))
    ):
        made = moment(dice, utc(2023, 11), utc(2023, 12))
        description = f"What {cast.tenant} reads from its {name.lower()}"
        yield (
            id,
            f"{name} ({cast.tenant})",
            description,
            _json(chosen),
            instant(made),
            instant(made + timedelta(days=number)),
            cast.tenant,
        )


def results(cast: Cast, dice: Random) -> Iterator[Row]:
    """One result at equal intervals through 2024; acme's all succeeded, globex had a few that failed."""
    total = cast.count(1200)
    for number in range(total):
        created = utc(2024) + YEAR * number / total
        failed = cast is not ACME and number % 20 == 7
        yield (
            cast.uuid_of("result", number),
            cast.uuid_of("process", number // 10),
            cast.uuid_of("file", number),
            INVOICE_SCHEMA[cast.tenant],
            "FAILED" if failed else "SUCCESS",
            _json({} if failed else _reading(dice, number)),
            instant(created),
            instant(created + timedelta(seconds=dice.randrange(2, 90))),
            cast.tenant,
        )


def _reading(dice: Random, number: int) -> dict[str, object]:
    """What was read from one invoice; some have no line items, some lack a value."""
    items = [
        {"description": dice.choice(GOODS), "quantity": dice.randrange(1, 20), "unit_price": float(money(dice, 1, 500))}
        for _ in range(number % 5)
    ]
    return {
        "vendor": dice.choice(COMPANIES),
        "invoice_number": f"{dice.randrange(10**8):08d}",
        "invoice_date": f"2024-{dice.randrange(1, 13):02d}-{dice.randrange(1, 29):02d}" if number % 17 else None,
        "currency": dice.choice(CURRENCIES),
        "total": round(sum(item["quantity"] * item["unit_price"] for item in items), 2),  # type: ignore[operator]
        "paid": dice.random() < 0.5,
        "line_items": items,
    }


def _field(key: str, type: str, label: str) -> dict[str, object]:
    return {"key": key, "type": type, "label": label}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


TABLES: Tables = {"extraction_schemas": schemas, "extraction_results": results}
