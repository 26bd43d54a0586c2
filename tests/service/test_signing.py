"""What is signed comes back as it was, or not at all."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offtake.errors import InvalidConfig, InvalidCursor
from offtake.model.access import Secret
from offtake.service.runtime import Runtime
from offtake.service.signing import Signature, is_signed, seal_cursor, sign, signing_secret, unseal_cursor
from sites import NOW, make_runtime

OLD, NEW = Secret("k1", b"the secret of the year before this"), Secret("k2", b"the secret of the year that it is!")
PLACES = st.text(max_size=40)
QUESTIONS = st.lists(st.text(max_size=10), max_size=4)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A runtime with two secrets."""
    made = make_runtime(tmp_path_factory.mktemp("home"), {})
    yield replace(made, secrets=(OLD, NEW))
    made.appdb.close()


@given(place=PLACES, question=QUESTIONS)
def test_a_cursor_gives_its_place_back(runtime: Runtime, place: str, question: list[str]) -> None:
    assert unseal_cursor(runtime, seal_cursor(runtime, place, *question), *question) == place


@given(place=PLACES, question=QUESTIONS, other=QUESTIONS)
def test_a_cursor_answers_no_other_question(
    runtime: Runtime, place: str, question: list[str], other: list[str]
) -> None:
    cursor = seal_cursor(runtime, place, *question)
    if other != question:
        with pytest.raises(InvalidCursor):
            unseal_cursor(runtime, cursor, *other)


@given(cursor=st.text())
def test_no_text_is_a_cursor_by_chance(runtime: Runtime, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        unseal_cursor(runtime, cursor)


@given(parts=st.lists(st.text(), min_size=1), others=st.lists(st.text(), min_size=1))
def test_a_signature_stands_for_one_list_of_parts(runtime: Runtime, parts: list[str], others: list[str]) -> None:
    signature = sign(NEW, *parts)
    assert is_signed(runtime, signature, *parts)
    assert is_signed(runtime, signature, *others) == (parts == others)
    assert not is_signed(runtime, Signature("k1", signature.value), *parts)


def test_where_one_part_ends_and_the_next_begins_is_signed_too(runtime: Runtime) -> None:
    assert not is_signed(runtime, sign(NEW, "ab", "c"), "a", "bc")


def test_a_secret_counts_until_its_date(runtime: Runtime) -> None:
    signature = sign(OLD, "x")
    ends = NOW + timedelta(seconds=1)
    assert is_signed(replace(runtime, secrets=(replace(OLD, not_after=ends), NEW)), signature, "x")
    assert not is_signed(replace(runtime, secrets=(replace(OLD, not_after=NOW), NEW)), signature, "x")


def test_the_newest_secret_that_is_still_valid_signs(runtime: Runtime) -> None:
    assert signing_secret(runtime) is NEW
    assert signing_secret(replace(runtime, secrets=(OLD, replace(NEW, not_after=NOW)))) is OLD
    with pytest.raises(InvalidConfig):
        signing_secret(replace(runtime, secrets=(replace(OLD, not_after=NOW),)))


def test_no_secret_shows_in_text() -> None:
    assert "year" not in repr(NEW)
