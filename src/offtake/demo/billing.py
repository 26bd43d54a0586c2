"""A subscription business, as Rebilly sees it: customers, subscriptions, transactions, invoices, items, disputes."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from offtake.demo.words import CITIES, COUNTRIES, CURRENCIES, Cast, Row, Tables, instant, moment, money, person, utc

CUSTOMERS, SUBSCRIPTIONS, TRANSACTIONS, INVOICES, ITEMS, DISPUTES = 10_000, 12_000, 100_000, 8_000, 16_000, 600
PLANS = ("basic-monthly", "pro-monthly", "pro-yearly", "enterprise")
GATEWAYS = ("Stripe", "Adyen", "Worldpay", "TestProcessor")
PRODUCTS = ("Seat", "Extra storage", "Support, gold", "Set-up fee", 'Cable 3/4"', "=SUM(seats)")
REASONS = ("fraudulent", "duplicate", "product-not-received", "subscription-cancelled")
FIRST, LAST = utc(2023), utc(2026, 6)


def customers(cast: Cast, dice: Random) -> Iterator[Row]:
    """Who pays, with what they have paid so far."""
    for number in range(cast.count(CUSTOMERS)):
        first, last = person(dice)
        created = moment(dice, FIRST, LAST)
        currency, payments = dice.choice(CURRENCIES), dice.randrange(40)
        revenue = float(money(dice, 0, 20_000)) if payments else 0.0
        country, city = dice.choice(COUNTRIES), dice.choice(CITIES)
        yield (
            cast.token_of("cus", number),
            f"customer{number}@{cast.tenant}.example",
            first,
            last,
            dice.choices(("active", "inactive", "blocked"), (8, 3, 1))[0],
            country,
            _json({"firstName": first, "lastName": last, "city": city, "country": country}),
            payments,
            _json({"currency": currency, "amount": revenue}),
            _json({"currency": currency, "amount": round(revenue / payments, 2) if payments else None}),
            _json(dice.sample(("vip", "trial", "reseller"), dice.randrange(3))),
            *_made(dice, created),
            cast.tenant,
        )


def subscriptions(cast: Cast, dice: Random) -> Iterator[Row]:
    """What they subscribed to."""
    for number in range(cast.count(SUBSCRIPTIONS)):
        created = moment(dice, FIRST, LAST)
        status = dice.choices(("active", "trialing", "paused", "past-due", "canceled", "churned"), (9, 1, 1, 1, 3, 2))[
            0
        ]
        ended = status in ("canceled", "churned")
        yield (
            cast.token_of("sub", number),
            cast.token_of("cus", dice.randrange(cast.count(CUSTOMERS))),
            dice.choice(PLANS),
            status,
            dice.randrange(1, 25),
            dice.choice(CURRENCIES),
            money(dice, 5, 900),
            dice.random() < 0.9,
            instant(created),
            None if ended else instant(created + timedelta(days=30 * dice.randrange(1, 40))),
            instant(created + timedelta(days=dice.randrange(1, 400))) if ended else None,
            *_made(dice, created),
            cast.tenant,
        )


def transactions(cast: Cast, dice: Random) -> Iterator[Row]:
    """Every attempt to move money; a pending one has not been processed."""
    span_s = int((LAST - FIRST).total_seconds())
    for number in range(cast.count(TRANSACTIONS)):
        created = FIRST + timedelta(seconds=dice.randrange(span_s))
        status = dice.choices(("completed", "declined", "pending", "canceled"), (85, 10, 3, 2))[0]
        processed = (
            None if status == "pending" else instant(created + timedelta(milliseconds=dice.randrange(200, 90_000)))
        )
        yield (
            cast.token_of("txn", number),
            cast.token_of("cus", dice.randrange(cast.count(CUSTOMERS))),
            dice.choices(("sale", "refund", "authorize", "void"), (88, 5, 5, 2))[0],
            status,
            {"completed": "approved", "declined": "declined"}.get(status, "unknown"),
            money(dice, 1, 2_500),
            dice.choice(CURRENCIES),
            dice.choice(("payment-card", "paypal", "ach")),
            dice.choice(GATEWAYS),
            f"{dice.randrange(10**6):06d}" if number % 3 else None,
            dice.random() < 0.5,
            processed,
            *_made(dice, created),
            cast.tenant,
        )


def invoices(cast: Cast, dice: Random) -> Iterator[Row]:
    """What was asked for."""
    for number in range(cast.count(INVOICES)):
        issued = moment(dice, FIRST, LAST)
        status = dice.choices(("paid", "unpaid", "past-due", "voided", "draft"), (14, 2, 2, 1, 1))[0]
        amount = money(dice, 5, 5_000)
        yield (
            cast.token_of("in", number),
            f"{cast.tenant[:2].upper()}{number + 1:06d}",
            cast.token_of("cus", dice.randrange(cast.count(CUSTOMERS))),
            status,
            dice.choice(CURRENCIES),
            amount,
            "0.00" if status in ("paid", "voided") else amount,
            None if status == "draft" else instant(issued),
            instant(issued + timedelta(days=14)),
            instant(issued + timedelta(days=dice.randrange(30))) if status == "paid" else None,
            *_made(dice, issued),
            cast.tenant,
        )


def invoice_items(cast: Cast, dice: Random) -> Iterator[Row]:
    """What it was asked for."""
    for number in range(cast.count(ITEMS)):
        quantity, cents = dice.randrange(1, 12), dice.randrange(100, 90_000)
        product = dice.randrange(len(PRODUCTS))
        yield (
            cast.token_of("ii", number),
            cast.token_of("in", number % cast.count(INVOICES)),
            cast.token_of("prod", product),
            "credit" if number % 20 == 0 else "debit",
            PRODUCTS[product],
            quantity,
            f"{cents / 100:.2f}",
            f"{quantity * cents / 100:.2f}",
            dice.choice(CURRENCIES),
            *_made(dice, moment(dice, FIRST, LAST)),
            cast.tenant,
        )


def disputes(cast: Cast, dice: Random) -> Iterator[Row]:
    """What they would rather not have paid."""
    for number in range(cast.count(DISPUTES)):
        created = moment(dice, FIRST, LAST)
        yield (
            cast.token_of("dsp", number),
            cast.token_of("cus", dice.randrange(cast.count(CUSTOMERS))),
            cast.token_of("txn", dice.randrange(cast.count(TRANSACTIONS))),
            dice.choice(("response-needed", "under-review", "won", "lost", "forfeited")),
            dice.choice(("first-chargeback", "information-request", "fraud")),
            dice.choice(REASONS),
            money(dice, 10, 2_500),
            dice.choice(CURRENCIES),
            instant(created + timedelta(days=10)),
            *_made(dice, created),
            cast.tenant,
        )


def _made(dice: Random, created: datetime) -> tuple[str, str]:
    """When it was created and last changed."""
    return instant(created), instant(created + timedelta(minutes=dice.randrange(60_000)))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


TABLES: Tables = {
    "customers": customers,
    "subscriptions": subscriptions,
    "transactions": transactions,
    "billing_invoices": invoices,
    "invoice_items": invoice_items,
    "disputes": disputes,
}
