"""Altafid's exports: what the file holds."""

import csv
import io
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import openpyxl
import pytest

from acceptance.office import shown_by_libreoffice
from dialect.adviser import CREATED, JSON, NAME, PATH, custom_fields, post, refusal, rows, wish
from dialect.conftest import Demo


@pytest.mark.parametrize(
    ("format", "media_type", "ending"),
    [
        ("CSV", "text/csv;charset=UTF-8", "csv"),
        ("XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
        ("csv", "text/csv;charset=UTF-8", "csv"),
    ],
)
def test_a_file_has_its_type_and_a_name_of_the_day(demo: Demo, format: str, media_type: str, ending: str) -> None:
    demo.clock.at = datetime(2026, 6, 1, 2, 30, tzinfo=UTC)
    few = {"field": "id", "operator": "in", "values": [rows(post(demo, wish("id")))[1][0]]}
    body = wish("firstName", timezone="America/Santiago", filters=[few]) | {"format": format}
    answer = post(demo, body)
    assert answer.headers["content-type"] == media_type
    name = f"contacts_2026-05-31.{ending}"
    assert answer.headers["content-disposition"] == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"


def test_columns_come_in_the_order_asked_for_under_their_labels(demo: Demo) -> None:
    first = rows(post(demo, wish(CREATED, {"id": "stage", "label": "Où?"}, NAME)))
    assert first[0] == ["Created", "Où?", "First Name"]
    assert first[1][1] in ("Lead", "Prospect", "Client")


def test_a_column_without_a_label_has_the_fields(demo: Demo) -> None:
    assert rows(post(demo, wish("paternalLastName", {"id": "preferredEmail", "label": None})))[0] == [
        "Last Name",
        "Email",
    ]


@pytest.mark.parametrize(
    ("locale", "label"), [("es-CL", "Nombre"), ("es", "Nombre"), ("en", "Name"), (None, "Name"), ("de", "Name")]
)
def test_a_label_in_several_languages_follows_the_locale(demo: Demo, locale: str | None, label: str) -> None:
    body = wish({"id": "firstName", "label": {"es": "Nombre", "en": "Name"}}, locale=locale)
    assert rows(post(demo, body))[0] == [label]


@pytest.mark.parametrize("locale", [None, "en", "", "EN"])
def test_dates_are_iso_without_a_locale_and_in_english(demo: Demo, locale: str | None) -> None:
    body = wish(CREATED, "birthDate", "netWorth", timezone="America/Santiago", locale=locale)
    created, born, worth = next(row for row in rows(post(demo, body))[1:] if row[1] and "." in row[2])
    assert datetime.fromisoformat(created).utcoffset() is not None
    assert created[10] == "T"
    assert born == datetime.fromisoformat(born).date().isoformat()
    assert float(worth)


def test_dates_and_numbers_are_chilean_for_es_cl(demo: Demo) -> None:
    columns = (CREATED, "birthDate", "netWorth", "isActive")
    sort = {"field": "createdAt", "direction": "DESC"}
    zone, filters = {"timezone": "America/Santiago"}, [{"field": "netWorth", "operator": "gt", "value": "1000"}]
    plain = rows(post(demo, wish(*columns, sort=sort, filters=filters, **zone)))
    local = rows(post(demo, wish(*columns, sort=sort, filters=filters, locale="es-CL", **zone)))
    assert len(plain) == len(local) > 100
    for iso, chilean in list(zip(plain, local, strict=True))[1:200]:
        moment = datetime.fromisoformat(iso[0])
        assert chilean[0].startswith(f"{moment:%d/%m/%Y}, {moment.hour % 12 or 12}:{moment:%M:%S}")
        assert chilean[1] == "/".join(reversed(iso[1].split("-"))) or not iso[1]
        assert chilean[2].replace(".", "").replace(",", ".") == iso[2]
        assert chilean[3] == iso[3] in ("true", "false")


def test_instants_are_those_of_the_timezone_through_daylight_saving(demo: Demo) -> None:
    utc = rows(post(demo, wish("id", "createdAt")))
    there = rows(post(demo, wish("id", "createdAt", timezone="America/New_York")))
    moments = [
        (datetime.fromisoformat(a[1]), datetime.fromisoformat(b[1])) for a, b in zip(utc[1:], there[1:], strict=True)
    ]
    assert all(a == b for a, b in moments)
    assert {str(b.utcoffset()) for _, b in moments} == {"-1 day, 19:00:00", "-1 day, 20:00:00"}
    assert {str(a.utcoffset()) for a, _ in moments} == {"0:00:00"}


def test_the_newest_come_first_without_a_sort(demo: Demo) -> None:
    for path in (PATH, "/api/exports/organisations", "/api/exports/households"):
        keys = [(created, id_) for created, id_ in rows(post(demo, wish("createdAt", "id"), path))[1:]]
        assert all(a[0] > b[0] or (a[0] == b[0] and a[1] < b[1]) for a, b in pairwise(keys))


@pytest.mark.parametrize(("direction", "descending"), [("ASC", False), ("DESC", True), ("desc", True), (None, False)])
def test_a_sort_goes_the_way_it_says(demo: Demo, direction: str | None, descending: bool) -> None:
    sort = {"field": "score"} | ({"direction": direction} if direction else {})
    scores = [float(score) for (score,) in rows(post(demo, wish("score", sort=sort)))[1:] if score]
    assert len(scores) > 100
    assert scores == sorted(scores, reverse=descending)


def test_formulas_are_disarmed_and_every_other_text_stays(demo: Demo) -> None:
    notes = {row[0] for row in rows(post(demo, wish("notes")))}
    assert {"'=1+1", "'@SUM(A1:A9)", 'He said "tomorrow".\nThen she left.', "👩‍👩‍👧‍👦 family of four 🎉"} <= notes


def test_xlsx_has_typed_cells_under_the_labels(demo: Demo) -> None:
    columns = (
        {"id": "name", "label": "Household"},
        {"id": "isActive", "label": "Active"},
        CREATED,
        "netWorth",
        "members",
    )
    body = wish(*columns, locale="es-CL", timezone="America/Santiago") | {"format": "XLSX"}
    answer = post(demo, body, "/api/exports/households")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0]
    lines = list(sheet.iter_rows())
    assert [cell.value for cell in lines[0]] == ["Household", "Active", "Created", "Net Worth", "Members"]
    assert [type(cell.value) for cell in lines[1]] == [str, bool, datetime, type(lines[1][3].value), int]
    assert lines[1][2].number_format.replace("\\", "").startswith("dd/mm/yyyy, h:mm:ss")
    plain = rows(post(demo, wish("createdAt", timezone="America/Santiago"), "/api/exports/households"))
    assert len(plain) == len(lines)
    newest = datetime.fromisoformat(plain[1][0]).replace(tzinfo=None)
    assert abs((lines[1][2].value - newest).total_seconds()) < 0.002


@pytest.mark.slow
def test_libreoffice_shows_the_rows_of_the_households(demo: Demo, soffice: str, tmp_path: Path) -> None:
    columns = ({"id": "name", "label": "Household"}, {"id": "isActive", "label": "Active"}, CREATED)
    there = {"locale": "es-CL", "timezone": "America/Santiago"}
    (tmp_path / "book.xlsx").write_bytes(
        post(demo, wish(*columns, **there) | {"format": "XLSX"}, "/api/exports/households").content
    )
    sheets = shown_by_libreoffice(soffice, tmp_path / "book.xlsx", tmp_path)
    with sheets["Households"].open(newline="", encoding="utf-8") as file:
        shown = list(csv.reader(file))
    plain = rows(post(demo, wish(*columns, **there), "/api/exports/households"))
    assert [line[0] for line in shown] == [line[0] for line in plain]
    assert [line[1].lower() for line in shown] == [line[1].lower() for line in plain]
    assert [line[2][:10] for line in shown] == [line[2][:10] for line in plain]


# What a column is wanted as


def test_a_date_of_an_instant_is_its_day_in_the_timezone(demo: Demo) -> None:
    columns = ({"id": "createdAt", "type": "DATE"}, "id")
    sort = {"field": "createdAt", "direction": "ASC"}
    for zone in ("UTC", "America/Santiago", "Pacific/Kiritimati"):
        days = rows(post(demo, wish(*columns, sort=sort, timezone=zone)))[1:]
        instants = rows(post(demo, wish("createdAt", "id", sort=sort, timezone=zone)))[1:]
        assert days == [[instant[:10], id_] for instant, id_ in instants]
    shown = rows(post(demo, wish(*columns, sort=sort, locale="es-CL")))[1][0]
    assert shown == f"{datetime.fromisoformat(rows(post(demo, wish('createdAt', sort=sort)))[1][0]):%d/%m/%Y}"


def test_a_date_of_an_instant_is_a_date_in_a_spreadsheet(demo: Demo) -> None:
    body = wish({"id": "createdAt", "type": "DATE"}, {"id": "members", "type": "STRING"}) | {"format": "XLSX"}
    answer = post(demo, body, "/api/exports/households")
    created, members = list(openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0].iter_rows())[1]
    assert created.number_format.replace("\\", "") == "yyyy-mm-dd"
    assert (created.value.hour, created.value.minute) == (0, 0)
    assert isinstance(members.value, str)


@pytest.mark.parametrize(
    ("field", "type"),
    [
        ("firstName", "STRING"),
        ("createdAt", "STRING"),
        ("netWorth", "NUMBER"),
        ("score", "NUMBER"),
        ("isActive", "BOOLEAN"),
        ("birthDate", "DATE"),
        ("createdAt", "DATE_TIME"),
        ("tags", "STRING"),
        ("isActive", "boolean"),
        ("householdId", "STRING"),
    ],
)
def test_a_hint_that_fits_is_followed(demo: Demo, field: str, type: str) -> None:
    assert len(rows(post(demo, wish({"id": field, "type": type})))) > 100


@pytest.mark.parametrize(
    ("field", "type"),
    [
        ("firstName", "NUMBER"),
        ("firstName", "DATE"),
        ("birthDate", "DATE_TIME"),
        ("isActive", "NUMBER"),
        ("score", "BOOLEAN"),
        ("createdAt", "NUMBER"),
        ("tags", "DATE"),
        ("firstName", "TEXT"),
    ],
)
def test_a_hint_the_field_cannot_take_is_refused(demo: Demo, field: str, type: str) -> None:
    answer = post(demo, wish("id", {"id": field, "type": type}))
    assert refusal(answer) == (400, "INVALID_COLUMN")
    assert answer.json()["errors"][0]["field"] == "viewState.columns[1].type"


# Custom fields


@pytest.fixture(scope="module")
def custom(served_demo: Demo) -> list[JSON]:
    """Those of globex."""
    return custom_fields(served_demo)


def test_custom_fields_of_one_label_are_told_apart(custom: list[JSON]) -> None:
    assert [field["label"] for field in custom] == [
        "Risk profile",
        "Yearly income",
        "Referred by (Onboarding)",
        "Last review",
        "Referred by (Review)",
        "Consent given",
    ]


def test_all_custom_fields_are_appended_form_by_form(demo: Demo, custom: list[JSON]) -> None:
    header = rows(post(demo, wish(NAME, includeAllCustomFields=True)))[0]
    assert header == ["First Name", *(field["label"] for field in custom)]


def test_all_custom_fields_are_wanted_only_if_none_is_listed(demo: Demo, custom: list[JSON]) -> None:
    one = {"id": custom[0]["name"], "label": "Risk", "custom": True, "type": "STRING"}
    assert rows(post(demo, wish(NAME, one, includeAllCustomFields=True)))[0] == ["First Name", "Risk"]
    assert rows(post(demo, wish(NAME, includeAllCustomFields=False)))[0] == ["First Name"]


def test_a_custom_column_has_its_values_in_its_type(demo: Demo, custom: list[JSON]) -> None:
    columns = [{"id": field["name"], "custom": True} for field in custom]
    lines = rows(post(demo, wish(*columns, locale="es-CL")))
    assert lines[0] == [field["label"] for field in custom]
    risk, income, _, reviewed, _, consent = map(set, zip(*lines[1:], strict=True))
    assert risk == {"", "low", "medium", "high", "'=1+1"}
    assert all(income_.replace(".", "").isdigit() for income_ in income if income_)
    assert all(day[2] == day[5] == "/" for day in reviewed if day)
    assert consent == {"", "true", "false"}


def test_custom_columns_of_one_label_are_told_apart_by_their_forms(demo: Demo, custom: list[JSON]) -> None:
    same = [{"id": custom[n]["name"], "label": "Referrer", "custom": True} for n in (2, 4)]
    assert rows(post(demo, wish(*same)))[0] == ["Referrer (Onboarding)", "Referrer (Review)"]


def test_a_custom_column_can_name_its_form(demo: Demo, custom: list[JSON]) -> None:
    right = {"id": custom[0]["name"], "custom": True, "formUuid": custom[0]["group"].upper()}
    assert rows(post(demo, wish(right)))[0] == ["Risk profile"]
    answer = post(demo, wish(right | {"formUuid": custom[3]["group"]}))
    assert refusal(answer) == (400, "INVALID_COLUMN")


def test_custom_fields_filter_and_sort(demo: Demo, custom: list[JSON]) -> None:
    risk, income = custom[0]["name"], custom[1]["name"]
    filters = [
        {"field": risk, "operator": "equals", "value": "high"},
        {"field": income, "operator": "greaterThan", "value": "200000"},
    ]
    found = rows(post(demo, wish(risk, income, filters=filters, sort={"field": income, "direction": "DESC"})))[1:]
    incomes = [int(line[1]) for line in found]
    assert {line[0] for line in found} == {"high"}
    assert len(found) > 10
    assert incomes == sorted(incomes, reverse=True)
    assert incomes[-1] > 200_000
