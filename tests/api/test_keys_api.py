"""Keys over HTTP."""

from collections.abc import Iterator

import httpx2
import pytest

from offtake.service.runtime import Runtime
from sites import FakeSource, Site, bearer, few, make_key, make_runtime, serve

KEYS = "/api/v1/keys"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """One dataset."""
    return make_runtime(tmp_path_factory.mktemp("home"), {"fake": FakeSource(few)})


@pytest.fixture(scope="module")
def site(runtime: Runtime) -> Iterator[Site]:
    """The runtime, served."""
    with serve(runtime) as served:
        yield served


@pytest.fixture(scope="module")
def admin(runtime: Runtime) -> dict[str, str]:
    """The header of a key admin of acme."""
    return bearer(make_key(runtime, "keys:admin", "reports:read"))


def works(site: Site, secret: str) -> bool:
    """Whether the secret still opens anything."""
    return httpx2.get(f"{site.url}/api/v1/datasets", headers=bearer(secret)).status_code == 200


def test_a_key_lives_from_its_making_over_its_rotation_to_its_end(site: Site, admin: dict[str, str]) -> None:
    body = {"roles": ["analyst"], "expires_at": "2026-12-31T00:00:00+02:00"}
    made = httpx2.post(site.url + KEYS, headers=admin, json=body)
    key = made.json()
    assert made.status_code == 201
    assert (key["tenant"], key["roles"], key["expires_at"]) == ("acme", ["analyst"], "2026-12-30T22:00:00Z")
    assert works(site, key["secret"])

    rotated = httpx2.post(f"{site.url}{KEYS}/{key['id']}/rotate", headers=admin).json()
    assert (works(site, key["secret"]), works(site, rotated["secret"])) == (False, True)
    assert rotated["id"] == key["id"]

    ended = httpx2.delete(f"{site.url}{KEYS}/{key['id']}", headers=admin)
    assert (ended.status_code, ended.content, works(site, rotated["secret"])) == (204, b"", False)
    assert httpx2.post(f"{site.url}{KEYS}/{key['id']}/rotate", headers=admin).json()["code"] == "CONFLICT"


def test_the_list_shows_keys_and_no_secrets(site: Site, admin: dict[str, str], runtime: Runtime) -> None:
    secret, foreign = make_key(runtime), make_key(runtime, tenant="globex")
    listed = httpx2.get(site.url + KEYS, headers=admin)
    prefixes = {key["prefix"] for key in listed.json()["data"]}
    assert secret[:10] in prefixes
    assert foreign[:10] not in prefixes
    assert secret not in listed.text
    assert "secret" not in listed.json()["data"][0]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"scopes": ["pii:read"]}, 403, "FORBIDDEN"),
        ({"tenant": "globex"}, 403, "FORBIDDEN"),
        ({"scopes": ["reports:raed"]}, 422, "INVALID_REQUEST"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "INVALID_REQUEST"),
        ({"expires_at": "2027-01-01T00:00:00"}, 422, "INVALID_REQUEST"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, 422, "INVALID_REQUEST"),
        ({"name": "mine"}, 422, "INVALID_REQUEST"),
    ],
)
def test_a_key_that_must_not_be_is_not_made(
    site: Site, admin: dict[str, str], body: dict[str, object], status: int, code: str
) -> None:
    answer = httpx2.post(site.url + KEYS, headers=admin, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_other_tenants_learn_nothing_from_a_misspelt_tenant(site: Site, admin: dict[str, str]) -> None:
    assert "globex" not in httpx2.post(site.url + KEYS, headers=admin, json={"tenant": "globe"}).text


def test_keys_need_a_key_admin(site: Site, runtime: Runtime) -> None:
    reader = bearer(make_key(runtime))
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/x"), ("POST", "/x/rotate")):
        answer = httpx2.request(method, site.url + KEYS + path, headers=reader, json={} if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_SCOPE")


def test_a_key_that_is_not_there_is_not_found(site: Site, admin: dict[str, str]) -> None:
    for id_ in ("x", "%00", "a" * 5000):
        assert httpx2.delete(f"{site.url}{KEYS}/{id_}", headers=admin).status_code == 404
