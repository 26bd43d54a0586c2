"""Business processes that ran, as Camunda Optimize sees them: raw process instances with their variables."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from offtake.demo.words import ACME, COMPANIES, Cast, Row, Tables, instant, moment, utc

# The four records that Camunda's page shows: definition, instance, start, duration in ms.
FAMOUS = (
    ("1801", "1809", "2021-12-02T17:21:49.330+02:00", 0),
    ("1801", "1804", "2021-12-02T17:21:49.297+02:00", 1),
    (
        "1bc9474d-5762-11ec-8b2c-0242ac120003",
        "1bdafab8-5762-11ec-8b2c-0242ac120003",
        "2021-12-07T15:32:22.739+02:00",
        1,
    ),
    (
        "1bc9474d-5762-11ec-8b2c-0242ac120003",
        "1bda3763-5762-11ec-8b2c-0242ac120003",
        "2021-12-07T15:32:22.735+02:00",
        0,
    ),
)
SMALL, LARGE, MIDDLE = 11, 25_000, 500


def process_instances(cast: Cast, dice: Random) -> Iterator[Row]:
    """In acme 11 of `aProcess`, 25,000 of `orderFulfilment` and 500 of `invoiceApproval`, of which some still run."""
    famous = FAMOUS if cast is ACME else ()
    for version, instance, started, duration_ms in famous:
        names = ("aProcess", f"aProcess:1:{version}", instance, "aBusinessKey")
        yield _row(cast, names, datetime.fromisoformat(started).astimezone(UTC), duration_ms, {})
    for number in range(len(famous), SMALL if cast is ACME else SMALL - 4):
        start = moment(dice, utc(2021, 12, 3), utc(2021, 12, 7))
        names = ("aProcess", "aProcess:2:2204", cast.uuid_of("aProcess", number), "aBusinessKey")
        yield _row(cast, names, start, dice.randrange(900), {})
    for key, count in (("orderFulfilment", cast.count(LARGE)), ("invoiceApproval", cast.count(MIDDLE))):
        for number in range(count):
            yield _ordinary(cast, dice, key, number)


def _ordinary(cast: Cast, dice: Random, key: str, number: int) -> Row:
    start = moment(dice, utc(2021), utc(2022))
    duration_ms = None if number % 50 == 49 else int(dice.lognormvariate(12, 2))
    variables: dict[str, object] = {"amount": dice.randrange(100, 10**6) / 100, "approved": dice.random() < 0.7}
    if number % 3:
        variables["customer"] = dice.choice(COMPANIES)
    if number % 7 == 0:
        variables["tags"] = ["express", "fragile"][: 1 + number % 2]
    names = (
        key,
        f"{key}:{1 + number % 3}:{2000 + number % 3}",
        cast.uuid_of(key, number),
        f"{cast.tenant.upper()}-{number:06d}",
    )
    return _row(cast, names, start, duration_ms, variables)


def _row(
    cast: Cast, names: tuple[str, ...], start: datetime, duration_ms: int | None, variables: dict[str, object]
) -> Row:
    key, _, instance, _ = names
    return (
        cast.uuid_of(f"{key}/id", instance),
        *names,
        instant(start),
        None if duration_ms is None else instant(start + timedelta(milliseconds=duration_ms)),
        duration_ms,
        "camunda-bpm" if key == "aProcess" or names[1].endswith("0") else "camunda-batch",
        None if key == "aProcess" else f"{cast.tenant}-{key}",
        json.dumps(variables, ensure_ascii=False),
        cast.tenant,
    )


TABLES: Tables = {"process_instances": process_instances}
