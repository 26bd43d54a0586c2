"""What becomes of a request: names, walls, masks, ranges, order, limits, languages and zones."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from offtake.errors import InsufficientScope, InvalidFilter, InvalidRange, InvalidRequest, OfftakeError, UnknownField
from offtake.model.access import Principal
from offtake.model.dataset import Dataset, Field, FieldType, Mask, Sort
from offtake.model.export import Column, Confinement, DateRange, ExportRequest, FieldChoice, OrderKey, Plan, Reader
from offtake.model.filter import And, Condition, Operator, Or
from offtake.query.columns import visible_fields
from offtake.query.plan import plan_export

T = FieldType
NOW = datetime(2026, 5, 13, 15, 30, 45, tzinfo=UTC)
READER = Principal("reader", "acme", frozenset({"reports:read"}))
CLERK = Principal("clerk", "acme", frozenset({"reports:read", "pii:read"}))
FIELDS = (
    Field("id", T.INTEGER, "contact_id", "Id"),
    Field("name", T.STRING, "full_name", "Name"),
    Field("taxId", T.STRING, "tax_id", "Tax id", mask=Mask.LAST4, unless_scope="pii:read"),
    Field("salary", T.DECIMAL, "salary", "Salary", mask=Mask.REDACT, unless_scope="pii:read"),
    Field("secret", T.STRING, "secret", "Secret", mask=Mask.HIDE, unless_scope="pii:read"),
    Field("createdAt", T.DATETIME, "created_at", "Created"),
    Field("born", T.DATE, "born", "Born"),
    Field("tags", T.LIST, "tags", "Tags", items=T.STRING),
)
CONTACTS = Dataset(
    "contacts",
    "crm",
    table="public.contacts",
    fields=FIELDS,
    tenant_column="tenant",
    scopes=frozenset({"reports:read"}),
    key=("contact_id",),
    date_field="createdAt",
    default_sort=(Sort("createdAt", True),),
    row_limit=1000,
)


def plan(principal: Principal = READER, dataset: Dataset = CONTACTS, **wishes: Any) -> Plan:
    return plan_export(dataset, ExportRequest("contacts", **wishes), principal, NOW)


def test_every_visible_field_in_dataset_order_is_the_default() -> None:
    assert [column.name for column in plan().columns] == [f.name for f in FIELDS if f.name != "secret"]
    assert [column.name for column in plan(CLERK).columns] == [f.name for f in FIELDS]


def test_masks_fall_for_those_with_the_scope() -> None:
    assert {c.name: c.mask for c in visible_fields(CONTACTS, READER) if c.mask} == {
        "taxId": Mask.LAST4,
        "salary": Mask.REDACT,
    }
    assert not any(c.mask for c in visible_fields(CONTACTS, CLERK))
    assert next(c for c in plan().columns if c.name == "salary").type is T.STRING


def test_chosen_fields_keep_their_order_and_labels() -> None:
    columns = plan(fields=(FieldChoice("taxId", "RUT"), FieldChoice("id"))).columns
    assert columns == (Column(FIELDS[2], "RUT", Mask.LAST4), Column(FIELDS[0]))


@pytest.mark.parametrize(
    ("name", "wanted", "shown"),
    [
        ("createdAt", T.DATE, T.DATE),
        ("createdAt", T.DATETIME, T.DATETIME),
        ("createdAt", T.STRING, T.STRING),
        ("born", T.DATE, T.DATE),
        ("id", T.NUMBER, T.INTEGER),
        ("id", T.STRING, T.STRING),
        ("tags", T.STRING, T.STRING),
        ("salary", T.NUMBER, T.STRING),  # the mask is text for this reader, whatever it asked for
        ("name", T.STRING, T.STRING),
    ],
)
def test_a_field_is_shown_as_what_it_can_be(name: str, wanted: FieldType, shown: FieldType) -> None:
    (column,) = plan(fields=(FieldChoice(name, shown_as=wanted),)).file_columns
    assert (column.name, column.type) == (name, shown)


def test_what_is_shown_as_something_else_is_read_as_itself() -> None:
    chosen = plan(fields=(FieldChoice("createdAt", shown_as=T.DATE),))
    assert [column.type for column in chosen.columns] == [T.DATETIME]


@pytest.mark.parametrize(
    ("locale", "label"),
    [
        (None, "Name"),
        ("en", "Name"),
        ("es", "Nombre"),
        ("es-MX", "Nombre"),
        ("es-CL", "Nombre de pila"),
        ("es-CL-u-nu-latn", "Nombre de pila"),
        ("fr-CA", "Prénom"),
        ("pt-BR", "Name"),
    ],
)
def test_a_label_is_chosen_by_the_readers_language(locale: str | None, label: str) -> None:
    labels = {"en": "Name", "es": "Nombre", "es_CL": "Nombre de pila", "fr-FR": "Prénom"}
    (column,) = plan(fields=(FieldChoice("name", labels),), locale=locale).columns
    assert column.label == label


def test_a_language_nobody_translated_gets_the_first_label() -> None:
    (column,) = plan(fields=(FieldChoice("name", {"es": "Nombre", "fr": "Nom"}),), locale="de").columns
    assert column.label == "Nombre"


WRONG: list[tuple[dict[str, Any], type[OfftakeError], str]] = [
    ({"fields": ()}, InvalidRequest, "/fields"),
    ({"fields": (FieldChoice("id"), FieldChoice("nam"))}, UnknownField, "/fields/1"),
    ({"fields": (FieldChoice("id"), FieldChoice("id", "again"))}, InvalidRequest, "/fields/1"),
    ({"fields": (FieldChoice("secret"),)}, UnknownField, "/fields/0"),
    ({"fields": (FieldChoice("contact_id"),)}, UnknownField, "/fields/0"),
    ({"fields": (FieldChoice("id"), FieldChoice("name", shown_as=T.NUMBER))}, InvalidRequest, "/fields/1/as"),
    ({"fields": (FieldChoice("born", shown_as=T.DATETIME),)}, InvalidRequest, "/fields/0/as"),
    ({"fields": (FieldChoice("id", shown_as=T.BOOLEAN),)}, InvalidRequest, "/fields/0/as"),
    ({"fields": (FieldChoice("taxId", shown_as=T.DATE),)}, InvalidRequest, "/fields/0/as"),
    ({"sort": (Sort("nope"),)}, UnknownField, "/sort/0"),
    ({"sort": (Sort("secret"),)}, UnknownField, "/sort/0"),
    ({"sort": (Sort("id"), Sort("taxId"))}, InvalidRequest, "/sort/1"),
    ({"sort": (Sort("tags"),)}, InvalidRequest, "/sort/0"),
    ({"filter": Condition("taxId", Operator.IS_NULL)}, InvalidFilter, "/filter"),
    ({"filter": Condition("secret", Operator.IS_NULL)}, UnknownField, "/filter"),
    ({"filter": Condition("tenant", Operator.EQ, ("globex",))}, UnknownField, "/filter"),
    ({"limit": 0}, InvalidRequest, "/limit"),
    ({"limit": -1}, InvalidRequest, "/limit"),
    ({"locale": "xx-Nope"}, InvalidRequest, "/locale"),
    ({"locale": ""}, InvalidRequest, "/locale"),
    ({"locale": "-u-nu-latn"}, InvalidRequest, "/locale"),
    ({"timezone": "Europe/Berlim"}, InvalidRequest, "/timezone"),
    ({"timezone": "../../etc/passwd"}, InvalidRequest, "/timezone"),
    ({"timezone": "+02:00"}, InvalidRequest, "/timezone"),
    ({"date_range": DateRange("soonish")}, InvalidRange, "/date_range/from"),
    ({"date_range": DateRange("today", "2026-05-32")}, InvalidRange, "/date_range/to"),
    ({"date_range": DateRange("today", "yesterday")}, InvalidRange, "/date_range"),
    ({"q": "a\0b"}, InvalidFilter, "/q"),
    ({"date_range": DateRange("today", field="name")}, InvalidRange, "/date_range/field"),
    ({"date_range": DateRange("today", field="taxId")}, InvalidFilter, "/date_range/field"),
]


@pytest.mark.parametrize(("wishes", "error", "pointer"), WRONG)
def test_a_wrong_wish_is_refused_with_a_pointer(
    wishes: dict[str, Any], error: type[OfftakeError], pointer: str
) -> None:
    with pytest.raises(OfftakeError) as caught:
        plan(**wishes)
    assert type(caught.value) is error
    assert [where for where, _ in caught.value.problems] == [pointer]


@pytest.mark.parametrize(
    ("wishes", "hint"),
    [
        ({"fields": (FieldChoice("creatdAt"),)}, "Did you mean createdAt?"),
        ({"fields": (FieldChoice("createdAt", shown_as=T.NUMBER),)}, "It can be shown as datetime, date, string."),
        ({"fields": (FieldChoice("name", shown_as=T.NUMBER),)}, "It can be shown as string."),
        ({"locale": "es-CLL"}, "Did you mean es-CL?"),
        ({"timezone": "Europe/Berlim"}, "Did you mean Europe/Berlin?"),
        ({"sort": (Sort("taxId"),)}, "A key with the scope pii:read sees it."),
    ],
)
def test_a_hint_names_the_way_out(wishes: dict[str, Any], hint: str) -> None:
    with pytest.raises(OfftakeError) as caught:
        plan(**wishes)
    assert caught.value.hint.startswith(hint)


def test_what_is_hidden_is_not_told_by_a_hint() -> None:
    with pytest.raises(UnknownField) as caught:
        plan(fields=(FieldChoice("secre"),))
    assert "secret" not in caught.value.hint


def test_a_principal_without_the_datasets_scope_gets_nothing() -> None:
    with pytest.raises(InsufficientScope):
        plan(Principal("nobody", "acme"))


def test_a_tenant_is_confined_and_only_no_tenant_crosses() -> None:
    assert plan().confinement == Confinement("tenant", "acme")
    assert plan(replace(READER, tenant_uuid="6f1f")).confinement == Confinement("tenant", "acme", "6f1f")
    assert plan(replace(READER, tenant="")).confinement == Confinement("tenant", "")
    assert plan(replace(READER, tenant=None)).confinement is None
    assert plan(dataset=replace(CONTACTS, tenant_column="")).confinement is None


def test_an_order_ends_with_the_key() -> None:
    key = OrderKey("contact_id", False, T.INTEGER)
    assert plan().order == (OrderKey("created_at", True, T.DATETIME), key)
    assert plan(sort=(Sort("name"),)).order == (OrderKey("full_name", False, T.STRING), key)
    assert plan(sort=(Sort("id", True),)).order == (OrderKey("contact_id", True, T.INTEGER),)
    assert plan(sort=(Sort("name"), Sort("name", True))).order == (OrderKey("full_name", False, T.STRING), key)


def test_an_order_nobody_asked_for_is_none() -> None:
    assert plan(dataset=replace(CONTACTS, default_sort=())).order == ()


def test_an_order_never_follows_what_is_masked() -> None:
    dataset = replace(CONTACTS, default_sort=(Sort("salary"), Sort("secret"), Sort("name")), key=("tax_id", "row_no"))
    assert plan(dataset=dataset).order == (OrderKey("full_name", False, T.STRING), OrderKey("row_no"))
    assert [key.column for key in plan(CLERK, dataset).order] == ["salary", "secret", "full_name", "tax_id", "row_no"]


def test_a_limit_within_the_row_limit_needs_no_probe() -> None:
    assert (plan().limit, plan().row_limit) == (None, 1000)
    assert (plan(limit=1000).limit, plan(limit=1000).row_limit) == (1000, 0)
    assert (plan(limit=1001).limit, plan(limit=1001).row_limit) == (1001, 1000)
    assert plan(limit=10**30).limit == 2**63 - 1


def test_a_range_is_half_open_and_a_bare_end_covers_its_day() -> None:
    where = plan(date_range=DateRange("2026-05-01", "2026-05-31"), timezone="America/Santiago").where
    assert where == And(
        (
            Condition("createdAt", Operator.GTE, (datetime(2026, 5, 1, 4, tzinfo=UTC),)),
            Condition("createdAt", Operator.LT, (datetime(2026, 6, 1, 4, tzinfo=UTC),)),
        )
    )


def test_an_inclusive_range_has_its_end_in_it() -> None:
    noon, first = "2026-05-31T12:00:00Z", Condition("createdAt", Operator.LT, (datetime(2026, 6, 1, tzinfo=UTC),))
    instant = Condition("createdAt", Operator.LTE, (datetime(2026, 5, 31, 12, tzinfo=UTC),))
    assert plan(date_range=DateRange(None, noon, inclusive=True)).where == instant
    assert plan(date_range=DateRange(None, "2026-05-31", inclusive=True)).where == first
    born = Condition("born", Operator.LTE, (date(2026, 5, 31),))
    assert plan(date_range=DateRange(None, "2026-05-31T00:00:00Z", "born", inclusive=True)).where == born
    assert plan(date_range=DateRange(inclusive=True)).where is None


def test_relative_dates_are_resolved_when_planning() -> None:
    where = plan(date_range=DateRange("first day of last month midnight")).where
    assert where == Condition("createdAt", Operator.GTE, (datetime(2026, 4, 1, tzinfo=UTC),))


def test_a_date_is_in_range_if_any_part_of_its_day_is() -> None:
    wanted = {
        DateRange("2026-05-01", "2026-05-31", "born"): (date(2026, 5, 1), date(2026, 6, 1)),
        DateRange("yesterday", "today", "born"): (date(2026, 5, 12), date(2026, 5, 13)),
        DateRange("-7 days", "now", "born"): (date(2026, 5, 6), date(2026, 5, 14)),
    }
    for wish, (start, end) in wanted.items():
        sides = (Condition("born", Operator.GTE, (start,)), Condition("born", Operator.LT, (end,)))
        assert plan(date_range=wish).where == And(sides)


def test_a_range_to_the_last_day_there_is_has_no_end() -> None:
    for field in ("createdAt", "born"):
        for zone in ("America/Santiago", "Asia/Tokyo"):
            where = plan(date_range=DateRange("2026-05-01", "9999-12-31", field), timezone=zone).where
            assert isinstance(where, Condition)
            assert where.op is Operator.GTE
    assert plan(date_range=DateRange(None, "9999-12-31")).where is None


def test_an_open_range_is_none() -> None:
    assert plan(dataset=replace(CONTACTS, date_field=""), date_range=DateRange()).where is None
    with pytest.raises(InvalidRange, match="no date field"):
        plan(dataset=replace(CONTACTS, date_field=""), date_range=DateRange("today"))


def test_search_looks_into_every_text_that_is_seen_whole() -> None:
    assert plan(q=" ana ").where == Or((Condition("name", Operator.CONTAINS, ("ana",)),))
    names = [item.field for item in plan(CLERK, q="ana").where.items]  # type: ignore[union-attr]
    assert names == ["name", "taxId", "secret"]
    assert plan(q="   ").where is None


def test_filter_range_and_search_must_all_hold() -> None:
    wish = {"filter": Condition("id", Operator.EQ, ("7",)), "date_range": DateRange("today"), "q": "x"}
    where = plan(**wish).where
    assert isinstance(where, And)
    assert [type(item) for item in where.items] == [Condition, Condition, Or]


@pytest.mark.parametrize("tag", ["es-CL", "en", "zh-Hant-TW", "en-JP", "ar-EG-u-nu-latn", "de-1901", None])
def test_a_tag_that_names_a_language_is_kept_as_it_is(tag: str | None) -> None:
    assert plan(locale=tag, timezone="America/Santiago").reader == Reader(tag, "America/Santiago")


def test_an_underscore_in_a_tag_is_forgiven() -> None:
    assert plan(locale="es_CL").reader == Reader("es-CL", None)
