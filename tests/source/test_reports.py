"""Reports on real databases: what they say is what DuckDB says of the exported rows, grouped there."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from offtake.errors import RowLimitExceeded, SourceFailed
from offtake.model.access import Principal
from offtake.model.dataset import FieldType, Sort
from offtake.model.export import DatePart, ExportRequest, FieldChoice, Grouping, Measure, MeasureFn, Plan
from offtake.model.filter import And, Condition, Filter, Operator, Or
from offtake.model.ports import Source, Stop
from offtake.query.groups import _FITTING
from offtake.query.plan import plan_export
from servers import Postgres
from source.sales import KINDS, SALES, fill

NOW = datetime(2026, 4, 5, 12, tzinfo=UTC)
ZONES = ("UTC", "America/Santiago", "Australia/Lord_Howe", "Asia/Kolkata")
ACME = Principal("p", "acme")
T = FieldType
F = MeasureFn


@pytest.fixture(scope="session", params=["postgresql", "duckdb", "sqlite", "mysql"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """The sales in each kind of database."""
    kind = request.param
    if kind == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        with postgres.database() as url, closing(fill(kind, url)) as opened:
            yield opened
    else:
        url = f"{kind}:///{tmp_path_factory.mktemp('sales')}/sales.{kind}"
        with closing(fill(kind, request.getfixturevalue("mariadb_url") if kind == "mysql" else url)) as opened:
            yield opened


def planned(principal: Principal = ACME, **wish: Any) -> Plan:
    return plan_export(SALES, ExportRequest("sales", **wish), principal, NOW)


def table_of(source: Source, plan: Plan) -> pa.Table:
    with closing(source.read(plan, Stop())) as stream:
        return pa.Table.from_batches(list(stream), stream.schema)


def rows_of(source: Source, plan: Plan) -> list[tuple[Any, ...]]:
    """The report's rows; decimals as numbers, whatever carries them."""
    columns = []
    for values, column in zip(table_of(source, plan).columns, plan.columns, strict=True):
        is_digits = column.type is T.DECIMAL
        columns.append([_plain(Decimal(v) if is_digits and v is not None else v) for v in values.to_pylist()])
    return list(zip(*columns, strict=True))


def expected(source: Source, plan: Plan, wish: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The same GROUP BY, done by DuckDB on the exported rows."""
    names = tuple(FieldChoice(name) for name in KINDS if name != "tax")
    exported = table_of(source, planned(fields=names, filter=wish.get("filter"), timezone=wish.get("timezone")))
    at = exported.schema.get_field_index("amount")
    exported = exported.set_column(at, "amount", exported.column(at).cast(pa.decimal128(30, 4)))
    assert plan.report is not None
    keys = [_key(key.field.name, key.part, key.field.type, plan.report.timezone) for key in plan.report.keys]
    numbers = [_number(each.fn, each.field.name if each.field else "") for each in plan.report.measures]
    by = f"GROUP BY {', '.join(keys)} ORDER BY {', '.join(f'{key} NULLS LAST' for key in keys)}" if keys else ""
    with duckdb.connect() as duck:
        duck.execute(f"SET TimeZone = '{plan.report.timezone}'")
        named = (f"{each} AS c{at}" for at, each in enumerate((*keys, *numbers)))
        table = duck.sql(f"SELECT {', '.join(named)} FROM exported {by}").to_arrow_table()
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return [tuple(map(_plain, row)) for row in rows]


def _plain(value: Any) -> Any:
    """The value as it compares: two zones' readings of a repeated hour never equal each other in Python."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value.normalize() if isinstance(value, Decimal) else value


def _key(name: str, part: DatePart | None, kind: FieldType, zone: str) -> str:
    if part is None:
        return f'"{name}"'
    if kind is T.DATE:
        return f"date_trunc('{part}', \"{name}\")::DATE"
    if part is DatePart.HOUR:  # each pass of an hour that clocks show twice is one; DuckDB's own date_trunc joins them
        wall = f"(\"{name}\" AT TIME ZONE '{zone}')"
        return f"\"{name}\" - ({wall} - date_trunc('hour', {wall}))"
    return f"date_trunc('{part}', \"{name}\" AT TIME ZONE '{zone}')::DATE"


def _number(fn: MeasureFn, name: str) -> str:
    match fn:
        case F.COUNT:
            return f'count("{name}")' if name else "count(*)"
        case F.COUNT_DISTINCT:
            return f'count(DISTINCT "{name}")'
        case F.MEDIAN:
            return f'median("{name}"::DOUBLE)'
        case F.SHARE:
            number = f'sum("{name}")::DOUBLE' if name else "count(*)::DOUBLE"
            return f"{number} / nullif(sum({number}) OVER (), 0)"
    return f'{fn}("{name}")'


def same(found: Any, wanted: Any) -> bool:
    if isinstance(found, float) and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
    return bool(found == wanted)


def assert_equal(found: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]]) -> None:
    assert len(found) == len(wanted), (found, wanted)
    for one, other in zip(found, wanted, strict=True):
        assert all(map(same, one, other)), (one, other)


_PARTS = {T.DATE: (*list(DatePart)[:5], None), T.DATETIME: (*DatePart, None)}
_SEEN = {name: kind for name, kind in KINDS.items() if name != "tax"}


@st.composite
def groupings(draw: st.DrawFn) -> Grouping:
    name = draw(st.sampled_from([*_SEEN, "moment", "wall", "day"]))
    return Grouping(name, draw(st.sampled_from(_PARTS.get(KINDS[name], (None,)))))


@st.composite
def measures(draw: st.DrawFn) -> Measure:
    fn = draw(st.sampled_from(F))
    names: list[str | None] = [name for name, kind in _SEEN.items() if kind in _FITTING[fn]]
    return Measure(fn, draw(st.sampled_from([*names, None] if fn in (F.COUNT, F.SHARE) else names)))


def filters() -> st.SearchStrategy[Filter | None]:
    some: list[Filter | None] = [
        None,
        Condition("stage", Operator.IN, ("won", "lost")),
        Condition("amount", Operator.GT, (Decimal(0),)),
        Condition("moment", Operator.GTE, ("2024-01-01",)),
        Or((Condition("paid", Operator.IS_TRUE), Condition("day", Operator.IS_NULL))),
        And((Condition("id", Operator.LT, (0,)),)),
    ]
    return st.sampled_from(some)


@given(
    group_by=st.lists(groupings(), max_size=3, unique_by=lambda each: (each.field, each.part)),
    numbers=st.lists(measures(), min_size=1, max_size=4, unique_by=lambda each: (each.fn, each.field)),
    tree=filters(),
    zone=st.sampled_from(ZONES),
)
@examples(30)
def test_a_report_is_the_group_by_of_the_exported_rows(
    source: Source, group_by: list[Grouping], numbers: list[Measure], tree: Filter | None, zone: str
) -> None:
    wish: dict[str, Any] = {"group_by": tuple(group_by), "measures": tuple(numbers), "filter": tree, "timezone": zone}
    plan = planned(**wish)
    assert_equal(rows_of(source, plan), expected(source, plan, wish))
    assert source.count(plan, Stop()) == len(rows_of(source, plan))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("part", DatePart)
@pytest.mark.parametrize("name", ["moment", "wall"])
def test_every_part_of_a_date_is_that_of_the_zones_clocks(source: Source, name: str, part: DatePart, zone: str) -> None:
    wish: dict[str, Any] = {"group_by": (Grouping(name, part),), "timezone": zone}
    plan = planned(**wish)
    assert_equal(rows_of(source, plan), expected(source, plan, wish))


@pytest.mark.parametrize("measure", [Measure(F.COUNT), Measure(F.SUM, "amount"), Measure(F.MEDIAN, "ratio")])
@pytest.mark.parametrize("name", ["stage", "paid", "units", "day"])
def test_all_but_the_top_keys_are_one_group_with_the_measures_of_their_rows(
    source: Source, name: str, measure: Measure
) -> None:
    numbers = (measure, Measure(F.COUNT_DISTINCT, "id"), Measure(F.SHARE), Measure(F.MAX, "amount"))
    whole = rows_of(source, planned(group_by=(Grouping(name),), measures=numbers))
    rows = rows_of(source, planned(group_by=(Grouping(name),), measures=numbers, top=2))
    ranked = sorted(whole, key=lambda row: (row[1] is None, -(row[1] or 0), row[0] is None, row[0] or type(row[0])()))
    assert [row[0] for row in rows] == [None if row[0] is None else _text(row[0]) for row in ranked[:2]] + ["other"] * (
        len(whole) > 2
    )
    assert_equal([row[1:] for row in rows[:2]], [row[1:] for row in ranked[:2]])
    assert sum(row[2] for row in rows) == sum(row[2] for row in whole)
    assert math.isclose(sum(row[3] for row in rows), 1)


def _text(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def test_a_top_of_all_keys_has_no_other(source: Source) -> None:
    rows = rows_of(source, planned(group_by=(Grouping("paid"),), top=3))
    assert sorted(str(row[0]) for row in rows) == ["None", "false", "true"]


def test_other_is_divided_by_the_second_grouping(source: Source) -> None:
    group_by = (Grouping("units"), Grouping("paid"))
    whole = rows_of(source, planned(group_by=group_by))
    rows = rows_of(source, planned(group_by=group_by, top=1))
    for paid in (True, False, None):
        assert sum(row[2] for row in rows if row[1] is paid) == sum(row[2] for row in whole if row[1] is paid)
    assert len({row[0] for row in rows}) == 2


def test_another_tenants_rows_are_never_counted(source: Source) -> None:
    numbers = (Measure(F.COUNT), Measure(F.SUM, "units"), Measure(F.SHARE))
    one, other, all_of_them = (
        rows_of(source, planned(who, group_by=(Grouping("tenant"),), measures=numbers, top=5))
        for who in (ACME, Principal("q", "globex"), Principal("root", None))
    )
    assert [row[0] for row in one] == ["acme"]
    assert [row[0] for row in other] == ["globex"]
    assert one[0][1] + other[0][1] == sum(row[1] for row in all_of_them) == 300
    assert one[0][3] == 1


def test_no_rows_are_no_groups_but_one_number(source: Source) -> None:
    nothing = Condition("id", Operator.LT, (0,))
    numbers = (Measure(F.COUNT), Measure(F.SUM, "amount"), Measure(F.SHARE))
    assert rows_of(source, planned(group_by=(Grouping("stage"),), filter=nothing)) == []
    assert rows_of(source, planned(measures=numbers, filter=nothing)) == [(0, None, None)]


def test_limits_and_orders_are_those_of_groups(source: Source) -> None:
    wish: dict[str, Any] = {"group_by": (Grouping("stage"),), "sort": (Sort("count", descending=True),)}
    whole = rows_of(source, planned(**wish))
    assert [row[1] for row in whole] == sorted((row[1] for row in whole), reverse=True)
    assert rows_of(source, planned(**wish, limit=2)) == whole[:2]
    wide = plan_export(SALES, ExportRequest("sales", **wish), ACME, NOW)
    object.__setattr__(wide, "row_limit", 2)
    with pytest.raises(RowLimitExceeded) as caught:
        source.read(wide, Stop())
    assert caught.value.extra == {"matched": len(whole), "allowed": 2}


def test_keys_keep_their_types_and_numbers_have_theirs(source: Source) -> None:
    numbers = tuple(Measure(fn, "units") for fn in (F.COUNT, F.SUM, F.AVG, F.MEDIAN, F.SHARE, F.MIN))
    wish: dict[str, Any] = {
        "group_by": (Grouping("moment", DatePart.MONTH), Grouping("moment", DatePart.HOUR)),
        "measures": numbers,
    }
    types = [str(field.type) for field in table_of(source, planned(**wish)).schema]
    assert types == ["date32[day]", "timestamp[us, tz=UTC]", "int64", "int64", "double", "double", "double", "int64"]


def test_a_value_that_is_not_of_its_type_is_an_error_not_a_gap(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sales.db"
    with closing(fill("sqlite", url)) as source, closing(sqlite3.connect(tmp_path / "sales.db")) as lite:
        lite.execute("UPDATE sales SET amount = 'a lot' WHERE id = 7")
        lite.commit()
        with pytest.raises(SourceFailed):
            rows_of(source, planned(measures=(Measure(F.SUM, "amount"),)))


def test_an_hour_that_clocks_show_twice_is_two_hours(source: Source) -> None:
    between = tuple(Condition("moment", op, (at,)) for op, at in ((Operator.GTE, FALL), (Operator.LT, AFTER)))
    hours = Grouping("moment", DatePart.HOUR)
    rows = rows_of(source, planned(group_by=(hours,), filter=And(between), timezone="America/Santiago"))
    assert [row[0] for row in rows] == [datetime(2024, 4, 7, hour, tzinfo=UTC) for hour in (2, 3, 4)]


FALL, AFTER = "2024-04-07T02:00:00Z", "2024-04-07T05:00:00Z"  # 23:00, 23:00 again, and 0:00 in Santiago
