"""All contacts as a workbook: read by openpyxl and calamine, and as LibreOffice shows them."""

import csv
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook

from acceptance.command import export
from acceptance.contacts import CHILE, SANTIAGO, Contact, plain, same_rows
from acceptance.office import shown_by_libreoffice

Export = Callable[..., Path]
FIFTEEN_DIGITS = Context(prec=15, rounding=ROUND_HALF_UP)
IN_CHILE = pytest.param(CHILE, marks=pytest.mark.slow)
in_both_zones = pytest.mark.parametrize("wishes", [(), IN_CHILE])


def cell(value: Any, *, wishes: tuple[str, ...] = ()) -> Any:
    """What a sheet holds of a value: wall clocks without a zone, numbers as doubles, lists as text."""
    match value:
        case datetime():
            return (value.astimezone(SANTIAGO) if wishes == CHILE else value).replace(tzinfo=None)
        case Decimal():
            return float(value)
        case list():
            return plain(value)
    return value


@pytest.mark.parametrize("wishes", [("--limit", "3000"), pytest.param((), marks=pytest.mark.slow), IN_CHILE])
def test_openpyxl_reads_every_value_and_tells_null_from_empty(
    wishes: tuple[str, ...], acme: list[Contact], export_contacts: Export
) -> None:
    book = openpyxl.load_workbook(export_contacts("xlsx", *wishes), read_only=True)
    head, *rows = book["Contacts"].iter_rows(values_only=True)
    assert list(head) == list(acme[0])

    def found() -> Iterator[list[Any]]:
        for row in rows:
            whole = [*row, *[None] * (len(head) - len(row))]  # a row ends with its last cell
            yield [unescape(value) if isinstance(value, str) else value for value in whole]

    def expected(contact: Contact) -> list[Any]:
        midnight = datetime.min.time()
        cells = [cell(value, wishes=wishes) for value in contact.values()]
        return [datetime.combine(value, midnight) if type(value) is date else value for value in cells]

    same_rows(found(), map(expected, acme[:3000] if "--limit" in wishes else acme))


@in_both_zones
def test_calamine_reads_every_value(wishes: tuple[str, ...], acme: list[Contact], export_contacts: Export) -> None:
    book = CalamineWorkbook.from_path(export_contacts("xlsx", *wishes))
    head, *rows = book.get_sheet_by_name("Contacts").to_python()
    assert head == list(acme[0])
    # It shows a cell that is not there as an empty text; openpyxl above tells the two apart.
    nothing = {None: ""}
    same_rows(rows, ([nothing.get(cell(v, wishes=wishes), cell(v, wishes=wishes)) for v in c.values()] for c in acme))


def test_dates_are_shown_the_way_chile_writes_them(demo_home: Path, tmp_path: Path) -> None:
    wishes = ("--tenant", "acme", "--limit", "1", *CHILE)
    book = openpyxl.load_workbook(export(demo_home, "contacts", tmp_path / "contacts.xlsx", wishes))
    formats = {head.value: cell.number_format for head, cell in zip(*book["Contacts"].iter_rows(), strict=True)}
    assert formats["birthDate"] == r"dd\/mm\/yyyy"
    assert formats["createdAt"] == formats["updatedAt"] == "dd\\/mm\\/yyyy\\, h:mm:ss\\\u202fAM/PM"


@in_both_zones
def test_libreoffice_shows_every_cell(
    wishes: tuple[str, ...], soffice: str, acme: list[Contact], export_contacts: Export, tmp_path: Path
) -> None:
    shown = shown_by_libreoffice(soffice, export_contacts("xlsx", *wishes), tmp_path)
    with shown["Contacts"].open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
        assert head == list(acme[0])
        same_rows(map(one_line_end, rows), ([as_shown(value, wishes) for value in c.values()] for c in acme))


def one_line_end(row: list[str]) -> list[str]:
    """LibreOffice keeps one kind of line end in its cells."""
    return [text.replace("\r\n", "\n") for text in row]


def as_shown(value: Any, wishes: tuple[str, ...]) -> str:
    """What LibreOffice shows in English, where numbers have the fifteen digits that spreadsheets show at most."""
    match cell(value, wishes=wishes):
        case bool() as truth:
            return str(truth).upper()
        case float() as number:
            return format(FIFTEEN_DIGITS.create_decimal(repr(number)).normalize(), "f")
        case datetime() as wall if wishes:
            return f"{wall:%d/%m/%Y}, {wall.hour % 12 or 12}:{wall:%M:%S}\u202f{'AP'[wall.hour >= 12]}M"
        case datetime() as wall:
            return f"{wall:%Y-%m-%d %H:%M:%S}"
        case date() as day:
            return f"{day:%d/%m/%Y}" if wishes else str(day)
        case None:
            return ""
        case text:
            return str(text).replace("\r\n", "\n")
