"""All contacts for a reader in Chile: decimal comma, day first, the wall clock of Santiago; expected from zoneinfo."""

import csv
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from lxml import etree

from acceptance.command import export
from acceptance.contacts import CHILE, SANTIAGO, Contact, chilean, same_rows

UNGUARDED = ("--option", "guard=false")
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
Export = Callable[..., Path]


def test_the_expected_texts_are_those_people_in_chile_write() -> None:
    before, after = (datetime.fromisoformat(f"2026-04-05T0{hour}:59:59Z") for hour in (2, 3))
    assert chilean(date(2026, 5, 31)) == "31/05/2026"
    assert chilean(-1234567.5) == "-1.234.567,5"
    assert chilean(before) == chilean(after) == "04/04/2026, 11:59:59\u202fp.\u202fm."  # the hour that comes twice


def test_clocks_change_between_the_contacts(acme: list[Contact]) -> None:
    moments = sorted(contact["createdAt"] for contact in acme)
    changes = [
        (one, other)
        for one, other in pairwise(moments)
        if one.astimezone(SANTIAGO).utcoffset() != other.astimezone(SANTIAGO).utcoffset()
    ]
    assert len(changes) == 15  # twice a year from April 2019 to April 2026
    assert all(other - one < timedelta(days=1) for one, other in changes)


@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), pytest.param("tsv", "\t", marks=pytest.mark.slow)])
def test_every_text_is_written_for_chile(
    ending: str, delimiter: str, acme: list[Contact], export_contacts: Export
) -> None:
    with export_contacts(ending, *UNGUARDED, *CHILE).open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter=delimiter, strict=True)
        same_rows(rows, ({name: chilean(value) or "" for name, value in contact.items()} for contact in acme))


def test_every_xml_element_is_written_for_chile(acme: list[Contact], export_contacts: Export) -> None:
    rows = etree.parse(str(export_contacts("xml", *CHILE))).getroot()
    found = ({cell.tag: None if cell.get(NIL) else cell.text or "" for cell in row} for row in rows)
    same_rows(found, ({name: chilean(value) for name, value in contact.items()} for contact in acme))


@pytest.mark.parametrize("ending", ["json", "ndjson", "jsonapi", "parquet", "arrow"])
def test_formats_for_programs_stay_raw(ending: str, demo_home: Path, tmp_path: Path) -> None:
    few = ("--tenant", "acme", "--limit", "5", "--fields", "id,netWorth,birthDate,createdAt")
    plain = export(demo_home, "contacts", tmp_path / f"plain.{ending}", few).read_bytes()
    chilean = export(demo_home, "contacts", tmp_path / f"chilean.{ending}", (*few, *CHILE)).read_bytes()
    clock = re.compile(rb'"snapshot_at":"[^"]*"')  # what JSON:API says of its own making
    assert clock.sub(b"", chilean) == clock.sub(b"", plain)
