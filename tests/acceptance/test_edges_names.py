"""Names that break the rules of sheets, XML and JSON:API: every column keeps its value under a name of its own."""

import csv
from pathlib import Path

import duckdb
import openpyxl
import pytest
from lxml import etree
from python_calamine import CalamineWorkbook

from acceptance.command import export, offtake
from acceptance.edges import JSONS, READERS, build_home, pdf_text

NAMES = [
    "a:b", "[x]", "1st", "xml", "a b", "a_b", "<&>", "é中", "=cmd", 'quo"te', "line\nfeed", "😀", "tab\there", "'", "-",
    "a" * 300, "type", "ID", "émile", "e\u0301mile", "ascii\x01control", "ﬁ", "名前", "שם",
]  # fmt: skip
TITLES = [
    ("Q1/Q2: [draft]*?", "Q1_Q2_ _draft___"),
    ("History", "History 2"),
    ("'quoted'", "quoted"),
    ("n" * 60, "n" * 31),
    ("😀" * 20, "😀" * 15),
    ("   ", "Data"),
    ("\x01\x02", "__"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    quoted = (name.replace('"', '""') for name in NAMES)
    columns = ", ".join(f'{number} AS "{name}"' for number, name in enumerate(quoted))
    return build_home(tmp_path_factory.mktemp("names"), {"odd": f"SELECT {columns}"})


def test_delimited_headers_are_the_names(home: Path, tmp_path: Path) -> None:
    path = export(home, "odd", tmp_path / "odd.csv", ("--option", "guard=false"))
    with path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [NAMES, [str(number) for number in range(len(NAMES))]]


def test_guarded_headers_are_disarmed(home: Path, tmp_path: Path) -> None:
    with export(home, "odd", tmp_path / "odd.csv").open(newline="", encoding="utf-8") as file:
        changed = {name: now for name, now in zip(NAMES, next(csv.reader(file)), strict=True) if name != now}
    assert changed == {"=cmd": "'=cmd"}


@pytest.mark.parametrize("ending", ["json", "ndjson", "parquet", "arrow"])
def test_keys_are_the_names(ending: str, home: Path, tmp_path: Path) -> None:
    (row,) = READERS[ending](export(home, "odd", tmp_path / f"odd.{ending}"))
    assert row == {name: number for number, name in enumerate(NAMES)}


def test_jsonapi_members_are_told_apart_and_keep_their_order(home: Path, tmp_path: Path) -> None:
    (row,) = READERS["jsonapi"](export(home, "odd", tmp_path / "odd.jsonapi"))
    assert list(row.values()) == list(range(len(NAMES)))


def test_xml_elements_have_names_every_parser_takes(home: Path, tmp_path: Path) -> None:
    root = etree.parse(str(export(home, "odd", tmp_path / "odd.xml"))).getroot()
    assert [cell.text for cell in root[0]] == [str(number) for number in range(len(NAMES))]
    assert len({cell.tag for cell in root[0]}) == len(NAMES)
    assert [cell.tag for cell in root[0]][:7] == ["a_b", "_x_", "_1st", "xml", "a_b_2", "a_b_3", "___"]


@pytest.mark.parametrize("option", ["root=1 2", "row=a:b", "root=<x>"])
def test_an_element_name_that_cannot_be_is_refused_before_any_byte(option: str, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.xml"
    config = str(home / "offtake.yaml")
    done = offtake("export", "odd", "-o", str(path), "--option", option, "--config", config)
    assert "cannot be the name of an XML element" in done.said
    assert not path.exists()


def test_sheet_headers_are_the_names_and_no_formulas(home: Path, tmp_path: Path) -> None:
    path = export(home, "odd", tmp_path / "odd.xlsx")
    (row,) = READERS["xlsx"](path)
    assert list(row.values()) == list(range(len(NAMES)))
    assert CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()[0] == NAMES


@pytest.mark.parametrize(("title", "name"), TITLES)
def test_a_sheet_is_named_after_its_title_as_far_as_excel_allows(
    title: str, name: str, home: Path, tmp_path: Path
) -> None:
    path = export(home, "odd", tmp_path / "odd.xlsx", ("--option", f"sheet_name={title}"))
    assert openpyxl.load_workbook(path).sheetnames == CalamineWorkbook.from_path(path).sheet_names == [name]


def test_a_pdf_prints_the_names(home: Path, tmp_path: Path) -> None:
    text = pdf_text(export(home, "odd", tmp_path / "odd.pdf", ("--option", "paper=a3")))
    for name in ("a:b", "[x]", "<&>", "é中", "=cmd", "😀", "a" * 300, "名前", "שם"):
        assert name in text


@pytest.mark.parametrize("ending", ["csv", "xml", *JSONS, "xlsx", "parquet"])
def test_equal_labels_keep_both_columns(ending: str, home: Path, tmp_path: Path) -> None:
    path = export(home, "odd", tmp_path / f"odd.{ending}", ("--fields", '"1st=Same, or not","xml=Same, or not"'))
    if ending == "csv":
        assert path.read_text() == '"Same, or not","Same, or not"\n2,3\n'
    elif ending == "xml":
        assert READERS[ending](path) == [{"Same__or_not": "2", "Same__or_not_2": "3"}]
    elif ending == "xlsx":
        assert [c.value for c in openpyxl.load_workbook(path).worksheets[0][1]] == ["Same, or not"] * 2
    elif ending == "parquet":
        assert duckdb.sql(f"SELECT * FROM '{path}'").columns == ["1st", "xml"]
    else:
        assert list(READERS[ending](path)[0].values()) == [2, 3]
