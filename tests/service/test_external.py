"""Export jobs as foreign APIs know them: found by the client's ids, filtered and sorted in the dialect's words."""

from pathlib import Path

import pytest

from offtake.errors import Conflict, InsufficientScope, InvalidFilter, InvalidRequest, NotFound, UnknownField
from offtake.model.access import Principal
from offtake.model.dataset import Field, FieldType, Sort
from offtake.model.filter import Condition, Operator
from offtake.service.exports import find_export
from offtake.service.external import (
    check_export_filter,
    find_external_export,
    list_external_exports,
    read_export_sort,
)
from offtake.service.runtime import Runtime
from service.at_work import FOREIGN, OTHER, READER, run, submit
from sites import NUMBERS, FakeSource, few, make_runtime

FIELDS = (
    Field("title", FieldType.STRING, "name", ""),
    Field("status", FieldType.STRING, "state", "", values=("waiting", "done")),
    Field("made", FieldType.DATETIME, "created_at", ""),
)
WORDS = {"state": {"queued": "waiting", "succeeded": "done"}}


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A service over three rows; turns are only listed."""
    return make_runtime(tmp_path, {"fake": FakeSource(few)}, NUMBERS)


def test_a_job_of_a_foreign_api_is_found_by_its_id_and_is_a_native_job_too(runtime: Runtime) -> None:
    job = submit(runtime, dialect="rebilly", external_id="mine", name="Mine", extra={"a": 1})
    found = find_external_export(runtime, OTHER, "rebilly", "mine")
    assert (found, found.extra) == (find_export(runtime, OTHER, job.id), {"a": 1})


@pytest.mark.parametrize("id_", ["mine", "", "\0", "mine\0"])
def test_what_another_tenant_or_api_has_is_not_there(runtime: Runtime, id_: str) -> None:
    submit(runtime, dialect="rebilly", external_id="mine")
    for who, dialect in ((FOREIGN, "rebilly"), (READER, "exelensia")):
        with pytest.raises(NotFound):
            find_external_export(runtime, who, dialect, id_)
    assert list_external_exports(runtime, FOREIGN, "rebilly") == ((), 0)


def test_a_second_job_of_the_same_id_is_a_conflict_and_leaves_no_turn(runtime: Runtime) -> None:
    submit(runtime, dialect="rebilly", external_id="mine")
    with pytest.raises(Conflict):
        submit(runtime, dialect="rebilly", external_id="mine")
    assert list_external_exports(runtime, READER, "rebilly")[1] == 1


def test_a_list_is_asked_in_the_words_of_the_dialect(runtime: Runtime) -> None:
    run(runtime, submit(runtime, dialect="rebilly", name="b"))
    submit(runtime, dialect="rebilly", name="a")
    where = check_export_filter(Condition("status", Operator.IEQ, ("DONE",)), FIELDS)
    sort = read_export_sort((Sort("title"),), FIELDS)
    found, total = list_external_exports(runtime, READER, "rebilly", where=where, words=WORDS)
    assert ([job.name for job in found], total) == (["b"], 1)
    assert [job.name for job in list_external_exports(runtime, READER, "rebilly", sort=sort)[0]] == ["a", "b"]
    day = check_export_filter(Condition("made", Operator.ON, ("2026-05-17",)), FIELDS)
    assert list_external_exports(runtime, READER, "rebilly", where=day)[1] == 2


def test_what_the_dialect_has_no_field_for_is_refused_in_its_words(runtime: Runtime) -> None:
    with pytest.raises(UnknownField, match="statuss"):
        check_export_filter(Condition("statuss", Operator.EQ, ("done",)), FIELDS)
    with pytest.raises(InvalidFilter):
        check_export_filter(Condition("status", Operator.EQ, ("gone",)), FIELDS)
    with pytest.raises(InvalidRequest, match="titel") as caught:
        read_export_sort((Sort("titel"),), FIELDS)
    assert "title" in caught.value.hint


def test_who_may_read_nothing_finds_nothing(runtime: Runtime) -> None:
    nobody = Principal("nobody", "acme", frozenset())
    with pytest.raises(InsufficientScope):
        find_external_export(runtime, nobody, "rebilly", "mine")
    with pytest.raises(InsufficientScope):
        list_external_exports(runtime, nobody, "rebilly")
