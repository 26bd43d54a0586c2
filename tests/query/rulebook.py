"""Random recurrence rules, the same every time, near what is hard about them: clock changes, month ends, leap days."""

# ruff: noqa: DTZ001  (rules are counted from local times, which have no zone yet)
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

ZONES = ("America/Santiago", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
# Shortly before clocks change there, a leap day, the ends of a month and of years with 52 and 53 weeks.
EDGES = (
    datetime(2026, 4, 1), datetime(2026, 9, 3), datetime(2026, 3, 5), datetime(2026, 10, 29), datetime(2026, 10, 1),
    datetime(2024, 2, 27), datetime(2026, 1, 29), datetime(2026, 12, 28), datetime(2020, 12, 30),
)  # fmt: skip
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True)
class Sample:
    """A rule, its zone and its local start."""

    rule: str
    zone: str
    start: datetime


def some_rules(number: int) -> list[Sample]:
    """So many of them."""
    dice = random.Random(5545)
    return [_sample(dice) for _ in range(number)]


def _sample(dice: random.Random) -> Sample:
    start = dice.choice(EDGES) + timedelta(days=dice.randrange(3), minutes=30 * dice.randrange(48))
    frequency = dice.choice(
        ("YEARLY", "MONTHLY", "MONTHLY", "WEEKLY", "WEEKLY", "DAILY", "DAILY", "HOURLY", "MINUTELY")
    )
    parts = [f"FREQ={frequency}", *_parts(dice, frequency)]
    if dice.random() < 0.5:
        parts.append(f"INTERVAL={dice.choice((2, 3, 5, 7, 12))}")
    if dice.random() < 0.3:
        parts.append(f"COUNT={dice.randrange(1, 15)}")
    elif dice.random() < 0.3:
        parts.append(f"UNTIL={start + timedelta(days=dice.randrange(1, 900)):%Y%m%dT%H%M%S}Z")
    if dice.random() < 0.3:
        parts.append(f"WKST={dice.choice(('SU', 'MO', 'WE'))}")
    return Sample(";".join(parts), dice.choice(ZONES), start)


def _parts(dice: random.Random, frequency: str) -> list[str]:
    parts = []
    if dice.random() < 0.3:
        parts.append(f"BYMONTH={_some(dice, range(1, 13), 4)}")
    if frequency == "YEARLY" and dice.random() < 0.3:
        return [*parts, f"BYWEEKNO={_some(dice, (1, 2, 20, 52, 53, -1, -2), 3)}", f"BYDAY={_some(dice, DAYS, 3)}"]
    if frequency == "YEARLY" and dice.random() < 0.3:
        parts.append(f"BYYEARDAY={_some(dice, (1, 59, 60, 61, 100, 200, 365, 366, -1, -306, -366), 4)}")
    elif frequency != "WEEKLY" and dice.random() < 0.4:
        parts.append(f"BYMONTHDAY={_some(dice, (1, 13, 28, 29, 30, 31, -1, -2, -31), 4)}")
    if dice.random() < 0.4:
        numbered = frequency in ("MONTHLY", "YEARLY") and dice.random() < 0.6
        signs = ("1", "2", "-1", "5", "-2") if numbered else ("",)
        parts.append(f"BYDAY={_some(dice, [dice.choice(signs) + day for day in DAYS], 3)}")
    if dice.random() < 0.4:
        parts.append(f"BYHOUR={_some(dice, (0, 1, 2, 3, 9, 23), 3)}")
    if dice.random() < 0.4:
        parts.append(f"BYMINUTE={_some(dice, (0, 15, 30, 59), 3)}")
    if parts and frequency in ("YEARLY", "MONTHLY", "DAILY") and dice.random() < 0.3:
        parts.append(f"BYSETPOS={_some(dice, (1, 2, -1, 3), 2)}")
    return parts


def _some(dice: random.Random, choices: object, most: int) -> str:
    listed = [str(each) for each in choices]  # type: ignore[attr-defined]
    return ",".join(dice.sample(listed, dice.randrange(1, min(most, len(listed)) + 1)))
