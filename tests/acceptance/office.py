"""LibreOffice, headless: what it shows of a file."""

import subprocess
from pathlib import Path

# Separator, quote, UTF-8, first line, …, cells as shown, …, every sheet to a file of its own.
AS_SHOWN = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,true,false,false,-1"


def shown_by_libreoffice(soffice: str, path: Path, folder: Path) -> dict[str, Path]:
    """CSV files in UTF-8 of what LibreOffice shows of a workbook, by the sheet's name."""
    _convert(soffice, path, folder, AS_SHOWN)
    return {shown.stem.removeprefix(f"{path.stem}-"): shown for shown in folder.glob(f"{path.stem}-*.csv")}


def converted_by_libreoffice(soffice: str, path: Path, folder: Path, *arguments: str) -> Path:
    """The workbook LibreOffice makes of a CSV file."""
    _convert(soffice, path, folder, "xlsx", *arguments)
    return folder / f"{path.stem}.xlsx"


def _convert(soffice: str, path: Path, folder: Path, to: str, *arguments: str) -> None:
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [soffice, profile, "--headless", *arguments, "--convert-to", to, "--outdir", str(folder), str(path)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
