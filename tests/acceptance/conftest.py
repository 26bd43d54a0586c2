"""What is made once for all acceptance tests: the contacts as they are, and as the command line exports them."""

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
