"""A law firm's day, as Optimaite sees it: invoices, time entries, cases, parties, documents, deadlines."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from offtake.demo.words import (
    ACME,
    CITIES,
    COMPANIES,
    COUNTRIES,
    Cast,
    Row,
    Tables,
    day,
    dice_for,
    instant,
    moment,
    money,
    person,
    utc,
)

CASES, PARTIES = 600, 900
LAWYERS = ("Dr. Ida Berg", "Tomás Rivas", "Helena Krüger", "Yusuf Demir", "Claire Fontaine")
DEZERNATE = ("Arbeitsrecht", "Familienrecht", "Mietrecht", "Strafrecht", "Steuerrecht")
CASE_TYPES = ("litigation", "advisory", "contract", "mediation")
FOLDERS = ("Correspondence", "Court", "Evidence", "Contracts", "Invoices")
WORK = ("Phone call with client", "Drafting the reply", "Court hearing", "Research", "Review of contract", "Travel")
PAPERS = (("Reply", "application/pdf"), ("Power of attorney", "application/pdf"), ("Scan", "image/tiff"))
DUTIES = ("File the reply", "Appeal", "Pay court fees", "Limitation of claim", "Hearing")
OPENED, TODAY = utc(2021), utc(2026, 6)


def party_name(cast: Cast, number: int) -> str:
    """The name of a party, the same wherever it is mentioned."""
    dice = dice_for(cast, f"party/{number}")
    return " ".join(person(dice)) if number % 3 else f"{dice.choice(COMPANIES)} {number}"


def case_name(cast: Cast, number: int) -> str:
    """The name of a case, the same wherever it is mentioned."""
    if (cast, number) == (ACME, 0):
        return "Smith v. Jones"
    dice = dice_for(cast, f"case/{number}")
    return f"{person(dice)[1]} v. {person(dice)[1]} ({number})"


def invoices(cast: Cast, dice: Random) -> Iterator[Row]:
    """Numbered by year in order of their dates: acme's of May 2026 are RE-2026-031 to RE-2026-072, 42 of them."""
    may, spring = cast.count(42), cast.count(30)
    spans = (
        (cast.count(5000) - may - spring, OPENED, utc(2026)),
        (spring, utc(2026), utc(2026, 5)),
        (may, utc(2026, 5), TODAY),
    )
    issued = sorted(moment(dice, first, last) for count, first, last in spans for _ in range(count))
    in_year: Counter[int] = Counter()
    for number, when in enumerate(issued):
        in_year[when.year] += 1
        label = f"{'RE' if cast is ACME else 'GX'}-{when.year}-{in_year[when.year]:03d}"
        yield _invoice(cast, dice, number, label, when)


def _invoice(cast: Cast, dice: Random, number: int, label: str, issued: datetime) -> Row:
    famous = label == "RE-2026-042"
    case, party = (0, 0) if famous else (dice.randrange(cast.count(CASES)), dice.randrange(cast.count(PARTIES)))
    net = 225000 if famous else int(dice.lognormvariate(11.5, 1.0))
    tax = round(net * 0.19)
    status = (
        "paid" if famous else dice.choices(("draft", "sent", "paid", "overdue", "cancelled"), (5, 15, 65, 10, 5))[0]
    )
    paid = (
        instant(issued + timedelta(days=dice.randrange(1, 40), seconds=dice.randrange(86400)))
        if status == "paid"
        else None
    )
    return (
        cast.token_of("inv", number),
        label,
        cast.token_of("case", case),
        case_name(cast, case),
        cast.token_of("party", party),
        party_name(cast, party),
        status,
        day(issued),
        day(issued + timedelta(days=30)),
        paid,
        "EUR",
        f"{net / 100:.2f}",
        f"{tax / 100:.2f}",
        f"{(net + tax) / 100:.2f}",
        instant(issued),
        cast.tenant,
    )


def time_entries(cast: Cast, dice: Random) -> Iterator[Row]:
    """What the lawyers did, in minutes."""
    for number in range(cast.count(8000)):
        case, user = dice.randrange(cast.count(CASES)), dice.randrange(len(LAWYERS))
        done = moment(dice, OPENED, TODAY)
        minutes, rate = 6 * dice.randrange(1, 60), dice.choice((180, 220, 260, 320))
        yield (
            cast.token_of("time", number),
            day(done),
            cast.token_of("user", user),
            LAWYERS[user],
            cast.token_of("case", case),
            case_name(cast, case),
            dice.choice(WORK),
            minutes,
            dice.random() < 0.8,
            f"{rate}.00",
            f"{minutes * rate / 60:.2f}",
            instant(done + timedelta(minutes=minutes)),
            cast.tenant,
        )


def cases(cast: Cast, dice: Random) -> Iterator[Row]:
    """The firm's cases; two in three are still open."""
    for number in range(cast.count(CASES)):
        opened = moment(dice, OPENED, TODAY)
        closed = opened + timedelta(days=dice.randrange(20, 900)) if dice.random() < 0.4 else TODAY
        party = dice.randrange(cast.count(PARTIES))
        yield (
            cast.token_of("case", number),
            f"AZ-{opened.year}-{number + 1:04d}",
            case_name(cast, number),
            "closed" if closed < TODAY else dice.choice(("open", "open", "on_hold")),
            dice.choice(CASE_TYPES),
            dice.choice(DEZERNATE),
            cast.token_of("party", party),
            party_name(cast, party),
            dice.choice(LAWYERS),
            day(opened),
            day(closed) if closed < TODAY else None,
            money(dice, 500, 250_000),
            instant(opened),
            cast.tenant,
        )


def parties(cast: Cast, dice: Random) -> Iterator[Row]:
    """Clients, opponents and courts."""
    for number in range(cast.count(PARTIES)):
        name = party_name(cast, number)
        kind = (
            dice.choice(("client", "opponent", "witness"))
            if number % 3
            else dice.choice(("client", "court", "insurer"))
        )
        yield (
            cast.token_of("party", number),
            name,
            kind,
            f"office{number}@{cast.tenant}-law.example" if dice.random() < 0.9 else None,
            f"0049 30 {dice.randrange(10**6):06d}" if dice.random() < 0.7 else "",
            f"{dice.choice(CITIES)} {dice.randrange(1, 99)}",
            f"{dice.randrange(10**5):05d}",
            dice.choice(COUNTRIES),
            instant(moment(dice, OPENED, TODAY)),
            cast.tenant,
        )


def documents(cast: Cast, dice: Random) -> Iterator[Row]:
    """Papers in folders; some belong to no case."""
    for number in range(cast.count(4000)):
        name, media_type = dice.choice(PAPERS)
        case = dice.randrange(cast.count(CASES)) if dice.random() < 0.95 else None
        yield (
            cast.token_of("doc", number),
            f"{name} {number + 1}",
            None if case is None else cast.token_of("case", case),
            None if case is None else case_name(cast, case),
            dice.choice(FOLDERS),
            media_type,
            dice.randrange(2_000, 40_000_000),
            dice.choice(LAWYERS),
            instant(moment(dice, OPENED, TODAY)),
            cast.tenant,
        )


def deadlines(cast: Cast, dice: Random) -> Iterator[Row]:
    """What must be done by when."""
    for number in range(cast.count(1500)):
        case, created = dice.randrange(cast.count(CASES)), moment(dice, OPENED, TODAY)
        due = created + timedelta(days=dice.randrange(7, 120))
        status = dice.choice(("done", "done", "missed")) if due < TODAY else "open"
        yield (
            cast.token_of("due", number),
            dice.choice(DUTIES),
            cast.token_of("case", case),
            case_name(cast, case),
            status,
            day(due),
            instant(due - timedelta(hours=dice.randrange(1, 100))) if status == "done" else None,
            dice.choice(LAWYERS),
            instant(created),
            cast.tenant,
        )


TABLES: Tables = {
    "invoices": invoices,
    "time_entries": time_entries,
    "cases": cases,
    "parties": parties,
    "documents": documents,
    "deadlines": deadlines,
}
