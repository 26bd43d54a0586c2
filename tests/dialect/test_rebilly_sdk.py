"""Rebilly's published JavaScript SDK, as the package registry has it, against the demo. Its program is
clients/rebilly.cjs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dialect.biller import Biller
from dialect.conftest import Demo, at_work
from dialect.test_rebilly_documented import PAGE

SDK = "rebilly-js-sdk@62.162.1"
PROGRAM = Path(__file__).parent / "clients/rebilly.cjs"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the SDK; skipped where there is no npm, unless REQUIRE_NPM=1."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        if os.environ.get("REQUIRE_NPM") == "1":
            pytest.fail("REQUIRE_NPM=1, but there is no npm with node on this machine.")
        pytest.skip("There is no npm with node on this machine.")
    home = tmp_path_factory.mktemp("sdk")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", SDK]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return home


@pytest.mark.slow
def test_the_published_sdk_queues_lists_gets_updates_deletes_and_downloads(demo: Demo, installed: Path) -> None:
    Biller(demo).clear()  # the program counts what it finds
    program = shutil.copy(PROGRAM, installed)
    command = ["node", program, demo.site.url, demo.keys["admin"]]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        assert node.stderr is not None
        told = []
        for line in node.stdout:
            told.append(line.strip())
            if told[-1] == "run":
                demo.run()
                node.stdin.write("go\n")
                node.stdin.flush()
        failure = node.stderr.read()
    assert (told, node.returncode) == (["run", "done"], 0), failure


@pytest.mark.slow
def test_the_example_of_the_page_for_the_sdk_runs(demo: Demo, installed: Path) -> None:
    (example,) = re.findall(r"^```js\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    real = example.replace("https://exports.example.com", demo.site.url).replace("ofk_…", demo.keys["admin"])
    program = installed / "example.cjs"
    program.write_text(f"(async () => {{{real}process.exit(0)}})();", "utf-8")
    with at_work(demo):
        done = subprocess.run(["node", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("id,email,firstName"), done.stderr
    Biller(demo).clear()
