"""Altafid's filters: every row of the operator table, held against plain Python."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dialect.adviser import JSON, post, refusal, rows, wish
from dialect.conftest import Demo


def text(value: Any) -> str:
    return "" if value is None else str(value).casefold()


def email(person: JSON) -> str:
    return text(person["preferredEmail"])


def number(value: Any) -> float:
    return float("nan") if value is None else float(value)


ALIASES = """
    eq is = == ne neq not isNot doesNotEqual isAnyOf anyOf equalsAny nin noneOf isNoneOf like ilk doesNotContain
    sw prefix ew suffix gt after gte ge onOrAfter from lt before lte le onOrBefore to btw range inRange nbtw
    notExists exists blank notBlank hasSome hasEvery on EQUALS is_null
"""
BIRTHDAY = "1941-01-29"
OPERATORS: list[tuple[str, str, JSON, Callable[[JSON], bool]]] = [
    ("equals", "stage", {"value": "Client"}, lambda r: r["stage"] == "Client"),
    ("notEquals", "city", {"value": "Köln"}, lambda r: r["city"] != "Köln"),
    ("notEquals", "notes", {"value": "NA"}, lambda r: r["notes"] != "NA"),
    ("in", "stage", {"values": ["Lead", "Client"]}, lambda r: r["stage"] in ("Lead", "Client")),
    ("equals", "stage", {"value": "client"}, lambda r: r["stage"] == "Client"),
    ("equals", "firstName", {"value": "mARIA"}, lambda r: text(r["firstName"]) == "maria"),
    ("notEquals", "firstName", {"value": "MARIA"}, lambda r: text(r["firstName"]) != "maria"),
    ("in", "firstName", {"values": ["maria", "nobody"]}, lambda r: text(r["firstName"]) == "maria"),
    ("notIn", "firstName", {"values": ["maria"]}, lambda r: text(r["firstName"]) != "maria"),
    ("in", "stage", {"values": ["lead", "CLIENT"]}, lambda r: r["stage"] in ("Lead", "Client")),
    ("equals", "tags", {"value": "VIP"}, lambda r: "vip" in (r["tags"] or [])),
    ("in", "tags", {"values": ["vip", "日本"]}, lambda r: not {"vip", "日本"}.isdisjoint(r["tags"] or ())),
    ("notIn", "tags", {"values": ["vip"]}, lambda r: "vip" not in (r["tags"] or [])),
    ("in", "birthDate", {"values": [BIRTHDAY, "1841-01-29"]}, lambda r: r["birthDate"] == BIRTHDAY),
    ("in", "stage", {"value": "Lead"}, lambda r: r["stage"] == "Lead"),
    ("notIn", "stage", {"values": ["Lead", "Client"]}, lambda r: r["stage"] == "Prospect"),
    ("notIn", "stage", {"value": "Lead"}, lambda r: r["stage"] != "Lead"),
    ("contains", "notes", {"value": "SAID"}, lambda r: "said" in text(r["notes"])),
    ("contains", "tags", {"value": "vip"}, lambda r: "vip" in (r["tags"] or [])),
    ("notContains", "notes", {"value": "said"}, lambda r: "said" not in text(r["notes"])),
    ("startsWith", "preferredEmail", {"value": "Contact12"}, lambda r: email(r).startswith("contact12")),
    ("endsWith", "preferredEmail", {"value": "7@GLOBEX.example"}, lambda r: email(r).endswith("7@globex.example")),
    ("greaterThan", "score", {"value": "60.5"}, lambda r: number(r["score"]) > 60.5),
    ("greaterThanOrEqual", "birthDate", {"value": "1990-01-01"}, lambda r: text(r["birthDate"]) > "1989-12-31"),
    ("lessThan", "netWorth", {"value": "0"}, lambda r: number(r["netWorth"]) < 0),
    ("lessThanOrEqual", "score", {"value": 20}, lambda r: number(r["score"]) <= 20),
    ("between", "score", {"values": ["40", "41"]}, lambda r: 40 <= number(r["score"]) <= 41),
    ("between", "score", {"values": [None, "10"]}, lambda r: number(r["score"]) <= 10),
    ("between", "birthDate", {"values": ["2000-01-01", None]}, lambda r: text(r["birthDate"]) >= "2000-01-01"),
    ("notBetween", "score", {"values": ["10", "90"]}, lambda r: not 10 <= number(r["score"]) <= 90),
    ("isNull", "notes", {}, lambda r: r["notes"] is None),
    ("isNull", "score", {"value": None}, lambda r: r["score"] is None),
    ("isNotNull", "score", {}, lambda r: r["score"] is not None),
    ("isEmpty", "notes", {}, lambda r: not r["notes"]),
    ("isEmpty", "tags", {}, lambda r: not r["tags"]),
    ("isNotEmpty", "notes", {"values": None}, lambda r: bool(r["notes"])),
    ("isTrue", "isActive", {}, lambda r: r["isActive"] is True),
    ("isFalse", "isActive", {}, lambda r: r["isActive"] is False),
    ("equals", "isActive", {"value": "true"}, lambda r: r["isActive"] is True),
    ("equals", "isActive", {"value": False}, lambda r: r["isActive"] is False),
    ("containsAny", "tags", {"values": ["vip", "日本"]}, lambda r: not {"vip", "日本"}.isdisjoint(r["tags"] or ())),
    ("containsAll", "tags", {"values": ["vip", "日本"]}, lambda r: {"vip", "日本"} <= set(r["tags"] or [])),
    ("dateIs", "birthDate", {"value": BIRTHDAY}, lambda r: r["birthDate"] == BIRTHDAY),
    ("dateIsNot", "birthDate", {"value": BIRTHDAY}, lambda r: r["birthDate"] != BIRTHDAY),
    ("dateIs", "createdAt", {"value": "2026-05-27"}, lambda r: r["day"] == "2026-05-27"),
    ("dateIsNot", "createdAt", {"value": "2026-05-27"}, lambda r: r["day"] != "2026-05-27"),
    ("equals", "createdAt", {"value": "2026-05-27"}, lambda r: r["day"] == "2026-05-27"),
    ("lessThanOrEqual", "createdAt", {"value": "2019-01-31"}, lambda r: r["day"] <= "2019-01-31"),
    ("after", "createdAt", {"value": "2026-05-27"}, lambda r: r["day"] > "2026-05-27"),
    ("equals", "stage", {"values": ["Client"]}, lambda r: r["stage"] == "Client"),
    ("equals", "stage", {"value": None, "values": ["Client"]}, lambda r: r["stage"] == "Client"),
    ("in", "notes", {"value": "a;b,c\td|e"}, lambda r: r["notes"] == "a;b,c\td|e"),
]  # fmt: skip


@pytest.fixture(scope="module")
def people(served_demo: Demo) -> dict[str, JSON]:
    """Every contact of globex by its id, with `day`, that of its creation in Santiago."""
    headers = {"x-api-key": served_demo.keys["globex"]}
    url = "/api/v1/datasets/contacts/download"
    listed = served_demo.client.post(url, headers=headers, json={"format": "json"}).json()
    days = {
        line[0]: line[1]
        for line in rows(
            post(served_demo, wish("id", {"id": "createdAt", "type": "DATE"}, timezone="America/Santiago"))
        )
    }
    return {each["id"]: each | {"day": days[each["id"]]} for each in listed}


@pytest.mark.parametrize(
    ("name", "field", "operand", "holds"),
    OPERATORS,
    ids=[f"{name}-{field}-{number}" for number, (name, field, _, _) in enumerate(OPERATORS)],
)
def test_every_operator_finds_the_rows_it_means(
    demo: Demo, people: Mapping[str, JSON], name: str, field: str, operand: JSON, holds: Callable[[JSON], bool]
) -> None:
    expected = {id_ for id_, person in people.items() if holds(person)}
    assert 0 < len(expected) < len(people)
    condition = {"field": field, "operator": name} | operand
    found = rows(post(demo, wish("id", filters=[condition], timezone="America/Santiago")))
    assert {line[0] for line in found[1:]} == expected


@pytest.mark.parametrize("name", ALIASES.split())
def test_every_other_name_of_an_operator_is_known(demo: Demo, name: str) -> None:
    answer = post(demo, wish("id", filters=[{"field": "", "operator": name}]))
    assert refusal(answer) == (400, "INVALID_COLUMN")  # the field is what is wrong, not the operator


def test_all_conditions_must_hold(demo: Demo, people: Mapping[str, JSON]) -> None:
    filters = [
        {"field": "contactType", "operator": "equals", "value": "ACTIVE"},
        {"field": "stage", "operator": "in", "values": ["Prospect", "Client"]},
    ]
    found = {line[0] for line in rows(post(demo, wish("id", filters=filters)))[1:]}
    assert found == {
        id_
        for id_, each in people.items()
        if each["contactType"] == "ACTIVE" and each["stage"] in ("Prospect", "Client")
    }
    assert len(rows(post(demo, wish("id", filters=[])))) == len(people) + 1


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "stage", "operator": "resembles", "value": "Client"},
        {"field": "stage", "operator": "equals", "value": "Boss"},
        {"field": "stage", "operator": "equals"},
        {"field": "stage", "operator": "equals", "value": None},
        {"field": "stage", "operator": "equals", "values": ["Client", "Lead"]},
        {"field": "stage", "operator": "isTrue"},
        {"field": "score", "operator": "greaterThan", "value": "many"},
        {"field": "score", "operator": "contains", "value": "1"},
        {"field": "score", "operator": "between", "values": ["1"]},
        {"field": "score", "operator": "between", "value": "1,2"},
        {"field": "isActive", "operator": "equals", "value": "yes"},
        {"field": "birthDate", "operator": "before", "value": "31/05/2026"},
        {"field": "tags", "operator": "containsAny", "values": []},
    ],
)
def test_a_condition_that_cannot_be_is_refused_by_field_and_operator(demo: Demo, condition: JSON) -> None:
    fine = {"field": "stage", "operator": "equals", "value": "Client"}
    answer = post(demo, wish("id", filters=[fine, condition]))
    assert refusal(answer) == (400, "INVALID_FILTER")
    assert condition["field"] in answer.json()["message"]
    assert condition["operator"] in answer.json()["message"]
    assert answer.json()["errors"][0]["field"].startswith("filters[1]")


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            {"operator": "equals", "value": "Boss"},
            "stage equals: 'Boss' is not one of its values. Values: Lead, Prospect, Client.",
        ),
        (
            {"operator": "in", "values": ["Client", None]},
            "stage in: null is a wrong value. stage takes text; or ask whether it is null.",
        ),
        (
            {"operator": "equals", "values": ["Client", "Lead"]},
            "stage equals: the operator takes one value, not 2. Give one value as `value`, several as `values`.",
        ),
    ],
)
def test_what_is_wrong_with_a_condition_is_told_in_the_words_that_were_sent(
    demo: Demo, condition: JSON, message: str
) -> None:
    answer = post(demo, wish("id", filters=[{"field": "stage", **condition}]))
    assert answer.json()["message"] == message


@pytest.mark.parametrize(
    "part",
    [
        {"field": "nope", "operator": "isNull"},
        {"operator": "isNull"},
        {"field": "stage"},
        "stage",
        {"field": 1, "operator": "in"},
    ],
)
def test_a_condition_that_is_none_is_pointed_at(demo: Demo, part: Any) -> None:
    answer = post(demo, wish("id", filters=[part]))
    assert refusal(answer)[0] == 400
    assert answer.json()["errors"][0]["field"].startswith("filters[0]")
