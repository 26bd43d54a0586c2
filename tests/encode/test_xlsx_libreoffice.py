"""LibreOffice opens our workbooks and shows the same cells."""

import csv
import subprocess
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from workbooks import stream_of

from offtake.encode.xlsx import XlsxOptions
from offtake.encode.xlsx.book import Bounds, write_book
from offtake.model.export import Reader

# Separator, quote, UTF-8, first line, …, cells as shown, …, every sheet to a file of its own.
AS_SHOWN = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,true,false,false,-1"


def sheets_as_shown(soffice: str, content: bytes, folder: Path) -> dict[str, list[list[str]]]:
    """What LibreOffice shows, by sheet."""
    (folder / "book.xlsx").write_bytes(content)
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [soffice, profile, "--headless", "--convert-to", AS_SHOWN, "--outdir", str(folder), "book.xlsx"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    shown = {}
    for path in folder.glob("book-*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            shown[path.stem.removeprefix("book-")] = list(csv.reader(file))
    return shown


def test_libreoffice_shows_the_same_cells(soffice: str, tmp_path: Path) -> None:
    seconds = [0, 1, 59, 3599, 3601, 23_400, 43_199, 86_399]
    table = pa.table(
        {
            "n": pa.array([0, -7, 999_999_999_999_999, 10**17, None, 5, 6, 7]),
            "text": ["=1+1", " a ", "línea\ndos", 'quo"te', "007", "😀 שלום", "_x0041_", "+56 9"],
            "total": pa.array([Decimal("12.50"), Decimal("-0.07"), *[None] * 6], pa.decimal128(12, 2)),
            "ok": pa.array([True, False, *[None] * 6]),
            "born": pa.array([date(1900, 2, 28), date(1900, 3, 1), date(9999, 12, 31), *[date(2024, 2, 29)] * 5]),
            "at": pa.array(
                [datetime(2026, 4, 5, 3, 0, tzinfo=UTC).replace(second=s % 60, minute=s // 60 % 60) for s in seconds],
                pa.timestamp("us", "UTC"),
            ),
            "clock": pa.array([time(s // 3600, s // 60 % 60, s % 60) for s in seconds], pa.time64("us")),
        }
    )
    stream = stream_of(table, reader=Reader(timezone="America/Santiago"))
    content = b"".join(write_book(stream, XlsxOptions(sheet_name="It's"), Bounds(rows=7)))
    shown = sheets_as_shown(soffice, content, tmp_path)
    assert sorted(shown) == ["It's", "It's 2"]
    header = ["n", "text", "total", "ok", "born", "at", "clock"]
    assert [sheet[0] for sheet in shown.values()] == [header, header]
    rows = shown["It's"][1:] + shown["It's 2"][1:]
    assert [row[0] for row in rows] == ["0", "-7", "999999999999999", "100000000000000000", "", "5", "6", "7"]
    assert [row[1] for row in rows] == table["text"].to_pylist()
    assert [row[2] for row in rows] == ["12.50", "-0.07"] + [""] * 6
    assert [row[3] for row in rows] == ["TRUE", "FALSE"] + [""] * 6
    assert [row[4] for row in rows] == [str(day) for day in table["born"].to_pylist()]
    assert [row[5] for row in rows] == [f"2026-04-04 23:{s // 60 % 60:02}:{s % 60:02}" for s in seconds]
    assert [row[6] for row in rows] == [str(clock) for clock in table["clock"].to_pylist()]


def test_libreoffice_shows_dates_as_the_locale_does(soffice: str, tmp_path: Path) -> None:
    table = pa.table(
        {
            "born": pa.array([date(2026, 5, 31)]),
            "at": pa.array([datetime(2026, 5, 31, 20, 5, 9, tzinfo=UTC)], pa.timestamp("us", "UTC")),
            "total": pa.array([Decimal("1234567.50")], pa.decimal128(12, 2)),
        }
    )
    stream = stream_of(table, reader=Reader("de", "Europe/Berlin"))
    shown = sheets_as_shown(soffice, b"".join(write_book(stream, XlsxOptions(), Bounds())), tmp_path)
    assert shown["Data"][1] == ["31.05.2026", "31.05.2026, 22:05:09", "1,234,567.50"]
