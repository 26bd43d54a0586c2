"""How often somebody may ask, and what every answer says about it."""

import time
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.types import Scope

from api.counter import BROWSER, open_counter
from api.desk import open_desk
from offtake.model.limits import Limits
from offtake.service.counters import Counters
from offtake.service.runtime import Runtime
from offtake.web.address import client_network
from sites import FakeSource, Site, bearer, endless, few, make_key, make_runtime, serve

DATASETS = "/api/v1/datasets"
SAID = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
REFUSED = (*SAID, "x-ratelimit-retry-after", "rate-limit-limit", "retry-after")


def limited(home: Path, rate: str = "3/year", **limits: object) -> Runtime:
    """A service with those limits; no test sees a year end."""
    return make_runtime(home, {"fake": FakeSource(few)}, limits=Limits(rate=rate, **limits))  # type: ignore[arg-type]


def ask(site: Site, secret: str = "", path: str = DATASETS, *, method: str = "GET", frm: str = "") -> httpx2.Response:
    """One request, perhaps from another address of this machine."""
    transport = httpx2.HTTPTransport(verify=False, local_address=frm or None)  # loading certificates takes 30 ms
    with httpx2.Client(transport=transport, timeout=30) as client:
        return client.request(method, site.url + path, headers=bearer(secret) if secret else {})


def said(answer: httpx2.Response) -> tuple[int, int]:
    """Limit and what remains of it; checks that the rest is there."""
    assert int(answer.headers["x-ratelimit-reset"]) > time.time() - 30
    return int(answer.headers["x-ratelimit-limit"]), int(answer.headers["x-ratelimit-remaining"])


def test_every_answer_says_how_much_is_left(tmp_path: Path) -> None:
    runtime = limited(tmp_path, "100/minute", body_bytes=10)
    reader, nobody = make_key(runtime), make_key(runtime, "pii:read")
    with serve(runtime) as site:
        wishes = [
            ("GET", DATASETS, reader, 200),
            ("GET", f"{DATASETS}/numbers/download", reader, 200),
            ("GET", f"{DATASETS}/nubmers", reader, 404),
            ("GET", f"{DATASETS}/numbers/download?format=x", reader, 422),
            ("GET", DATASETS, nobody, 403),
            ("GET", DATASETS, "", 401),
            ("GET", DATASETS, "ofk_nonsense", 401),
            ("GET", "/nowhere", "", 404),
            ("PUT", DATASETS, "", 405),
            ("GET", "/s/ofs_nonsense", "", 404),
            ("GET", "/readyz", "ofk_nonsense", 401),
        ]
        for method, path, secret, status in wishes:
            answer = ask(site, secret, path, method=method)
            assert (answer.status_code, said(answer)[0]) == (status, 100), path
        large = httpx2.post(site.url + DATASETS, content=b"x" * 11)
        assert (large.status_code, said(large)[0]) == (413, 100)


def test_the_end_of_the_window_is_an_instant_in_seconds(tmp_path: Path) -> None:
    with serve(limited(tmp_path, "100/minute")) as site:
        before = time.time()
        reset = int(ask(site).headers["x-ratelimit-reset"])
        assert before < reset <= time.time() + 61


def test_machines_that_watch_and_people_who_read_are_not_counted(tmp_path: Path) -> None:
    with serve(limited(tmp_path, "1/year")) as site:
        for path in ("/healthz", "/readyz", "/metrics", "/docs", "/docs/start.js", "/openapi.json") * 2:
            answer = ask(site, path=path)
            assert answer.status_code == 200, path
            assert not any(name in answer.headers for name in SAID)


def test_a_key_that_asks_too_often_is_told_everything_the_foreign_apis_promise(tmp_path: Path) -> None:
    runtime = limited(tmp_path)
    secret = make_key(runtime)
    with serve(runtime) as site:
        assert [said(ask(site, secret)) for _ in range(3)] == [(3, 2), (3, 1), (3, 0)]
        answer = ask(site, secret)
        others = ask(site, make_key(runtime))
    assert (answer.status_code, answer.json()["code"], said(answer)) == (429, "RATE_LIMITED", (3, 0))
    assert set(REFUSED) <= set(answer.headers)
    assert answer.headers["rate-limit-limit"] == "3"
    assert int(answer.headers["retry-after"]) >= 1
    assert abs(int(answer.headers["x-ratelimit-retry-after"]) - int(answer.headers["x-ratelimit-reset"])) <= 2
    assert others.status_code == 200


def test_whoever_shows_no_valid_key_is_counted_by_address(tmp_path: Path) -> None:
    runtime = limited(tmp_path)
    with serve(runtime) as site:
        assert said(ask(site)) == (3, 2)
        assert said(ask(site, "ofk_" + "0" * 36)) == (3, 1)
        assert said(ask(site, path="/nowhere")) == (3, 0)
        for path in (DATASETS, "/nowhere", "/s/ofs_nonsense"):
            answer = ask(site, path=path)
            assert (answer.status_code, said(answer)) == (429, (3, 0)), path
            assert set(REFUSED) <= set(answer.headers)
        assert ask(site, "eyJhbGciOiJSUzI1NiJ9.e30.AAAA").status_code == 429
        assert ask(site, frm="127.0.0.2").status_code == 401
        assert ask(site, make_key(runtime)).status_code == 200


def test_an_answer_that_nobody_may_have_any_more_is_one_problem_and_is_logged_as_such(tmp_path: Path) -> None:
    with serve(limited(tmp_path, "1/year")) as site:
        ask(site)
        answer = ask(site, path="/nowhere")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "Without a valid key, this address may send 1 requests per year."
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert '"status": 429' in site.log.getvalue().splitlines()[-1]


def test_all_keys_of_a_tenant_share_its_rate(tmp_path: Path) -> None:
    runtime = limited(tmp_path, rate_per_tenant="4/year")
    ann, bob, eve = make_key(runtime), make_key(runtime), make_key(runtime, tenant="globex")
    with serve(runtime) as site:
        assert [said(ask(site, secret)) for secret in (ann, bob, ann, bob)] == [(3, 2), (3, 2), (3, 1), (4, 0)]
        answer = ask(site, ann)
        assert answer.status_code == 429
        assert answer.json()["detail"] == "This tenant may send 4 requests per year."
        assert answer.headers["rate-limit-limit"] == "4"
        assert ask(site, eve).status_code == 200


def test_a_refusal_that_is_a_page_stays_one(tmp_path: Path) -> None:
    with open_counter(tmp_path, limits=Limits(rate="2/year")) as counter:
        share = counter.share(f"definitions/{counter.define()}")
        pages = [counter.get(share["url"], **BROWSER) for _ in range(3)]
    assert [page.status_code for page in pages] == [200, 200, 429]
    assert pages[2].headers["content-type"].startswith("text/html")
    assert set(REFUSED) <= set(pages[2].headers)


def test_a_link_is_counted_by_address_before_anything_is_done_for_it(tmp_path: Path) -> None:
    with open_desk(tmp_path, lambda runtime: replace(runtime, counters=Counters(Limits(rate="6/year")))) as desk:
        made = desk.finish()
        link = desk.ask("POST", f"/{made['id']}/links", json={"expires_in_s": 60}).json()["url"]
        answers = [httpx2.get(link) for _ in range(7)]
    assert [said(answer)[1] for answer in answers] == [5, 4, 3, 2, 1, 0, 0]
    assert [answer.status_code for answer in answers] == [200] * 6 + [429]


def test_too_many_downloads_at_once_say_when_to_come_back_too(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(endless)}, limits=Limits(downloads_per_key=1))
    secret = make_key(runtime)
    with serve(runtime) as site, httpx2.Client(timeout=30) as client:
        url = f"{site.url}{DATASETS}/numbers/download"
        with client.stream("GET", url, headers=bearer(secret)) as running:
            assert running.status_code == 200
            answer = client.get(url, headers=bearer(secret))
    assert answer.status_code == 429
    assert set(REFUSED) <= set(answer.headers)
    wait = int(answer.headers["x-ratelimit-retry-after"]) - int(answer.headers["retry-after"])
    assert abs(wait - time.time()) < 30


def test_without_a_rate_nothing_is_counted(tmp_path: Path) -> None:
    with serve(limited(tmp_path, "")) as site:
        assert not any(name in ask(site).headers for name in SAID)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_is_one_customers_whatever_he_makes_of_his_network(host: str, network: str) -> None:
    scope: Scope = {"type": "http", "client": (host, 5)}
    assert client_network(scope) == network


def test_a_server_that_knows_no_address_counts_all_strangers_together() -> None:
    assert client_network({"type": "http", "client": None}) == client_network({"type": "http"}) == ""
