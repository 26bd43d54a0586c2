"""The environment is read in one place: the settings, and the command line that starts them."""

import ast
from collections.abc import Iterator
from pathlib import Path

from house.tree import sources, tree

MAY_READ = ("src/offtake/settings/", "src/offtake/cli/")
NAMES = {"environ", "environb", "getenv", "putenv"}


def readings(path: Path) -> Iterator[str]:
    """Where a file reads the process's environment."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and node.attr in NAMES:
            yield f"{path}:{node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.module == "os" and NAMES & {alias.name for alias in node.names}:
            yield f"{path}:{node.lineno}"


def test_only_settings_and_cli_read_the_environment() -> None:
    paths = [path for path in sources(".py", under=("src",)) if not str(path).startswith(MAY_READ)]
    found = [place for path in paths for place in readings(path)]
    assert not found, "\n".join(found)
