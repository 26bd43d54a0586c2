"""Pages of other origins: which may call, what they may send, and that they can read whatever is answered."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from offtake.model.cors import Cors
from offtake.model.limits import Limits
from sites import FakeSource, Site, bearer, few, make_key, make_runtime, serve

APP, OTHER = "https://app.example.com", "https://evil.example.com"
DATASETS = "/api/v1/datasets"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service that one page may call, and strangers ten times."""
    limits = Limits(rate="10/year", body_bytes=10)
    runtime = make_runtime(tmp_path_factory.mktemp("home"), {"fake": FakeSource(few)}, limits=limits)
    with serve(runtime, cors=Cors((APP,), 60)) as site:
        yield site


def preflight(site: Site, origin: str = APP, method: str = "POST", headers: str = "x-api-key") -> httpx2.Response:
    """What a browser asks before a request."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return httpx2.options(site.url + DATASETS, headers=asked)


def test_a_page_may_ask_before_it_sends(site: Site) -> None:
    for _ in range(12):  # these are not counted
        answer = preflight(site)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, APP)
    assert answer.headers["access-control-max-age"] == "60"
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    "header",
    [
        "authorization", "x-api-key", "reb-apikey", "reb-api-consumer", "x-tenant-uuid", "x-user-email", "x-user-id",
        "x-user-type", "idempotency-key", "if-match", "if-none-match", "if-range", "range", "content-type",
        "last-event-id", "x-request-id",
    ],
)  # fmt: skip
def test_a_page_may_send_what_our_clients_send(site: Site, header: str) -> None:
    assert preflight(site, headers=header).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_a_page_may_use_every_method_there_is(site: Site, method: str) -> None:
    assert preflight(site, method=method).status_code == 200


def test_other_pages_other_methods_and_other_headers_are_refused(site: Site) -> None:
    for answer in (preflight(site, OTHER), preflight(site, method="TRACE"), preflight(site, headers="cookie")):
        assert answer.status_code == 400
    assert "access-control-allow-origin" not in preflight(site, OTHER).headers


def test_whatever_is_answered_the_page_can_read(tmp_path: Path) -> None:
    class Broken(FakeSource):
        def read(self, *_: object) -> object:  # type: ignore[override]
            raise ZeroDivisionError

    runtime = make_runtime(tmp_path, {"fake": Broken(few)}, limits=Limits(rate="10/year", body_bytes=10))
    key = bearer(make_key(runtime))
    with serve(runtime, cors=Cors((APP,))) as site:
        wishes: list[tuple[str, dict[str, str], bytes, int]] = [
            (DATASETS, key, b"", 200),
            (f"{DATASETS}/nubmers", key, b"", 404),
            (f"{DATASETS}/numbers/download", key, b"", 500),
            (DATASETS, {}, b"x" * 11, 413),
            ("/healthz", {}, b"", 200),
            *[("/nowhere", {}, b"", 404)] * 8,
            (DATASETS, {}, b"", 401),
            (DATASETS, {}, b"", 429),
        ]
        for path, headers, body, status in wishes:
            answer = httpx2.request("GET", site.url + path, headers={"Origin": APP, **headers}, content=body)
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == APP, status
            assert "Origin" in answer.headers["vary"]
            assert "access-control-allow-credentials" not in answer.headers


def test_a_page_can_read_the_headers_that_clients_need(site: Site) -> None:
    shown = httpx2.get(site.url + "/healthz", headers={"Origin": APP}).headers["access-control-expose-headers"]
    assert {
        "Content-Disposition", "ETag", "Repr-Digest", "Location", "Content-Range", "Retry-After", "X-Request-Id",
        "Pagination-Total", "Pagination-Limit", "Pagination-Offset", "X-RateLimit-Limit", "X-RateLimit-Remaining",
        "X-RateLimit-Reset", "X-RateLimit-Retry-After", "Rate-Limit-Limit",
    } <= set(shown.split(", "))  # fmt: skip


def test_a_page_that_may_not_reads_nothing(site: Site) -> None:
    assert "access-control-allow-origin" not in httpx2.get(site.url + "/healthz", headers={"Origin": OTHER}).headers


def test_all_pages_may_if_the_settings_say_so_but_never_with_cookies(tmp_path: Path) -> None:
    with serve(make_runtime(tmp_path, {"fake": FakeSource(few)}), cors=Cors(("*",))) as site:
        for answer in (preflight(site, OTHER), httpx2.get(site.url + "/healthz", headers={"Origin": OTHER})):
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
            assert "access-control-allow-credentials" not in answer.headers


def test_no_page_may_unless_the_settings_say_so(tmp_path: Path) -> None:
    with serve(make_runtime(tmp_path, {"fake": FakeSource(few)})) as site:
        assert preflight(site).status_code == 405
        answer = httpx2.get(site.url + "/healthz", headers={"Origin": APP})
    assert not any(name.startswith("access-control") for name in answer.headers)
