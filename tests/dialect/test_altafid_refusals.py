"""Altafid's exports: who may have a file, and what is said when there is none."""

from dataclasses import replace
from typing import Any

import pytest

from dialect.adviser import (
    JSON,
    NAME,
    NOBODY,
    PATH,
    changed,
    custom_fields,
    post,
    refusal,
    renamed,
    rows,
    secret_of,
    wish,
)
from dialect.conftest import Demo
from offtake.model.limits import Limits
from offtake.service.counters import Counters
from sites import wait_until


@pytest.mark.parametrize("role", ["SYSTEM_ADMIN", "TENANT_ADMIN", "PARTNER_ADMIN", "TENANT_STAFF", "PARTNER_STAFF"])
def test_five_roles_may_export(demo: Demo, role: str) -> None:
    assert len(rows(post(demo, wish("id"), key=secret_of(demo, role)))) > 100


@pytest.mark.parametrize("roles", [(), ("CONTACT",)])
def test_no_other_role_may(demo: Demo, roles: tuple[str, ...]) -> None:
    secret = secret_of(demo, *roles, scopes=("reports:read", "reports:write"))
    assert refusal(post(demo, wish("id"), key=secret)) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("role", "acting", "status"),
    [
        ("TENANT_ADMIN", "TENANT_STAFF", 200),
        ("SYSTEM_ADMIN", "PARTNER_STAFF", 200),
        ("PARTNER_ADMIN", "tenant_staff", 200),
        ("TENANT_STAFF", "TENANT_STAFF", 200),
        ("TENANT_ADMIN", "", 200),
        ("TENANT_ADMIN", "CONTACT", 403),
        ("TENANT_STAFF", "PARTNER_STAFF", 403),
        ("TENANT_STAFF", "TENANT_ADMIN", 403),
        ("TENANT_ADMIN", "SYSTEM_ADMIN", 403),
        ("TENANT_ADMIN", "KING", 403),
    ],
)
def test_the_user_type_can_only_narrow_the_role(demo: Demo, role: str, acting: str, status: int) -> None:
    secret = secret_of(demo, role)
    assert post(demo, wish("firstName"), key=secret, x_user_type=acting).status_code == status


def test_a_key_that_is_missing_unknown_or_ended_is_401(demo: Demo) -> None:
    none = demo.client.post(PATH, json=wish("id"))
    unknown = post(demo, wish("id"), key="ofk_" + "x" * 36)
    assert [refusal(answer) for answer in (none, unknown)] == [(401, "UNAUTHORIZED")] * 2
    assert none.headers["www-authenticate"].startswith("Bearer")


def test_the_tenant_header_takes_its_uuid_and_its_name_and_no_others(demo: Demo) -> None:
    ours = demo.runtime.tenants["globex"].uuid
    for tenant in (ours, ours.upper(), "globex"):
        assert post(demo, wish("id"), x_tenant_uuid=tenant).status_code == 200
    for tenant in (demo.tenant_uuid, "acme", "", "nobody"):
        assert refusal(post(demo, wish("id"), x_tenant_uuid=tenant)) == (403, "FORBIDDEN")


def test_the_other_user_headers_change_nothing(demo: Demo) -> None:
    plain = post(demo, wish("id"))
    assert post(demo, wish("id"), x_user_email="a@b.example", x_user_id="42").content == plain.content


def test_a_tenant_sees_its_own_rows_and_its_own_custom_fields(demo: Demo) -> None:
    ours, theirs = (rows(post(demo, wish("id"), key=key))[1:] for key in ("admin", "globex"))
    assert not {line[0] for line in ours} & {line[0] for line in theirs}
    (theirs_only, *_), (ours_only, *_) = custom_fields(demo, "globex"), custom_fields(demo, "admin")
    assert len(rows(post(demo, wish(theirs_only["name"])))) > 100
    assert refusal(post(demo, wish(ours_only["name"]))) == (400, "INVALID_COLUMN")
    filters = [{"field": "id", "operator": "equals", "value": ours[0][0]}]
    assert refusal(post(demo, wish("id", filters=filters), key="globex")) == (400, "NO_ROWS")


def test_a_mask_holds_whatever_type_is_wanted(demo: Demo) -> None:
    masked = rows(post(demo, wish({"id": "taxId", "type": "STRING"}), key="reader"))
    assert masked[0] == ["Tax ID"]
    assert {line[0][:4] for line in masked[1:]} == {"", "****"}
    filters = [{"field": "taxId", "operator": "startsWith", "value": "1"}]
    assert refusal(post(demo, wish("id", filters=filters), key="reader")) == (400, "INVALID_FILTER")


# Why there is no file


def test_no_rows_are_an_error(demo: Demo) -> None:
    for format in ("CSV", "XLSX"):
        assert refusal(post(demo, wish("id", filters=[NOBODY]) | {"format": format})) == (400, "NO_ROWS")


def test_too_many_rows_are_an_error_with_both_numbers(demo: Demo) -> None:
    with renamed(demo, "households", row_limit=100) as limited:
        answer = post(limited, wish("id"), "/api/exports/households")
        assert refusal(answer) == (400, "ROW_LIMIT_EXCEEDED")
        assert (answer.json()["matched"], answer.json()["allowed"]) == (250, 100)
        one = [{"field": "members", "operator": "equals", "value": "99"}]
        assert refusal(post(limited, wish("id", filters=one), "/api/exports/households")) == (400, "NO_ROWS")


def test_an_unknown_column_is_an_error_that_names_the_nearest(demo: Demo) -> None:
    answer = post(demo, wish("id", "fristName"))
    assert refusal(answer) == (400, "INVALID_COLUMN")
    assert "Did you mean firstName?" in answer.json()["message"]
    assert answer.json()["errors"] == [
        {"field": "viewState.columns[1]", "message": "contacts has no field 'fristName'."}
    ]


@pytest.mark.parametrize(
    "column",
    ["custom:cf_00000000-0000-0000-0000-000000000000", "tenant", "", "name", "custom", "id ", "x\0y", "\ud800"],
)
def test_what_is_no_field_of_the_entity_is_an_invalid_column(demo: Demo, column: str) -> None:
    assert refusal(post(demo, wish(column))) == (400, "INVALID_COLUMN")


def test_a_column_asked_for_twice_is_invalid(demo: Demo) -> None:
    assert refusal(post(demo, wish("id", "id"))) == (400, "INVALID_COLUMN")


def test_code_and_message_are_of_the_same_problem(demo: Demo) -> None:
    answer = post(demo, {"viewState": {"columns": [{"id": "id"}]}, "filters": "all"})
    assert refusal(answer) == (400, "INVALID_FORMAT")
    assert answer.json()["message"].startswith("format is missing.")


@pytest.mark.parametrize("label", ["First\0Name", {"en": "First\x1bName"}])
def test_a_label_that_no_file_can_hold_is_an_invalid_column(demo: Demo, label: Any) -> None:
    answer = post(demo, wish({"id": "firstName", "label": label}))
    assert refusal(answer) == (400, "INVALID_COLUMN")
    assert answer.json()["message"].startswith("A label holds a character that files cannot hold")


@pytest.mark.parametrize(
    "body",
    [
        {"format": "CSV", "viewState": {"columns": []}},
        {"format": "CSV", "viewState": {}},
        {"format": "CSV", "viewState": {"columns": None}},
        {"format": "CSV", "viewState": None},
        {"format": "CSV"},
        {},
    ],
)
def test_no_columns_are_an_error(demo: Demo, body: JSON) -> None:
    assert refusal(post(demo, body)) == (400, "NO_COLUMNS")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"format": "PDF"}, "INVALID_FORMAT"),
        ({"format": None}, "INVALID_FORMAT"),
        ({"locale": "klingon"}, "INVALID_REQUEST"),
        ({"timezone": "Mars/Phobos"}, "INVALID_REQUEST"),
        ({"filters": "all"}, "INVALID_FILTER"),
        ({"viewState": {"columns": [{"label": "x"}]}}, "INVALID_COLUMN"),
        ({"viewState": {"columns": [NAME], "sort": {"field": "nope"}}}, "INVALID_COLUMN"),
        ({"viewState": {"columns": [NAME], "sort": {"field": "tags"}}}, "INVALID_REQUEST"),
        ({"viewState": {"columns": [NAME], "sort": {"field": "id", "direction": "UP"}}}, "INVALID_REQUEST"),
    ],
)
def test_anything_else_that_is_wrong_is_a_400_too(demo: Demo, more: JSON, code: str) -> None:
    assert refusal(post(demo, wish("id") | more)) == (400, code)


def test_a_body_that_is_no_json_is_an_error(demo: Demo) -> None:
    headers = {"authorization": f"Bearer {demo.keys['admin']}"}
    broken = demo.client.post(PATH, headers=headers | {"content-type": "application/json"}, content=b"{")
    form = demo.client.post(PATH, headers=headers, data={"format": "CSV"})
    large = demo.client.post(PATH, headers=headers, content=b"{" + b" " * (demo.runtime.limits.body_bytes + 1))
    assert refusal(broken) == (400, "INVALID_REQUEST")
    assert refusal(form) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert refusal(large) == (413, "TOO_LARGE")


def test_unknown_addresses_and_methods_are_told_in_the_same_shape(demo: Demo) -> None:
    assert refusal(post(demo, wish("id"), "/api/exports/robots")) == (404, "NOT_FOUND")
    assert refusal(post(demo, wish("id"), "/api/exports")) == (404, "NOT_FOUND")
    wrong = demo.client.get(PATH)
    assert refusal(wrong) == (405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["allow"] == "POST"


def test_too_many_requests_are_told_when_to_come_back(demo: Demo) -> None:
    limits = Limits(rate="1/minute")
    with changed(demo, lambda runtime: replace(runtime, limits=limits, counters=Counters(limits))) as strict:
        assert post(strict, wish("id")).status_code == 200
        answer = post(strict, wish("id"))
        assert refusal(answer) == (429, "RATE_LIMITED")
        assert int(answer.headers["retry-after"]) > 0


# Beyond the page


def test_keys_nobody_knows_are_ignored(demo: Demo) -> None:
    body = wish({"id": "firstName", "width": 120, "pinned": None}, sortModel=[], page=0)
    assert len(rows(post(demo, body))) > 100


def test_any_dataset_is_exported_by_its_alias(demo: Demo) -> None:
    with renamed(demo, "parties", aliases={"altafid": "kin"}) as aliased:
        answer = post(aliased, wish("name"), "/api/exports/kin")
        assert rows(answer)[0] == ["Name"]
        assert 'filename="kin_' in answer.headers["content-disposition"]
        assert refusal(post(aliased, wish("name"), "/api/exports/parties")) == (404, "NOT_FOUND")


def test_a_dataset_needs_its_own_scopes_too(demo: Demo) -> None:
    with renamed(demo, "households", scopes=frozenset({"reports:read", "pii:read"})) as scoped:
        path = "/api/exports/households"
        assert refusal(post(scoped, wish("id"), path, key="reader")) == (403, "FORBIDDEN")
        assert post(scoped, wish("id"), path).status_code == 200


def test_the_audit_says_which_screen_asked(demo: Demo) -> None:
    secret, screen = secret_of(demo, "TENANT_ADMIN"), "CONTACTS_TABLE" + "x" * 86
    post(demo, wish("id", uiScreenName=f"CONTACTS\n_TABLE\ud800{'x' * 200}"), key=secret)
    post(demo, wish("id", filters=[NOBODY], uiScreenName=screen), key=secret)

    def told() -> set[tuple[str, ...]]:
        headers = {"authorization": f"Bearer {secret}"}
        lines = demo.client.get("/api/v1/audit?action=dataset.download&limit=20", headers=headers).json()["data"]
        return {(line["dataset"], line["outcome"], line["detail"]) for line in lines}

    # A line is written once its answer was sent.
    wait_until(lambda: {("contacts", "ok", screen), ("contacts", "refused", "NO_ROWS")} <= told(), 30)
