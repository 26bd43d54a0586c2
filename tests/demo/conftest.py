"""One prepared home for all tests of the demo: they read it and leave it as it was."""

from pathlib import Path

import pytest

from offtake.demo import prepare


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that was prepared for port 8123."""
    folder = tmp_path_factory.mktemp("demo")
    prepare(folder, 8123)
    return folder
