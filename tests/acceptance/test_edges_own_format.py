"""A format of one's own: one file and one line of a table, and the command line and the conformance test have it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.edges import build_home

ROOT = Path(__file__).parents[2]
# A second one, which does what no format may: it writes its header although the database may yet fail.
HASTY = """
from dataclasses import dataclass, replace

def encode_hasty(stream, options):
    yield b"header"
    yield from encode_pipes(stream, options)

HASTY = replace(PIPES, name="hasty", encode=encode_hasty)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed package: the module of `docs/formats/README.md` and its entry points."""
    folder = tmp_path_factory.mktemp("package")
    page = (ROOT / "docs" / "formats" / "README.md").read_text("utf-8")
    module, line = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "toml"))
    assert module is not None
    assert line is not None
    assert re.fullmatch(r'\[project.entry-points."offtake.formats"\]\npipes = "my_package:PIPES"\n', line[1])
    (folder / "my_package.py").write_text(module[1] + HASTY, encoding="utf-8")
    about = folder / "my_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    points = "[offtake.formats]\npipes = my_package:PIPES\nhasty = my_package:HASTY\n"
    (about / "entry_points.txt").write_text(points)
    return folder


def run(package: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | {"PYTHONPATH": str(package)}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_conformance_test_picks_an_installed_format_up(package: Path) -> None:
    only = ("-p", "no:cacheprovider", "-o", "addopts=", "-rA", "-k", "pipes or hasty", "--tb=no")
    told = run(package, "pytest", "tests/encode/test_conformance.py", *only).stdout
    outcomes = re.findall(r"^(PASSED|FAILED) \S+::test_(\w+)\[(\w+)\]", told, re.MULTILINE)
    tests = set(re.findall(r"@each_format\ndef test_(\w+)", (ROOT / "tests/encode/test_conformance.py").read_text()))
    assert {test for outcome, test, name in outcomes if (outcome, name) == ("PASSED", "pipes")} == tests
    assert ("FAILED", "nothing_comes_before_the_first_batch_is_there", "hasty") in outcomes


def test_the_command_line_has_an_installed_format(package: Path, tmp_path: Path) -> None:
    home = build_home(tmp_path, {"pairs": "SELECT * FROM (VALUES (1, 'x'), (NULL, 'y')) AS pairs(a, b)"})
    config = ("--config", str(home / "offtake.yaml"))
    done = run(
        package, "offtake.cli", "export", "pairs", "-o", "-", "--format", "pipes", "--option", "ends=true", *config
    )
    assert (done.stdout, done.stderr) == ("|1|x|\n||y|\n", "")
