"""What docs/filters.md and docs/dates.md show is run as it stands there."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from offtake.errors import InvalidRange
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, DateRange
from offtake.model.filter import Condition, Filter, Operator
from offtake.query.dates import resolve_date
from offtake.query.filters import check_filter, parse_filter
from offtake.query.minilang import parse_minilang
from offtake.query.operators import NAMES, Arity, arity_of, operators_for

DOCS = Path(__file__).parents[2] / "docs"
FILTERS, DATES = ((DOCS / name).read_text("utf-8") for name in ("filters.md", "dates.md"))
NOW = datetime(2026, 5, 13, 15, 30, 45, tzinfo=UTC)
T = FieldType
CONTACTS = Dataset(
    "contacts",
    "crm",
    table="contacts",
    date_field="createdAt",
    fields=(
        Field("firstName", T.STRING, "first_name", "First name"),
        Field("stage", T.STRING, "stage", "Stage"),
        Field("total", T.DECIMAL, "total", "Total"),
        Field("createdAt", T.DATETIME, "created_at", "Created"),
        Field("tags", T.LIST, "tags", "Tags", items=T.STRING),
    ),
)


def section(page: str, title: str) -> str:
    return page.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def table(text: str) -> list[list[str]]:
    """The cells of a table's rows below its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def block(text: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def checked(tree: Filter) -> Filter:
    return check_filter(tree, tuple(map(Column, CONTACTS.fields)))


def test_the_json_example_is_a_filter() -> None:
    checked(parse_filter(json.loads(block(section(FILTERS, "JSON"), "json"))))


def test_the_python_example_is_a_filter() -> None:
    names: dict[str, Filter] = {}
    exec(block(section(FILTERS, "Python"), "python"), names)
    checked(names["tree"])


def test_every_mini_language_example_is_a_filter() -> None:
    examples = [row[0].strip("`") for row in table(section(FILTERS, "The mini-language"))]
    assert len(examples) > 9
    for example in examples:
        checked(parse_minilang(example))


def test_the_three_examples_at_the_top_mean_something() -> None:
    shown = [row[2].strip("`") for row in table(FILTERS.split("## JSON")[0])]
    checked(parse_filter(json.loads(shown[0])))
    checked(parse_minilang(shown[1]))
    assert eval(shown[2], {"Condition": Condition, "Operator": Operator}) == Condition(
        "stage", Operator.EQ, ("Client",)
    )


def test_the_table_has_every_operator_with_all_its_names() -> None:
    rows = {row[0].strip("`"): row for row in table(section(FILTERS, "Operators"))}
    assert list(rows) == [op.value for op in Operator]
    for op in Operator:
        others = re.findall(r"`([^`]+)`", rows[op.value][1])
        assert {NAMES[name.lower().replace("_", "")] for name in others} <= {op}
        listed = {name.lower().replace("_", "") for name in (op.value, *others)}
        assert listed == {name for name, meant in NAMES.items() if meant is op}


def test_the_table_says_how_many_values_and_which_types() -> None:
    counts = {"–": Arity.NONE, "one": Arity.ONE, "one or more": Arity.SOME, "two": Arity.RANGE}
    for name, _, values, types, _ in table(section(FILTERS, "Operators")):
        op = Operator(name.strip("`"))
        assert arity_of(op) is counts[values]
        assert {t for t in T if op in operators_for(Field("x", t, "x", "x", items=T.STRING))} == _types(types)


def _types(said: str) -> set[FieldType]:
    if said.startswith("all"):
        return set(T) - {T(name) for name in re.findall(r"\w+", said.partition("but")[2])}
    return {T(name) for name in said.replace("numbers", "integer, number, decimal").split(", ")}


@pytest.mark.parametrize(("words", "instant"), [(row[0], row[1]) for row in table(section(DATES, "What can be said"))])
def test_the_words_mean_the_instant_beside_them(words: str, instant: str) -> None:
    assert resolve_date(words.strip("`"), NOW, "UTC") == datetime.fromisoformat(instant.strip("`"))


def test_the_range_example_is_last_month() -> None:
    body = json.loads(block(DATES, "json"))
    wish = DateRange(body["from"], body["to"], body["field"])
    assert wish.start is not None
    assert wish.end is not None
    sides = [resolve_date(text, NOW, "UTC", end=text is wish.end) for text in (wish.start, wish.end)]
    assert sides == [datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)]


@pytest.mark.parametrize("text", ["2008", "30-Jun-08", "14:00 CET"])
def test_what_the_page_says_is_refused_is(text: str) -> None:
    with pytest.raises(InvalidRange):
        resolve_date(text, NOW, "UTC")
