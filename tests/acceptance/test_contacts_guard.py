"""The formula guard over all contacts: what a spreadsheet would run is disarmed, everything else is left alone."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acceptance.command import export
from acceptance.contacts import Contact, plain, same_rows

Export = Callable[..., Path]
RUN_BY_SPREADSHEETS = tuple("=+-@\t\r＝＋－＠")
NUMBER_OR_PHONE = re.compile(r"[+-]?[0-9 ().-]+")


def is_armed(value: Any) -> bool:
    """Whether a spreadsheet would take the value for a formula. Only text can be one."""
    return isinstance(value, str) and value.startswith(RUN_BY_SPREADSHEETS) and not NUMBER_OR_PHONE.fullmatch(value)


def guarded(value: Any) -> str:
    return ("'" if is_armed(value) else "") + (plain(value) or "")


@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), pytest.param("tsv", "\t", marks=pytest.mark.slow)])
def test_only_formulas_are_disarmed_and_the_manifest_counts_them(
    ending: str, delimiter: str, acme: list[Contact], export_contacts: Export
) -> None:
    path = export_contacts(ending, "--manifest")
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter=delimiter, strict=True)
        same_rows(rows, ({name: guarded(value) for name, value in contact.items()} for contact in acme))
    manifest = json.loads(path.with_name(path.name + ".manifest.json").read_text("utf-8"))
    assert manifest["guarded"] == sum(is_armed(value) for contact in acme for value in contact.values()) > 1000
    assert manifest["options"]["guard"] is True


def test_the_contacts_hold_every_kind_of_formula_and_what_only_looks_like_one(acme: list[Contact]) -> None:
    values = [value for contact in acme for value in contact.values()]
    armed = {value[0] for value in values if is_armed(value)}
    assert armed == set("=+-@\t＝")
    assert any(value.startswith("+56 ") and not is_armed(value) for value in values if isinstance(value, str))
    assert any(contact["netWorth"] is not None and contact["netWorth"] < 0 for contact in acme)


@pytest.mark.parametrize(("guard", "header"), [("true", "'=1+1,-12.5,'＝x"), ("false", "=1+1,-12.5,＝x")])
def test_headers_are_disarmed_too(guard: str, header: str, demo_home: Path, tmp_path: Path) -> None:
    wishes = (
        "--tenant",
        "acme",
        "--limit",
        "1",
        "--fields",
        "id==1+1,phone=-12.5,city=＝x",
        "--option",
        f"guard={guard}",
    )
    path = export(demo_home, "contacts", tmp_path / "contacts.csv", wishes)
    assert path.read_text("utf-8").splitlines()[0] == header
