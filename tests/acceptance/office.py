"""LibreOffice, headless: what it shows of a file."""

import subprocess
from pathlib import Path

# Separator, quote, UTF-8, first line, …, cells as shown, …, every sheet to a file of its own.
AS_SHOWN = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,true,false,false,-1"


def shown_by_libreoffice(soffice: str, path: Path, folder: Path, *arguments: str) -> dict[str, Path]:
    """CSV files in UTF-8 of what LibreOffice shows, one a sheet, by the sheet's name; one of its own for a CSV file."""
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [soffice, profile, "--headless", *arguments, "--convert-to", AS_SHOWN, "--outdir", str(folder)]
    subprocess.run([*command, str(path)], cwd=folder, check=True, capture_output=True, timeout=300)
    return {shown.stem.removeprefix(f"{path.stem}-"): shown for shown in folder.glob(f"{path.stem}*.csv")}
