"""The OpenAPI document is true: made-up requests meet no 5xx and no answer that it does not describe."""

from pathlib import Path

import pytest

from madeup import run_schemathesis
from offtake.model.limits import Limits
from sites import FakeSource, bearer, few, make_key, make_runtime, serve


def find_untruths(home: Path, *options: str) -> str:
    """What schemathesis found against a served runtime; empty if nothing."""
    runtime = make_runtime(home, {"fake": FakeSource(few)}, limits=Limits(rate=""))
    secret = make_key(runtime, "reports:read", "reports:write", "keys:admin")
    with serve(runtime) as site:
        return run_schemathesis(site, "/openapi.json", bearer(secret), home, *options)


@pytest.mark.slow
def test_made_up_requests_get_only_documented_answers(tmp_path: Path) -> None:
    assert not find_untruths(tmp_path, "--max-examples=200")
