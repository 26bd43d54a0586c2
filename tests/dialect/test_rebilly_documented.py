"""Every example of the page on Rebilly's API runs against the demo; the one of its SDK is in test_rebilly_sdk.py."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dialect.conftest import Demo, at_work

PAGE = (Path(__file__).parents[2] / "docs/dialects/rebilly.md").read_text("utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_example_of_the_page_on_rebilly_runs(demo: Demo) -> None:
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the examples are written for it.")
    environ = {**os.environ, "URL": demo.site.url, "KEY": demo.keys["reader"]}
    with at_work(demo):
        done = subprocess.run(["sh", "-ec", *SHELL], env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.search(r"id,amount,currency\ntxn_\w+,\d+\.\d\d,[A-Z]{3}\n", done.stdout)
    demo.client.delete("/data-exports/january", headers={"REB-APIKEY": demo.keys["reader"]})


def test_what_the_pages_own_sample_asks_for_is_in_the_demo(demo: Demo) -> None:
    found = demo.client.get("/data-exports/foobar-001", headers={"REB-APIKEY": demo.keys["reader"]}).json()
    assert (found["status"], found["resource"]) == ("completed", "transactions")
