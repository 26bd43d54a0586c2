"""Definitions over HTTP: saved, changed without overwriting anybody, deleted; who may do what."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.desk import told
from api.shelf import DEFINITIONS, Shelf, open_shelf
from offtake.api.bodies import ExportBody
from offtake.api.bodies_saved import merge_patch

NOBODYS = "01900000-0000-7000-8000-000000000000"
ASKED = {
    "dataset": "numbers",
    "format": "xlsx",
    "fields": [{"field": "n", "as": "string"}, {"field": "text", "label": {"en": "Text", "es": "Texto"}}],
    "filter": {"or": [{"not": {"field": "n", "op": "gte", "values": [1]}}, {"field": "n", "op": "ne", "values": [5]}]},
    "sort": ["-n", "text"],
    "q": "row",
    "date_range": None,
    "limit": 10,
    "locale": "es-CL",
    "timezone": "America/Santiago",
    "filename": "numbers-{date}",
    "options": {"deflate": "small"},
}  # fmt: skip
READS = [("GET", ""), ("POST", "/run"), ("GET", "/preview"), ("GET", "/download"), ("HEAD", "/download")]
WRITES = [("PUT", "", {"name": "Mine", "dataset": "numbers"}), ("PATCH", "", {"name": "Mine"}), ("DELETE", "", None)]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """One service for all of these tests."""
    with open_shelf(tmp_path_factory.mktemp("home")) as shelf:
        yield shelf


@pytest.fixture
def shelf(opened: Shelf) -> Shelf:
    """A shelf of this test's own."""
    return opened.own()


def body_of(shown: dict[str, Any]) -> dict[str, Any]:
    """What of an answer can be sent back."""
    words = {field.alias or name for name, field in ExportBody.model_fields.items()}
    return {name: value for name, value in shown.items() if name in words | {"name", "description", "members"}}


def test_what_is_saved_is_shown_as_it_was_asked_for(shelf: Shelf) -> None:
    made = shelf.ask("POST", json={"name": "Big ones", "description": "For Ana", **ASKED})
    shown = made.json()
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert made.headers["location"] == shown["links"]["self"]
    assert {name: shown[name] for name in ASKED} == ASKED
    assert (shown["name"], shown["description"], shown["members"]) == ("Big ones", "For Ana", [])
    assert (shown["version"], shown["last_executed_at"], shown["problems"]) == (1, None, [])
    assert (shown["created_at"], shown["updated_at"]) == ("2026-05-17T12:30:00Z",) * 2
    assert shelf.read(shown["id"]) == shown


def test_what_is_shown_can_be_sent_back(shelf: Shelf) -> None:
    shown = shelf.save(**ASKED)
    again = shelf.ask("PUT", f"/{shown['id']}", json=body_of(shown))
    assert again.status_code == 200, again.text
    assert body_of(again.json()) == body_of(shown)


def test_a_definition_that_was_seen_is_not_sent_again(shelf: Shelf) -> None:
    id_ = shelf.save()["id"]
    for tag in ('"1"', 'W/"1"', '"7", "1"', "*"):
        answer = shelf.ask("GET", f"/{id_}", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"1"')
    shelf.ask("PATCH", f"/{id_}", json={"name": "Other"})
    assert shelf.ask("GET", f"/{id_}", headers={"If-None-Match": '"1"'}).status_code == 200


def test_a_put_forgets_what_it_does_not_name(shelf: Shelf) -> None:
    id_ = shelf.save(**ASKED, description="Old")["id"]
    put = shelf.ask("PUT", f"/{id_}", json={"name": "New", "dataset": "numbers"})
    assert (put.status_code, put.headers["etag"]) == (200, '"2"')
    shown = put.json()
    assert (shown["name"], shown["description"], shown["format"], shown["filter"]) == ("New", "", "csv", None)
    assert shelf.read(id_) == shown


def test_a_patch_changes_what_it_names_and_null_takes_back(shelf: Shelf) -> None:
    before = shelf.save(**ASKED)
    patch = {
        "name": "New",
        "filter": None,
        "limit": None,
        "format": "csv",
        "options": {"deflate": None, "guard": False},
    }
    for number, kind in enumerate(("application/merge-patch+json", "application/json")):
        answer = shelf.ask("PATCH", f"/{before['id']}", json=patch, headers={"Content-Type": kind})
        assert (answer.status_code, answer.headers["etag"]) == (200, f'"{number + 2}"')
    changed = {"name": "New", "filter": None, "limit": None, "format": "csv", "options": {"guard": False}}
    assert body_of(answer.json()) == body_of(before) | changed


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_nobody_overwrites_what_they_have_not_seen(shelf: Shelf, method: str) -> None:
    id_ = shelf.save()["id"]
    body = None if method == "DELETE" else {"name": "Ours", "dataset": "numbers"}
    shelf.ask("PATCH", f"/{id_}", json={"name": "Theirs"})
    for tag in ('"1"', 'W/"2"', '"x"', ',"1" , , "3",'):
        answer = shelf.ask(method, f"/{id_}", json=body, headers={"If-Match": tag})
        assert told(answer) == (412, "PRECONDITION_FAILED")
    for tag in ("2", "", '"2', '"1", 2', '"2" "2"', 'w/"2"', '*, "2"'):
        answer = shelf.ask(method, f"/{id_}", json=body, headers={"If-Match": tag})
        assert told(answer) == (400, "INVALID_HEADER")
        assert "quotes" in answer.json()["detail"]
    assert shelf.read(id_)["name"] == "Theirs"
    assert shelf.ask(method, f"/{id_}", json=body, headers={"If-Match": '"9", "2"'}).status_code in (200, 204)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_of_editors_who_saw_the_same_exactly_one_wins(shelf: Shelf, method: str) -> None:
    id_ = shelf.save()["id"]
    for version in (1, 2, 3):

        def edit(name: str, tag: str = f'"{version}"') -> int:
            body = {"name": name, "dataset": "numbers"}
            return shelf.ask(method, f"/{id_}", json=body, headers={"If-Match": tag}).status_code

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(edit, "ABCDEF")) == [200, 412, 412, 412, 412, 412]
        assert shelf.read(id_)["version"] == version + 1


def test_editors_who_do_not_say_what_they_saw_all_get_their_turn(shelf: Shelf) -> None:
    id_ = shelf.save()["id"]
    changes: list[dict[str, Any]] = [{"name": "New"}, {"limit": 3}, {"sort": ["n"]}, {"q": "x"}, {"locale": "de"}]
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda change: shelf.ask("PATCH", f"/{id_}", json=change).status_code, changes))
    shown = shelf.read(id_)
    assert answers == [200] * 5
    assert (shown["version"], shown["name"], shown["limit"], shown["sort"]) == (6, "New", 3, ["n"])
    assert (shown["q"], shown["locale"]) == ("x", "de")


@pytest.mark.parametrize("body", [
    ({"format": "xls"}, "/format"),
    ({"fields": ["n", "txet"]}, "/fields/1"),
    ({"filter": {"and": [{"field": "n", "op": "gte", "value": "x"}]}}, "/filter/and/0"),
    ({"filter": {"field": "nn", "op": "gte", "value": 1}}, "/filter"),
    ({"sort": ["n", "-nn"]}, "/sort/1"),
    ({"date_range": {"from": "today"}}, "/date_range/field"),
    ({"options": {"guad": True}}, "/options/guad"),
    ({"compression": "rar"}, "/compression"),
    ({"timezone": "Mars/Base"}, "/timezone"),
    ({"filename": "{x}"}, "/filename"),
    ({"limit": 0}, "/limit"),
    ({"dataset": "numbrs"}, "/dataset"),
    ({"dataset": None}, "/dataset"),
    ({"name": ""}, "/name"),
    ({"name": " "}, "/name"),
    ({"name": "two\nlines"}, "/name"),
    ({"name": "x" * 201}, "/name"),
    ({"description": "a\0b"}, "/description"),
    ({"descripton": "x"}, "/descripton"),
    ({"members": [NOBODYS]}, "/dataset"),
])  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_what_could_not_be_run_is_not_saved_and_told_where(shelf: Shelf, method: str, body: Any) -> None:
    wrong, pointer = body
    before = None if method == "POST" else shelf.save()
    whole = wrong if method == "PATCH" else {"name": "New", "dataset": "numbers", **wrong}
    if method == "PATCH" and "name" not in wrong:
        whole = {"name": "New", **wrong}
    answer = shelf.ask(method, "" if before is None else f"/{before['id']}", json=whole)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    if before is not None:
        assert shelf.read(before["id"]) == before


@pytest.mark.parametrize("name", ["Informe año 2026 — ñandú", "👩‍💻 نموذج", "日本\u3000語", "a\u00a0b", "x" * 200])
def test_a_name_may_be_written_in_any_script(shelf: Shelf, name: str) -> None:
    assert shelf.read(shelf.save(name=name)["id"])["name"] == name


def test_a_deleted_definition_is_gone(shelf: Shelf) -> None:
    id_ = shelf.save()["id"]
    assert shelf.ask("DELETE", f"/{id_}").status_code == 204
    assert told(shelf.ask("GET", f"/{id_}")) == told(shelf.ask("DELETE", f"/{id_}")) == (404, "NOT_FOUND")


def test_a_combined_definition_lists_others_and_has_no_rows(shelf: Shelf) -> None:
    ids = [shelf.save(name=name)["id"] for name in "ab"]
    made = shelf.save(name="Both", members=ids)
    assert (made["members"], made["dataset"], list(made["links"])) == (ids, None, ["self"])
    for method, path in READS[1:4]:
        assert told(shelf.ask(method, f"/{made['id']}{path}")) == (409, "CONFLICT")


def test_a_combined_definition_lists_only_plain_ones_that_there_are(shelf: Shelf) -> None:
    plain = shelf.save()["id"]
    combined = shelf.save(name="One", members=[plain])["id"]
    foreign = shelf.holding("reports:read", "reports:write", tenant="globex").save()["id"]
    for wrong in (combined, foreign, NOBODYS, "x", "\0"):
        answer = shelf.ask("POST", json={"name": "Two", "members": [plain, wrong]})
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/members/1"]
    itself = shelf.ask("PATCH", f"/{combined}", json={"members": [combined]})
    assert itself.json()["errors"][0]["pointer"] == "/members/0"
    told_too_many = shelf.ask("POST", json={"name": "All", "members": [plain] * 101})
    assert told_too_many.json()["errors"][0]["pointer"] == "/members"


def test_a_combined_definition_says_which_of_its_members_is_gone(shelf: Shelf) -> None:
    ids = [shelf.save(name=name)["id"] for name in "ab"]
    made = shelf.save(name="Both", members=ids)
    shelf.ask("DELETE", f"/{ids[1]}")
    assert [problem["pointer"] for problem in shelf.read(made["id"])["problems"]] == ["/members/1"]


@pytest.mark.parametrize(("method", "path", "body"), [*((*read, None) for read in READS), *WRITES])
def test_another_tenants_definition_is_not_there(shelf: Shelf, method: str, path: str, body: Any) -> None:
    before = shelf.save()
    globex = shelf.holding("reports:read", "reports:write", "pii:read", tenant="globex")
    answers = [globex.ask(method, f"/{id_}{path}", json=body) for id_ in (before["id"], NOBODYS, "x", "%00" * 36)]
    assert {answer.status_code for answer in answers} == {404}
    if method != "HEAD":
        assert len({answer.json()["detail"] for answer in answers}) == 1
    assert before["id"] not in globex.ask("GET").text
    assert shelf.read(before["id"]) == before


def test_who_only_reads_runs_and_downloads_but_changes_nothing(shelf: Shelf) -> None:
    before = shelf.save()
    reader = shelf.holding("reports:read")
    assert [reader.ask(method, f"/{before['id']}{path}").status_code for method, path in READS] == [
        200,
        202,
        200,
        200,
        200,
    ]
    assert told(reader.ask("POST", json={"name": "x", "dataset": "numbers"})) == (403, "INSUFFICIENT_SCOPE")
    for method, path, body in WRITES:
        assert told(reader.ask(method, f"/{before['id']}{path}", json=body)) == (403, "INSUFFICIENT_SCOPE")
    assert shelf.read(before["id"])["version"] == 1


@pytest.mark.parametrize(("method", "path", "body"), [*((*read, None) for read in READS), *WRITES])
def test_every_route_of_definitions_needs_a_key_with_a_scope(shelf: Shelf, method: str, path: str, body: Any) -> None:
    where = f"/{shelf.save()['id']}{path}"
    unkeyed = shelf.desk.client.request(method, f"{shelf.desk.site.url}{DEFINITIONS}{where}", json=body)
    assert unkeyed.status_code == 401
    assert shelf.holding("audit:read").ask(method, where, json=body).status_code == 403


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text("ab", max_size=1),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_a_merge_patch_does_what_the_standard_says(target: Any, patch: Any) -> None:
    def oracle(target: Any, patch: Any) -> Any:  # the pseudocode of RFC 7396 §2
        if isinstance(patch, dict):
            if not isinstance(target, dict):
                target = {}
            for name, value in patch.items():
                if value is None:
                    if name in target:
                        del target[name]
                else:
                    target[name] = oracle(target.get(name), value)
            return target
        return patch

    before = repr(target)
    merged = merge_patch(target, patch)
    assert repr(target) == before
    assert merged == oracle(target, patch)


def test_half_a_surrogate_pair_is_no_text_of_an_option(shelf: Shelf) -> None:
    for content in (rb'{"null": "\ud800"}', rb'{"null": "a\udfffb"}'):
        body = b'{"name": "x", "dataset": "numbers", "options": %s}' % content
        answer = shelf.ask("POST", content=body, headers={"Content-Type": "application/json"})
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/options/null"]
