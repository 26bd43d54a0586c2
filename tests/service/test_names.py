"""Datasets under the names that foreign APIs have for them."""

from dataclasses import replace
from pathlib import Path

import pytest

from offtake.errors import NotFound
from offtake.model.access import Principal
from offtake.service.names import dataset_called, name_in
from offtake.service.runtime import Runtime
from sites import NUMBERS, FakeSource, few, make_runtime


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """`billing` is called `numbers` by rebilly, where a dataset of that name is as well."""
    billing = replace(NUMBERS, name="billing", aliases={"rebilly": "numbers"})
    return make_runtime(tmp_path, {"fake": FakeSource(few)}, NUMBERS, billing)


def test_an_alias_is_what_the_dialect_calls_it(runtime: Runtime) -> None:
    assert dataset_called(runtime, "rebilly", "numbers") == "billing"
    assert name_in(runtime, "rebilly", "billing") == "numbers"


def test_other_dialects_call_it_by_its_own_name(runtime: Runtime) -> None:
    assert dataset_called(runtime, "altafid", "billing") == "billing"
    assert dataset_called(runtime, "altafid", "numbers") == "numbers"
    assert name_in(runtime, "altafid", "billing") == "billing"


def test_a_dataset_with_an_alias_has_no_second_name(runtime: Runtime) -> None:
    with pytest.raises(NotFound, match="billing"):
        dataset_called(runtime, "rebilly", "billing")


def test_an_unknown_name_is_told_the_nearest_that_the_caller_may_read(runtime: Runtime) -> None:
    secret = replace(NUMBERS, name="numbered", scopes=frozenset({"payroll:read"}))
    with_secret = replace(runtime, datasets={**runtime.datasets, "numbered": secret})
    with pytest.raises(NotFound) as raised:
        dataset_called(with_secret, "rebilly", "number", Principal("reader", "acme", frozenset({"reports:read"})))
    assert "numbers" in raised.value.hint
    assert "numbered" not in raised.value.hint
    with pytest.raises(NotFound) as raised:
        dataset_called(with_secret, "rebilly", "number")
    assert not raised.value.hint


def test_a_dataset_that_is_gone_keeps_its_name(runtime: Runtime) -> None:
    assert name_in(runtime, "rebilly", "gone") == "gone"
