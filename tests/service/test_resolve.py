"""Fields that are rows of other tables: custom fields and schemas, each tenant's own, on four databases."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from offtake.errors import InvalidFilter, InvalidRequest, NotFound, SourceFailed, UnknownField
from offtake.model.dataset import Field, FieldType, Mask, Sort
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.filter import Condition, Not, Operator
from offtake.query.minilang import parse_minilang
from offtake.service.access import local_principal
from offtake.service.datasets import describe_dataset, list_datasets
from offtake.service.downloads import open_download
from offtake.service.resolve import resolve_dataset
from offtake.service.runtime import Runtime
from service import shaped
from service.shaped import (
    AMOUNT,
    CLERK,
    FIRST_REFERRER,
    FOREIGN,
    GLOBEX_READER,
    INVOICES,
    ONBOARDING,
    ORDERS,
    READER,
    REVIEW,
    RISK,
    SECOND_REFERRER,
    SECRET,
    SINCE,
    exported,
    ids,
)


def custom(key: str) -> str:
    """The name of a custom field."""
    return f"custom:cf_{key}"


ALL = [custom(key) for key in (RISK, FIRST_REFERRER, AMOUNT, SECOND_REFERRER, SINCE)]


def header(runtime: Runtime, *choices: FieldChoice, **wish: Any) -> str:
    """The first line of a CSV."""
    request = ExportRequest("orders", fields=choices or None, **wish)
    with closing(open_download(runtime, READER, request).chunks) as chunks:
        return b"".join(chunks).decode().splitlines()[0]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        (RISK, ["low", "HIGH", None, None, None]),
        (AMOUNT, [10, 9.5, None, None, None]),
        (SINCE, ["2026-05-01", "2025-05-01", None, None, None]),
    ],
)
def test_a_custom_field_comes_in_its_type(runtime: Runtime, key: str, values: list[Any]) -> None:
    assert [row[custom(key)] for row in exported(runtime, READER, custom(key))] == values


def test_custom_fields_filter_sort_and_search_like_any_other(runtime: Runtime) -> None:
    assert ids(runtime, filter=Condition(custom(AMOUNT), Operator.LT, (10,))) == [2]
    assert ids(runtime, filter=Not(Condition(custom(RISK), Operator.IEQ, ("LOW",)))) == [2, 3, 4, 5]
    assert ids(runtime, filter=Condition(custom(SINCE), Operator.ON, ("2026-05-01",))) == [1]
    assert ids(runtime, filter=parse_minilang(f"{custom(RISK)}:high;{custom(AMOUNT)}:9..10")) == [2]
    assert ids(runtime, sort=(Sort(custom(AMOUNT)),)) == [2, 1, 3, 4, 5]
    assert ids(runtime, sort=(Sort(custom(SINCE), descending=True),)) == [1, 2, 3, 4, 5]
    assert ids(runtime, q="ann") == [1]


def test_no_custom_field_comes_unasked(runtime: Runtime) -> None:
    assert not any(name.startswith("custom:") for name in exported(runtime)[0])


def test_all_custom_fields_come_by_form_and_then_by_position(runtime: Runtime) -> None:
    assert list(exported(runtime, READER, "id", include_all_custom_fields=True)[0]) == ["id", *ALL]
    assert list(exported(runtime, include_all_custom_fields=True)[0])[-5:] == ALL


def test_one_that_is_listed_keeps_the_others_away(runtime: Runtime) -> None:
    found = exported(runtime, READER, "id", custom(RISK), include_all_custom_fields=True)
    assert list(found[0]) == ["id", custom(RISK)]


def test_equal_labels_are_told_apart_by_their_forms(runtime: Runtime) -> None:
    shown = header(runtime, FieldChoice("id"), include_all_custom_fields=True, options={"header": "label"})
    assert shown == "Id,Risk,Referred by (Onboarding),Income,Referred by (Review),Since"
    given = [
        FieldChoice(custom(key), "By", group) for key, group in ((SECOND_REFERRER, REVIEW), (FIRST_REFERRER, None))
    ]
    assert header(runtime, FieldChoice("id", "By"), *given) == "By,By (Review),By (Onboarding)"
    assert header(runtime, given[0]) == "By"


def test_a_field_of_another_form_is_not_meant(runtime: Runtime) -> None:
    with pytest.raises(UnknownField, match="is not a field of the form"):
        header(runtime, FieldChoice(custom(FIRST_REFERRER), group=REVIEW))
    assert header(runtime, FieldChoice(custom(FIRST_REFERRER), group=ONBOARDING)) == custom(FIRST_REFERRER)


@pytest.mark.parametrize("wish", ["fields", "filter", "sort"])
def test_another_tenants_custom_field_does_not_exist(runtime: Runtime, wish: str) -> None:
    wishes: dict[str, dict[str, Any]] = {
        "fields": {},
        "filter": {"filter": Condition(custom(SECRET), Operator.IS_NOT_NULL)},
        "sort": {"sort": (Sort(custom(SECRET)),)},
    }
    with pytest.raises(UnknownField) as caught:
        exported(runtime, READER, custom(SECRET) if wish == "fields" else "id", **wishes[wish])
    assert "Secret" not in caught.value.hint
    (own,) = exported(runtime, GLOBEX_READER, custom(SECRET))
    assert own == {custom(SECRET): "s"}
    with pytest.raises(UnknownField):
        exported(runtime, GLOBEX_READER, custom(RISK))


def test_a_tenant_sees_its_own_custom_fields_described(runtime: Runtime) -> None:
    view = describe_dataset(runtime, READER, "orders")
    assert [(each.name, each.label, each.group_label) for each in view.custom_fields] == [
        (ALL[0], "Risk", "Onboarding"),
        (ALL[1], "Referred by (Onboarding)", "Onboarding"),
        (ALL[2], "Income", "Onboarding"),
        (ALL[3], "Referred by (Review)", "Review"),
        (ALL[4], "Since", "Review"),
    ]
    assert [each.name for each in view.fields] == ["id", "info", "raw", "items", "labels", "veiled"]
    (other,) = (each for each in list_datasets(runtime, GLOBEX_READER) if each.name == "orders")
    assert [each.label for each in other.custom_fields] == ["Secret of globex"]


def test_the_command_line_sees_every_tenants_custom_fields(runtime: Runtime) -> None:
    owner = local_principal(runtime, None)
    assert len(exported(runtime, owner, custom(SECRET), custom(RISK))) == 6


def test_a_mask_over_the_column_covers_its_custom_fields(runtime: Runtime) -> None:
    def under(mask: Mask) -> Runtime:
        whole = Field("extra", FieldType.JSON, "custom", "Extra", mask=mask, unless_scope="pii:read")
        return replace(
            runtime, datasets={**runtime.datasets, "orders": replace(ORDERS, fields=(*ORDERS.fields, whole))}
        )

    masked = exported(under(Mask.REDACT), READER, custom(RISK))
    assert [row[custom(RISK)] for row in masked] == ["****", "****", None, None, None]
    assert exported(under(Mask.REDACT), CLERK, custom(RISK))[0] == {custom(RISK): "low"}
    with pytest.raises(InvalidFilter, match="is masked"):
        ids(under(Mask.REDACT), filter=Condition(custom(RISK), Operator.EQ, ("low",)))
    assert ids(under(Mask.REDACT), q="ann") == []
    with pytest.raises(UnknownField):
        exported(under(Mask.HIDE), READER, custom(RISK))


def test_definitions_are_read_only_if_somebody_names_them(runtime: Runtime) -> None:
    without = {"orders": replace(ORDERS, custom_fields=replace(_spec(), definitions="nowhere"))}
    broken = replace(runtime, datasets=without)
    assert ids(broken) == [1, 2, 3, 4, 5]
    with pytest.raises(NotFound):
        ids(broken, sort=(Sort(custom(RISK)),))


def _spec() -> Any:
    return ORDERS.custom_fields


def test_a_schema_adds_its_fields_after_the_datasets_own(runtime: Runtime) -> None:
    found = exported(runtime, READER, schema=INVOICES)
    own = ["id", "info", "raw", "items", "labels", "veiled"]
    assert list(found[0]) == [*own, "total", "data.id", "made", "tags", "lines"]
    names = ("id", "total", "data.id", "made", "tags", "lines")
    lines = [{"sku": "a", "qty": 1}, {"sku": "b", "qty": None}]
    assert [tuple(row[name] for name in names) for row in found] == [
        (1, 12.5, "inner", "2026-05-01", ["t"], lines),
        (2, None, None, None, None, []),
        (3, 99, None, None, None, None),
    ]


def test_only_rows_of_the_schema_come(runtime: Runtime) -> None:
    assert ids(runtime, schema=INVOICES) == [1, 2, 3]
    assert ids(runtime, schema=INVOICES.upper()) == [1, 2, 3]


def test_a_schemas_fields_filter_and_sort(runtime: Runtime) -> None:
    assert ids(runtime, schema=INVOICES, filter=Condition("total", Operator.GT, (12.5,))) == [3]
    assert ids(runtime, schema=INVOICES, sort=(Sort("total", descending=True),)) == [3, 1, 2]
    assert ids(runtime, schema=INVOICES, filter=Condition("tags", Operator.CONTAINS, ("t",))) == [1]


def test_an_array_of_a_schema_is_expanded(runtime: Runtime) -> None:
    found = exported(runtime, READER, "id", "lines.sku", "lines.qty", schema=INVOICES, expand="lines")
    assert [tuple(row.values()) for row in found] == [(1, "a", 1), (1, "b", None), (2, None, None), (3, None, None)]


@pytest.mark.parametrize("schema", [FOREIGN, INVOICES[:-1] + "9", "not a uuid", "", "' OR 1=1 --", "a\0b"])
def test_a_schema_that_is_not_there_for_this_tenant_is_not_found(runtime: Runtime, schema: str) -> None:
    with pytest.raises(NotFound, match="There is no schema"):
        ids(runtime, schema=schema)


def test_a_tenant_has_no_rows_through_another_tenants_schema(runtime: Runtime) -> None:
    with pytest.raises(NotFound):
        exported(runtime, GLOBEX_READER, "id", schema=INVOICES)
    assert exported(runtime, GLOBEX_READER, "id", schema=FOREIGN) == []


def test_without_a_schema_its_fields_are_unknown(runtime: Runtime) -> None:
    with pytest.raises(UnknownField):
        exported(runtime, READER, "total")


def test_a_dataset_without_schemas_takes_none(runtime: Runtime) -> None:
    plain = replace(runtime, datasets={**runtime.datasets, "orders": replace(ORDERS, schemas=None)})
    with pytest.raises(InvalidRequest, match="orders has no schemas"):
        ids(plain, schema=INVOICES)


@pytest.fixture
def broken(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """A service over SQLite whose one schema says what the test wants."""
    home = tmp_path_factory.mktemp("home")
    kept, shaped.SCHEMAS[:] = list(shaped.SCHEMAS), [(INVOICES, request.param, "acme")]
    try:
        url = shaped.fill_sqlite(home / "orders.db")
    finally:
        shaped.SCHEMAS[:] = kept
    with shaped.runtime_over(url, home) as served:
        yield served


@pytest.mark.parametrize(
    "broken", ["no json", "{}", '["total"]', '[{"type": "string"}]', '[{"key": "a", "items": 3}, 4]'], indirect=True
)
def test_a_schema_nobody_can_read_is_the_sources_fault(broken: Runtime) -> None:
    with pytest.raises(SourceFailed, match="The fields of a schema in layouts cannot be read"):
        ids(broken, schema=INVOICES)


@pytest.mark.parametrize(
    "broken",
    [
        '[{"key": "a"}, {"key": "a", "type": "date"}, {"key": ""}, {"key": "o", "type": "object"},'
        ' {"key": "s", "type": "object", "fields": [{"key": "x", "type": "int"}]},'
        ' {"key": "l", "type": "array", "items": [{"key": "y", "type": "Date-Time"}]},'
        ' {"key": "m", "type": "array", "items": "integer"}, {"key": "n", "type": "array"},'
        ' {"key": "p", "type": "list", "items": {"type": "object"}}, {"key": "q", "type": "colour"}]'
    ],
    indirect=True,
)
def test_a_schema_may_say_types_in_many_words(broken: Runtime) -> None:
    fields = resolve_dataset(broken, "orders", READER, schema=INVOICES).fields[len(ORDERS.fields) :]
    assert [(field.name, str(field.type), field.items and str(field.items)) for field in fields] == [
        ("a", "date", None),
        ("o", "json", None),
        ("s", "struct", None),
        ("l", "list", "struct"),
        ("m", "list", "integer"),
        ("n", "list", "string"),
        ("p", "list", "json"),
        ("q", "string", None),
    ]
    assert [str(member.type) for field in fields for member in field.fields] == ["integer", "datetime"]
