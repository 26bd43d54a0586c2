"""The options of csv over the first contacts: other encodings, quotes and nulls, and what LibreOffice makes of it."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import duckdb
import openpyxl
import pytest

from acceptance.command import export, offtake
from acceptance.contacts import CHILE, Contact, chilean, plain
from acceptance.office import converted_by_libreoffice

FEW = ("--tenant", "acme", "--limit", "300", "--option", "guard=false")
# Separator, quote, UTF-8, first line, formats of columns, language: Spanish of Chile (0x340A).
CHILEAN_IMPORT = "--infilter=Text - txt - csv (StarCalc):59,34,76,1,,13322,false,true"


def written(home: Path, folder: Path, *options: str, more: Sequence[str] = ()) -> bytes:
    chosen = [part for option in options for part in ("--option", option)]
    return export(home, "contacts", folder / "contacts.csv", (*FEW, *chosen, *more)).read_bytes()


def rows(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))[1:]


def expected(acme: list[Contact], null: str = "") -> list[list[str]]:
    return [[null if value is None else plain(value) or "" for value in contact.values()] for contact in acme[:300]]


@pytest.mark.parametrize(
    ("option", "codec", "start"),
    [
        ("encoding=utf-16", "utf-16", "\ufeffid,".encode("utf-16-le")),
        ("bom=true", "utf-8-sig", "\ufeffid,".encode()),
        ("line_ending=crlf", "utf-8", b"id,"),
    ],
)
def test_every_encoding_and_line_end_holds_the_same(
    option: str, codec: str, start: bytes, demo_home: Path, acme: list[Contact], tmp_path: Path
) -> None:
    data = written(demo_home, tmp_path, option)
    assert data.startswith(start)
    assert rows(data.decode(codec)) == expected(acme)


def test_windows_1252_says_which_line_and_character_it_cannot_write_and_leaves_no_file(
    demo_home: Path, acme: list[Contact], tmp_path: Path
) -> None:
    path = tmp_path / "contacts.csv"
    wishes = ("--option", "encoding=windows-1252", "--fields", "firstName", "--config", str(demo_home / "offtake.yaml"))
    done = offtake("export", "contacts", "-o", str(path), *FEW, *wishes)
    line, name = next((n, c["firstName"]) for n, c in enumerate(acme, 2) if not fits(c["firstName"]))
    strange = next(letter for letter in name if not fits(letter))
    assert f"Line {line} of the file holds U+{ord(strange):04X}" in done.said
    assert "utf-8 or utf-16" in done.said
    assert list(tmp_path.iterdir()) == []


def fits(text: str) -> bool:
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize("quoting", ["minimal", "all", "nonnumeric"])
@pytest.mark.parametrize("delimiter", [";", "|"])
def test_quotes_and_delimiters_change_no_value(
    quoting: str, delimiter: str, demo_home: Path, acme: list[Contact], tmp_path: Path
) -> None:
    text = written(demo_home, tmp_path, f"quoting={quoting}", f"delimiter={delimiter}").decode()
    assert rows(text, delimiter) == expected(acme)


def test_a_text_for_null_tells_it_from_every_other_text(demo_home: Path, acme: list[Contact], tmp_path: Path) -> None:
    data = written(demo_home, tmp_path, "null=NULL")
    assert rows(data.decode()) == expected(acme, null="NULL")
    assert any(contact["notes"] == "NULL" for contact in acme[:300])  # a text, and quoted
    (tmp_path / "nulls.csv").write_bytes(data)
    read = f"read_csv('{tmp_path}/nulls.csv', all_varchar=true, nullstr='NULL', allow_quoted_nulls=false, header=true)"
    found = duckdb.sql(f"SELECT notes FROM {read}").fetchall()
    assert found == [(contact["notes"],) for contact in acme[:300]]


def test_libreoffice_opens_the_profile_for_excel_as_a_chilean_does(
    soffice: str, demo_home: Path, acme: list[Contact], tmp_path: Path
) -> None:
    written(demo_home, tmp_path, "profile=excel", more=CHILE)
    book = openpyxl.load_workbook(
        converted_by_libreoffice(soffice, tmp_path / "contacts.csv", tmp_path, CHILEAN_IMPORT)
    )
    head, *found = book.worksheets[0].iter_rows(values_only=True)
    assert list(head) == list(acme[0])
    for contact, row in zip(acme, found, strict=False):
        cells = dict(zip(head, row, strict=True))
        assert cells["netWorth"] == (None if contact["netWorth"] is None else float(contact["netWorth"]))
        assert cells["score"] == (None if contact["score"] is None else pytest.approx(contact["score"], rel=1e-14))
        assert cells["createdAt"] == chilean(contact["createdAt"])
        assert cells["firstName"] == contact["firstName"]
        assert cells["phone"] == contact["phone"]
    assert len(found) == 300
