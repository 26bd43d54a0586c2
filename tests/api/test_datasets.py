"""Datasets over HTTP: what is shown to whom, previews, counts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import httpx2
import pytest

from offtake.model.dataset import Field, FieldType, Mask
from offtake.service.runtime import Runtime
from sites import NUMBERS, FakeSource, Site, bearer, few, make_key, make_runtime, serve

BASE = "/api/v1/datasets"
SECRET = replace(NUMBERS, name="payroll", scopes=frozenset({"payroll:read"}))
MASKED = replace(
    NUMBERS,
    name="masked",
    row_limit=10,
    fields=(
        Field("n", FieldType.INTEGER, "n", "N", mask=Mask.REDACT, unless_scope="pii:read"),
        Field("text", FieldType.STRING, "text", "Text", mask=Mask.HIDE, unless_scope="pii:read"),
    ),
)
REFLECTED = replace(NUMBERS, name="reflected", fields=())


@pytest.fixture(scope="module")
def source() -> FakeSource:
    """Three rows of 12."""
    return FakeSource(few, matched=12)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory, source: FakeSource) -> Runtime:
    """Four datasets over one source."""
    return make_runtime(tmp_path_factory.mktemp("home"), {"fake": source}, NUMBERS, SECRET, MASKED, REFLECTED)


@pytest.fixture(scope="module")
def site(runtime: Runtime) -> Iterator[Site]:
    """The runtime, served."""
    with serve(runtime) as served:
        yield served


def names(site: Site, secret: str) -> list[str]:
    """The datasets that a key sees listed."""
    return [each["name"] for each in httpx2.get(site.url + BASE, headers=bearer(secret)).json()["data"]]


def test_a_dataset_whose_scopes_are_missing_is_not_listed_and_not_opened(site: Site, runtime: Runtime) -> None:
    reader, insider = make_key(runtime), make_key(runtime, "reports:read", "payroll:read")
    assert "payroll" not in names(site, reader)
    assert "payroll" in names(site, insider)
    for method, path in (("GET", ""), ("GET", "/download"), ("POST", "/download"), ("POST", "/count")):
        body = {"json": {}} if method == "POST" else {}
        answer = httpx2.request(method, f"{site.url}{BASE}/payroll{path}", headers=bearer(reader), **body)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_SCOPE")
        assert "payroll:read" in answer.json()["detail"]


def test_a_misspelt_name_is_never_led_to_a_dataset_one_may_not_see(site: Site, runtime: Runtime) -> None:
    answer = httpx2.get(f"{site.url}{BASE}/payrol", headers=bearer(make_key(runtime)))
    assert answer.status_code == 404
    assert "payroll" not in answer.text


def test_a_key_without_scopes_reads_nothing(site: Site, runtime: Runtime) -> None:
    headers = bearer(make_key(runtime, "audit:read"))
    for path in ("", "/numbers", "/numbers/download", "/nowhere"):
        answer = httpx2.get(site.url + BASE + path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_SCOPE")


def test_a_dataset_is_shown_as_this_key_sees_it(site: Site, runtime: Runtime) -> None:
    url = f"{site.url}{BASE}/masked"
    shown = httpx2.get(url, headers=bearer(make_key(runtime))).json()
    whole = httpx2.get(url, headers=bearer(make_key(runtime, "reports:read", "pii:read"))).json()
    assert [(f["name"], f["type"], f["operators"], f["masked"]) for f in shown["fields"]] == [("n", "string", [], True)]
    assert [(f["name"], f["type"], f["masked"]) for f in whole["fields"]] == [
        ("n", "integer", False),
        ("text", "string", False),
    ]
    assert shown["row_limit"] == 10
    assert {"csv", "json", "parquet"} <= set(shown["formats"])


def test_fields_nobody_configured_are_asked_of_the_source_once(site: Site, runtime: Runtime) -> None:
    shown = httpx2.get(f"{site.url}{BASE}/reflected", headers=bearer(make_key(runtime))).json()
    assert [field["name"] for field in shown["fields"]] == ["n", "text"]
    assert "reflected" in runtime.resolved


def test_a_source_that_is_down_does_not_empty_the_list(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few, is_up=False)}, NUMBERS, REFLECTED)
    secret = make_key(runtime)
    with serve(runtime) as site:
        assert names(site, secret) == ["numbers", "reflected"]
        answer = httpx2.get(f"{site.url}{BASE}/reflected", headers=bearer(secret))
    assert (answer.status_code, answer.json()["code"]) == (502, "SOURCE_FAILED")


def test_a_preview_of_a_text_format_holds_its_texts(site: Site, runtime: Runtime) -> None:
    body = {"fields": [{"field": "text", "label": "Words"}, "n"], "options": {"delimiter": ";", "header": "none"}}
    answer = httpx2.post(f"{site.url}{BASE}/numbers/preview", headers=bearer(make_key(runtime)), json=body)
    assert answer.json() == {
        "columns": [
            {"name": "text", "label": "Words", "type": "string"},
            {"name": "n", "label": "N", "type": "integer"},
        ],
        "data": [["row", "0"], ["row", "1"], ["row", "2"]],
        "total": 12,
    }


def test_a_preview_of_a_typed_format_holds_its_values(site: Site, runtime: Runtime) -> None:
    body = {"format": "json", "limit": 5}
    answer = httpx2.post(f"{site.url}{BASE}/numbers/preview", headers=bearer(make_key(runtime)), json=body).json()
    assert answer["data"] == [[0, "row"], [1, "row"], [2, "row"]]
    assert answer["total"] == 5


def test_a_count_says_how_many_match_and_how_many_are_allowed(site: Site, runtime: Runtime) -> None:
    headers = bearer(make_key(runtime, "reports:read", "pii:read"))
    counts = [
        httpx2.post(f"{site.url}{BASE}/{name}/count", headers=headers, json={"limit": 3}).json()
        for name in ("numbers", "masked")
    ]
    assert counts == [{"matched": 12, "allowed": None}, {"matched": 12, "allowed": 10}]


def test_a_query_string_and_a_body_ask_for_the_same_file(site: Site, runtime: Runtime) -> None:
    url, headers = f"{site.url}{BASE}/numbers/download", bearer(make_key(runtime))
    query = "?fields=text,n&sort=-n&options.header=none&options.delimiter=%7C&filename=mine"
    body = {
        "fields": ["text", "n"],
        "sort": ["-n"],
        "options": {"header": "none", "delimiter": "|"},
        "filename": "mine",
        "dataset": "numbers",
    }
    asked, posted = httpx2.get(url + query, headers=headers), httpx2.post(url, headers=headers, json=body)
    assert asked.text == posted.text == "row|0\nrow|1\nrow|2\n"
    assert asked.headers["content-disposition"] == posted.headers["content-disposition"]


def test_parameters_without_a_value_count_as_absent(site: Site, runtime: Runtime) -> None:
    url = f"{site.url}{BASE}/numbers/download?format=&fields=&filter=&sort=&q=&from=&to=&limit=&locale=&timezone="
    assert httpx2.get(url, headers=bearer(make_key(runtime))).text.startswith("n,text\n")


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("../../etc/passwd", "_.._etc_passwd.csv"),
        ("a\r\nSet-Cookie: x=1", "aSet-Cookie_ x=1.csv"),
        ('say "hi"', "say _hi_.csv"),
        ("Übersicht.csv", "Übersicht.csv"),
        ("\u202egpj.exe", "gpj.exe.csv"),
        ("...", "numbers_2026-05-17.csv"),
        ("x" * 900, "x" * 200 + ".csv"),
    ],
)
def test_a_file_name_can_neither_leave_its_folder_nor_forge_a_header(
    site: Site, runtime: Runtime, asked: str, shown: str
) -> None:
    answer = httpx2.post(
        f"{site.url}{BASE}/numbers/download", headers=bearer(make_key(runtime)), json={"filename": asked}
    )
    disposition = answer.headers["content-disposition"]
    assert unquote(disposition.rpartition("UTF-8''")[2]) == shown
    assert "set-cookie" not in answer.headers


def test_a_name_of_the_day_is_the_readers_day(site: Site, runtime: Runtime) -> None:
    url = f"{site.url}{BASE}/numbers/download?compression=gzip&timezone="
    names = {
        zone: httpx2.get(url + zone, headers=bearer(make_key(runtime))).headers["content-disposition"]
        for zone in ("Pacific/Kiritimati", "America/Santiago")
    }
    assert "numbers_2026-05-18.csv.gz" in names["Pacific/Kiritimati"]
    assert "numbers_2026-05-17.csv.gz" in names["America/Santiago"]


def test_a_compressed_file_is_a_file_of_its_own_kind(site: Site, runtime: Runtime) -> None:
    url = f"{site.url}{BASE}/numbers/download?compression="
    kinds = [
        httpx2.get(url + name, headers=bearer(make_key(runtime))).headers["content-type"] for name in ("gzip", "zstd")
    ]
    assert kinds == ["application/gzip", "application/zstd"]
