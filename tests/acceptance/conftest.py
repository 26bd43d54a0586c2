"""What is made once for all acceptance tests: the contacts as they are, and as the command line exports them."""

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from acceptance.contacts import Contact, read_contacts


@pytest.fixture(scope="session")
def acme(demo_home: Path) -> list[Contact]:
    """All contacts of acme, read by sqlite3."""
    return read_contacts(demo_home)


@pytest.fixture(scope="session")
def export_contacts(demo_home: Path, offtake: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`export_contacts("csv", …)`: the file that `offtake export contacts` writes for acme, made once a session."""

    @cache
    def export(ending: str, *arguments: str) -> Path:
        path = tmp_path_factory.mktemp("contacts") / f"contacts.{ending}"
        command: list[str | Path] = [offtake, "export", "contacts", "-o", str(path), "--tenant", "acme"]
        command += ["--config", str(demo_home / "offtake.yaml"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        return path

    return export


@pytest.fixture(scope="session")
def soffice() -> str:
    """LibreOffice's command; skipped where there is none, unless REQUIRE_LIBREOFFICE=1."""
    found = shutil.which("soffice")
    if found is None:
        if os.environ.get("REQUIRE_LIBREOFFICE") == "1":
            pytest.fail("REQUIRE_LIBREOFFICE=1, but there is no soffice on this machine.")
        pytest.skip("No LibreOffice on this machine (Debian: apt-get install libreoffice-calc).")
    return found
