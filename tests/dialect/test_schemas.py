"""The OpenAPI documents of the foreign APIs are true: made-up requests meet no 5xx and only answers they describe."""

from pathlib import Path

import pytest

from dialect.conftest import Demo
from madeup import run_schemathesis
from offtake.dialect import ENTRYPOINTS
from offtake.web.entrypoint import Entrypoint

EACH = pytest.mark.parametrize("entrypoint", ENTRYPOINTS, ids=lambda one: one.name)


def find_untruths(demo: Demo, entrypoint: Entrypoint, folder: Path, *options: str) -> str:
    """What schemathesis found; empty if nothing. The key goes in every header that any of them reads."""
    key = demo.keys["admin"]
    headers = {"Authorization": f"Bearer {key}", "x-api-key": key, "REB-APIKEY": key}
    return run_schemathesis(demo.site, f"/openapi/{entrypoint.name}.json", headers, folder, *options)


@pytest.mark.slow
@EACH
def test_made_up_requests_of_clients_get_only_documented_answers(
    demo: Demo, entrypoint: Entrypoint, tmp_path: Path
) -> None:
    found = find_untruths(demo, entrypoint, tmp_path, "--max-examples=100")
    assert not found, found
