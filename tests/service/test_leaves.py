"""A dataset's fields with the members of structs in the place of these."""

from dataclasses import replace
from pathlib import Path

import pytest

from offtake.model.dataset import Field, FieldType, Mask
from offtake.service.datasets import leaf_names
from service.at_work import CLERK, READER
from sites import NUMBERS, FakeSource, few, make_runtime

AMOUNT = Field("amount", FieldType.NUMBER, "amount", "Amount")
INNER = Field("inner", FieldType.STRUCT, "inner", "Inner", fields=(AMOUNT,))
MONEY = Field("money", FieldType.STRUCT, "money", "Money", fields=(AMOUNT, INNER))
SECRET = replace(MONEY, name="secret", mask=Mask.REDACT, unless_scope="pii:read")
SHOP = replace(NUMBERS, name="shop", fields=(NUMBERS.fields[0], MONEY, SECRET))
OPEN = ("money.amount", "money.inner.amount")


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ((), ("n", *OPEN, "secret")),
        (("money", "n"), (*OPEN, "n")),
        (("money/amount", "nothing"), ("money/amount", "nothing")),
    ],
)
def test_structs_are_unfolded_unless_they_are_masked(
    tmp_path: Path, chosen: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, SHOP)
    assert leaf_names(runtime, READER, "shop", chosen) == expected


def test_who_sees_a_masked_struct_has_its_members(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, SHOP)
    assert leaf_names(runtime, CLERK, "shop", ("secret",)) == ("secret.amount", "secret.inner.amount")
