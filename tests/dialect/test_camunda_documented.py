"""Every example of the page on Camunda's API runs against the demo."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dialect.conftest import Demo
from offtake.demo.reports import RAW

PAGE = (Path(__file__).parents[2] / "docs/dialects/camunda.md").read_text("utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("script", "sizes"), list(zip(SHELL, ([2], [4, 4, 3]), strict=True)), ids=["one", "all"])
def test_every_example_of_the_page_on_camunda_runs(demo: Demo, script: str, sizes: list[int]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the examples are written for it.")
    environ = {**os.environ, "URL": demo.site.url, "KEY": demo.keys["reader"]}
    done = subprocess.run(["sh", "-ec", script], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = [json.loads(text) for text in re.split(r"\n(?=\{\"searchRequestId)", done.stdout)]
    assert [len(page["data"]) for page in pages] == sizes
    assert {page["reportId"] for page in pages} == {RAW}
