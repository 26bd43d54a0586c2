"""Tables of odd shapes, from a DuckDB file through the command line into every format."""

import json
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from acceptance.command import export, offtake
from acceptance.edges import FORMATS, MEGABYTE, READERS, arrow_table, build_home, pdf_text

TABLES = {
    "forty": f"SELECT {', '.join(f'r * 100 + {n} AS c{n}' for n in range(40))} FROM range(3) rows(r) ORDER BY r",
    "single": "SELECT unnest(['v0', NULL, '', 'v3']) AS only",
    "hollow": "SELECT 1 AS n, 'x' AS name, TIMESTAMPTZ '2026-05-31 00:00Z' AS moment, ['a'] AS tags LIMIT 0",
    "lonely": "SELECT 1 AS n, 'é' AS name",
    "bulky": f"SELECT 7 AS n, '{MEGABYTE}' AS text",
    "broad": f"SELECT {', '.join(f'{n} AS c{n}' for n in range(10_000))}",
}
in_every_format = pytest.mark.parametrize("ending", FORMATS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_home(tmp_path_factory.mktemp("shapes"), TABLES)


def written(home: Path, dataset: str, ending: str, folder: Path) -> Path:
    return export(home, dataset, folder / f"{dataset}.{ending}")


def values(rows: list[dict[str, Any]]) -> list[list[str]]:
    return [[str(value) for value in row.values()] for row in rows]


@in_every_format
def test_forty_columns_keep_their_order(ending: str, home: Path, tmp_path: Path) -> None:
    path = written(home, "forty", ending, tmp_path)
    expected = [[str(row * 100 + n) for n in range(40)] for row in range(3)]
    if ending == "pdf":
        assert "".join(name for row in expected for name in row) in pdf_text(path)
    else:
        assert values(READERS[ending](path)) == expected
        assert list(READERS[ending](path)[0]) == [f"c{n}" for n in range(40)]


@in_every_format
def test_one_column_keeps_null_and_empty_apart_where_the_format_can(ending: str, home: Path, tmp_path: Path) -> None:
    path = written(home, "single", ending, tmp_path)
    if ending in ("csv", "tsv"):
        assert path.read_text() == 'only\nv0\n\n""\nv3\n'
    elif ending == "pdf":
        assert "onlyv0v3" in pdf_text(path)
    else:
        assert [row["only"] for row in READERS[ending](path)] == ["v0", None, "", "v3"]


@in_every_format
def test_no_rows_are_a_whole_file_with_its_header(ending: str, home: Path, tmp_path: Path) -> None:
    path = written(home, "hollow", ending, tmp_path)
    if ending in ("csv", "tsv"):
        assert path.read_text().split() == (
            ["n,name,moment,tags"] if ending == "csv" else ["n", "name", "moment", "tags"]
        )
    elif ending == "pdf":
        assert "nnamemomenttags" in pdf_text(path)
    else:
        assert READERS[ending](path) == []
    if ending in ("parquet", "arrow"):
        assert arrow_table(path).schema.names == ["n", "name", "moment", "tags"]


@in_every_format
def test_one_row_is_a_whole_file(ending: str, home: Path, tmp_path: Path) -> None:
    path = written(home, "lonely", ending, tmp_path)
    if ending == "pdf":
        assert "nname1é" in pdf_text(path)
        assert len(PdfReader(path).pages) == 1
    else:
        assert values(READERS[ending](path)) == [["1", "é"]]


@pytest.mark.parametrize("ending", [*FORMATS[:7], pytest.param("pdf", marks=pytest.mark.slow), *FORMATS[8:]])
def test_a_text_of_one_megabyte_is_kept(ending: str, home: Path, tmp_path: Path) -> None:
    path = written(home, "bulky", ending, tmp_path)
    if ending == "pdf":
        assert pdf_text(path).count("Straße") == 60_000
    elif ending == "xlsx":  # a cell holds no more, and the manifest says so
        characters = MEGABYTE.encode("utf-16-le")[: 32_767 * 2].decode("utf-16-le", "ignore")  # as Excel counts them
        assert READERS[ending](path)[0]["text"] == characters
    else:
        assert READERS[ending](path)[0]["text"] == MEGABYTE


def test_a_text_cut_for_a_sheet_is_counted_in_the_manifest(home: Path, tmp_path: Path) -> None:
    path = export(home, "bulky", tmp_path / "bulky.xlsx", ("--manifest",))
    assert json.loads(path.with_name("bulky.xlsx.manifest.json").read_text())["cut"] == 1


@pytest.mark.slow
@in_every_format
def test_ten_thousand_columns_are_kept_or_refused_before_any_byte(ending: str, home: Path, tmp_path: Path) -> None:
    path = tmp_path / f"broad.{ending}"
    done = offtake("export", "broad", "-o", str(path), "--config", str(home / "offtake.yaml"))
    if ending == "pdf":
        assert "64 columns at most, and this file has 10000" in done.said
        assert not path.exists()
    else:
        assert done.code == 0, done.said
        assert values(READERS[ending](path)) == [[str(n) for n in range(10_000)]]
