"""Every example of the page on Exelensia's API runs against the demo."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dialect.conftest import Demo, at_work

PAGE = (Path(__file__).parents[2] / "docs/dialects/exelensia.md").read_text("utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_example_of_the_page_on_exelensia_runs(demo: Demo) -> None:
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the examples are written for it.")
    environ = {**os.environ, "URL": demo.site.url, "KEY": demo.keys["reader"]}
    with at_work(demo):
        done = subprocess.run(["sh", "-ec", *SHELL], env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r'\{"url":"http://.*\.csv\?token=.*&expires=\d+"\}', done.stdout.strip())
