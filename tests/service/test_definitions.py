"""Definitions below HTTP: who sees and changes them, what another dialect keeps beside them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offtake.api.bodies import ExportBody
from offtake.errors import Conflict, InsufficientScope, InvalidRequest, NotFound, PreconditionFailed
from offtake.model.access import Principal
from offtake.model.dataset import Sort
from offtake.model.export import DateRange, ExportRequest, FieldChoice
from offtake.model.ports import Stop
from offtake.model.saved import Definition, Draft
from offtake.service import definitions as service
from offtake.service.runtime import Runtime
from offtake.service.wishes import write_wish
from service.at_work import CLERK, FOREIGN, READER, WISH
from sites import FakeSource, few, make_runtime

DRAFT = Draft("All numbers", WISH)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A service with the dataset `numbers`."""
    return make_runtime(tmp_path, {"fake": FakeSource(few)})


def save(runtime: Runtime, draft: Draft = DRAFT, who: Principal = CLERK) -> Definition:
    """A new definition."""
    return service.create_definition(runtime, who, draft)


def change(runtime: Runtime, definition: Definition, seen: int | None = None, **given: Any) -> Definition:
    """The definition with those parts of its draft exchanged."""

    def edit(found: Definition) -> Draft:
        return replace(found.draft, **given)

    if seen is None:
        return service.change_definition(runtime, CLERK, definition.id, edit)
    return service.change_definition(runtime, CLERK, definition.id, edit, is_seen=lambda version: version == seen)


def test_a_definition_belongs_to_a_tenant(runtime: Runtime) -> None:
    nobody = replace(CLERK, tenant=None)
    with pytest.raises(InvalidRequest):
        save(runtime, who=nobody)
    definition = save(runtime)
    assert service.find_definition(runtime, nobody, definition.id) == definition
    with pytest.raises(NotFound):
        service.find_definition(runtime, FOREIGN, definition.id)


def test_who_only_reads_can_neither_save_nor_change(runtime: Runtime) -> None:
    definition = save(runtime)
    with pytest.raises(InsufficientScope):
        save(runtime, who=READER)
    with pytest.raises(InsufficientScope):
        service.change_definition(runtime, READER, definition.id, lambda found: found.draft)
    with pytest.raises(InsufficientScope):
        service.delete_definition(runtime, READER, definition.id)


def test_of_editors_at_the_same_moment_who_saw_the_same_one_wins(runtime: Runtime) -> None:
    definition = save(runtime)
    for seen in range(1, 6):
        gate = threading.Barrier(4)

        def edit(name: str, seen: int = seen, gate: threading.Barrier = gate) -> str | None:
            gate.wait(60)
            try:
                return change(runtime, definition, seen, name=name).draft.name
            except PreconditionFailed:
                return None

        with ThreadPoolExecutor(4) as pool:
            winners = [name for name in pool.map(edit, "abcd") if name is not None]
        now = service.find_definition(runtime, CLERK, definition.id)
        assert (winners, now.version) == ([now.draft.name], seen + 1)


def test_an_edit_is_made_again_over_what_somebody_else_changed_meanwhile(runtime: Runtime) -> None:
    definition = save(runtime)
    seen: list[int] = []

    def edit(found: Definition) -> Draft:
        if not seen:
            change(runtime, definition, description="theirs")
        seen.append(found.version)
        return replace(found.draft, name="ours")

    done = service.change_definition(runtime, CLERK, definition.id, edit)
    assert (seen, done.version, done.draft.name, done.draft.description) == ([1, 2], 3, "ours", "theirs")


def test_an_edit_of_what_somebody_deleted_meanwhile_finds_nothing(runtime: Runtime) -> None:
    definition = save(runtime)

    def edit(found: Definition) -> Draft:
        service.delete_definition(runtime, CLERK, definition.id)
        return found.draft

    with pytest.raises(NotFound):
        service.change_definition(runtime, CLERK, definition.id, edit)


def test_what_a_foreign_api_keeps_beside_it_survives_and_its_id_is_taken(runtime: Runtime) -> None:
    draft = replace(DRAFT, dialect="other", external_id="exp 1", extra={"color": "red"})
    definition = save(runtime, draft)
    with pytest.raises(Conflict):
        save(runtime, draft)
    save(runtime, replace(draft, dialect="another"))
    changed = change(runtime, definition, name="Renamed")
    assert service.find_external(runtime, CLERK, "other", "exp 1") == changed
    assert changed.draft.extra == {"color": "red"}
    assert service.find_external(runtime, FOREIGN, "other", "exp 1") is None
    found, total = service.list_definitions(runtime, CLERK, dialect="other")
    assert (list(found), total) == ([changed], 1)


def test_a_file_that_nobody_took_is_no_execution(runtime: Runtime) -> None:
    definition = save(runtime)
    download = service.open_definition(runtime, READER, definition.id, stop=Stop())
    download.chunks.close()
    assert service.find_definition(runtime, READER, definition.id).last_executed_at is None
    b"".join(service.open_definition(runtime, READER, definition.id, stop=Stop()).chunks)
    assert service.find_definition(runtime, READER, definition.id).last_executed_at == runtime.now()


NAMES = st.text(max_size=5) | st.sampled_from(["-n", "+n", "", "n"])
# What a file can hold as a header: XML 1.0 §2.2.
LABELS = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=5)
ABSENT = st.none()


@settings(max_examples=25)
@given(
    st.builds(
        ExportRequest,
        NAMES,
        fields=ABSENT | st.lists(st.builds(FieldChoice, NAMES, ABSENT | LABELS, ABSENT | NAMES), max_size=3).map(tuple),
        sort=ABSENT | st.lists(st.builds(Sort, NAMES.filter(bool), st.booleans()), max_size=3).map(tuple),
        date_range=ABSENT | st.builds(DateRange, ABSENT | NAMES, ABSENT | NAMES, ABSENT | NAMES, st.booleans()),
        limit=ABSENT | st.integers(1, 9),
    )
)
def test_a_wish_as_bodies_write_it_is_read_as_the_same_wish(request: ExportRequest) -> None:
    written = write_wish(request)
    if written.get("fields") == []:
        del written["fields"]
        request = replace(request, fields=None)
    assert ExportBody.model_validate(written).to_request(request.dataset) == request
