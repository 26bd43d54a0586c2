"""Every change of Santiago's clocks since 1970, to the second, in every format that shows wall clocks."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from acceptance.command import export
from acceptance.contacts import CHILE, SANTIAGO, chilean
from acceptance.edges import READERS, build_home, pdf_text

IN_SANTIAGO = ("--timezone", "America/Santiago")
SECOND = timedelta(seconds=1)


def changes() -> list[datetime]:
    """The instants at which clocks changed, as zoneinfo has them."""
    hour, found = datetime(1970, 1, 1, tzinfo=UTC), []
    while hour.year < 2031:
        following = hour + timedelta(hours=1)
        if hour.astimezone(SANTIAGO).utcoffset() != following.astimezone(SANTIAGO).utcoffset():
            found.append(following)
        hour = following
    return found


@pytest.fixture(scope="module")
def moments() -> list[datetime]:
    """A second before, at, and an hour less a second after each change."""
    return [change + step for change in changes() for step in (-SECOND, 0 * SECOND, 3599 * SECOND)]


@pytest.fixture(scope="module")
def home(moments: list[datetime], tmp_path_factory: pytest.TempPathFactory) -> Path:
    seconds = ", ".join(str(int(moment.timestamp())) for moment in moments)
    query = f"SELECT n, to_timestamp(s) AS moment FROM (SELECT unnest([{seconds}]) AS s, row_number() OVER () AS n)"
    return build_home(tmp_path_factory.mktemp("clocks"), {"clocks": f"{query} ORDER BY n"})


def test_there_are_as_many_changes_as_history_had(moments: list[datetime]) -> None:
    assert len(moments) > 300
    offsets = {str(moment.astimezone(SANTIAGO).utcoffset()) for moment in moments}
    assert offsets == {"-1 day, 20:00:00", "-1 day, 21:00:00"}


@pytest.mark.parametrize("ending", ["csv", "tsv", "xml"])
def test_wall_clocks_carry_their_offset(ending: str, moments: list[datetime], home: Path, tmp_path: Path) -> None:
    rows = READERS[ending](export(home, "clocks", tmp_path / f"clocks.{ending}", IN_SANTIAGO))
    assert [row["moment"] for row in rows] == [moment.astimezone(SANTIAGO).isoformat() for moment in moments]
    assert [datetime.fromisoformat(row["moment"]) for row in rows] == moments


@pytest.mark.parametrize("ending", ["csv", "tsv", "xml"])
def test_wall_clocks_are_those_of_santiago(ending: str, moments: list[datetime], home: Path, tmp_path: Path) -> None:
    rows = READERS[ending](export(home, "clocks", tmp_path / f"clocks.{ending}", CHILE))
    assert [row["moment"] for row in rows] == [chilean(moment) for moment in moments]


def test_cells_of_a_sheet_hold_the_wall_clock(moments: list[datetime], home: Path, tmp_path: Path) -> None:
    rows = READERS["xlsx"](export(home, "clocks", tmp_path / "clocks.xlsx", CHILE))
    assert [row["moment"] for row in rows] == [m.astimezone(SANTIAGO).replace(tzinfo=None) for m in moments]


def test_a_pdf_prints_the_wall_clock(moments: list[datetime], home: Path, tmp_path: Path) -> None:
    text = pdf_text(export(home, "clocks", tmp_path / "clocks.pdf", CHILE))
    assert all("".join((chilean(moment) or "").split()) in text for moment in moments)


@pytest.mark.parametrize("ending", ["json", "ndjson", "jsonapi"])
def test_formats_for_programs_keep_utc(ending: str, moments: list[datetime], home: Path, tmp_path: Path) -> None:
    rows = READERS[ending](export(home, "clocks", tmp_path / f"clocks.{ending}", CHILE))
    assert [row["moment"] for row in rows] == [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments]


def test_a_pattern_tells_the_hour_apart_that_comes_twice(moments: list[datetime], home: Path, tmp_path: Path) -> None:
    options = (*CHILE, "--option", "date_style=dd/MM/yyyy HH:mm:ss xxx")
    with export(home, "clocks", tmp_path / "clocks.csv", options).open(encoding="utf-8") as file:
        shown = [row["moment"] for row in csv.DictReader(file)]
    assert [datetime.strptime(text, "%d/%m/%Y %H:%M:%S %z") for text in shown] == moments
