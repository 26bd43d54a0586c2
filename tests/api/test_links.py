"""Signed links: they open one file without a key, until they end, and tell nobody anything else."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from api.desk import Desk, open_desk, told
from offtake.model.access import Secret
from offtake.service.access import list_keys, local_principal, revoke_key
from offtake.service.runtime import Runtime
from sites import NOW

NOBODYS = "01900000-0000-7000-8000-000000000000"
OLD = Secret("k1", b"a secret that only tests know.....")
NEW = Secret("k2", b"another secret that only tests know")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One service for all of these tests."""
    with open_desk(tmp_path_factory.mktemp("home")) as desk:
        yield desk


@pytest.fixture
def desk(opened: Desk) -> Desk:
    """A desk of this test's own."""
    return opened.own()


def make_link(desk: Desk, id_: str, seconds: int = 3600) -> dict[str, Any]:
    """A link to that export."""
    answer = desk.ask("POST", f"/{id_}/links", json={"expires_in_s": seconds})
    assert answer.status_code == 201, answer.text
    link: dict[str, Any] = answer.json()
    return link


def test_a_link_gives_the_very_file_to_who_has_no_key(desk: Desk) -> None:
    done = desk.finish(format="json")
    link = make_link(desk, done["id"])
    whole, part = httpx2.get(link["url"]), httpx2.get(link["url"], headers={"Range": "bytes=2-5"})
    assert whole.content == desk.ask("GET", f"/{done['id']}/download").content
    assert (part.status_code, part.content) == (206, whole.content[2:6])
    head = httpx2.head(link["url"])
    assert (head.status_code, head.headers["content-length"]) == (200, str(done["bytes"]))
    assert (link["expires_at"], link["url"].startswith(desk.site.url)) == ("2026-05-17T13:30:00Z", True)


def test_a_link_opens_nothing_but_its_file(desk: Desk) -> None:
    done = desk.finish()
    url = make_link(desk, done["id"])["url"]
    for path in ("", "/manifest", "/events"):
        assert httpx2.get(url.replace("/download", path)).status_code == 401
    assert httpx2.delete(url.replace("/download", "")).status_code == 401


def changed(url: str, other: str, foreign: str) -> Iterator[str]:
    """The link, changed in every way that might open something."""
    place, query = url.split("?")
    said = {name: values[0] for name, values in parse_qs(query).items()}
    last = said["signature"][-1]
    neighbour = chr(ord(last) + 1)  # in base64 the last character has bits to spare
    for name, value in [
        ("expires", str(int(said["expires"]) + 1)),
        ("expires", f"0{said['expires']}"),
        ("expires", f" {said['expires']}"),
        ("expires", "never"),
        ("expires", "9" * 30),
        ("maker", NOBODYS),
        ("maker", ""),
        ("key", "k0"),
        ("key", ""),
        ("signature", said["signature"][:-1]),
        ("signature", said["signature"][:-1] + neighbour),
        ("signature", said["signature"] + "="),
        ("signature", "é"),
        ("signature", ""),
    ]:
        yield f"{place}?{urlencode({**said, name: value})}"
    yield from (
        f"{place}?{urlencode({k: v for k, v in said.items() if k != name})}" for name in ("expires", "maker", "key")
    )
    own = urlsplit(place).path.split("/")[-2]
    yield from (url.replace(own, id_) for id_ in (other, foreign, NOBODYS, "x", "%00" * 36, own.upper()))


def test_a_changed_link_is_refused_whatever_it_names_and_gives_nothing_away(desk: Desk) -> None:
    own, other = desk.finish(), desk.finish()
    foreign = desk.holding("reports:read", tenant="globex").finish()
    url = make_link(desk, own["id"])["url"]
    answers = [httpx2.get(each) for each in changed(url, other["id"], foreign["id"])]
    assert {told(answer) for answer in answers} == {(403, "FORBIDDEN")}
    bodies = [answer.json() | {"request_id": ""} for answer in answers]
    assert all(body == bodies[0] for body in bodies)


def test_without_its_signature_a_link_is_a_request_without_a_key(desk: Desk) -> None:
    url = make_link(desk, desk.finish()["id"])["url"]
    assert told(httpx2.get(url.split("&signature=")[0])) == (401, "UNAUTHENTICATED")


def test_a_link_of_another_service_is_refused(desk: Desk, tmp_path: Path) -> None:
    done = desk.finish()

    def strange(runtime: Runtime) -> Runtime:
        return replace(runtime, appdb=desk.runtime.appdb, store=desk.runtime.store, secrets=(replace(NEW, id="k1"),))

    with open_desk(tmp_path, strange) as other:
        url = make_link(other.holding("reports:read"), done["id"])["url"]
        assert httpx2.get(url).status_code == 200
    assert told(httpx2.get(url.replace(other.site.url, desk.site.url))) == (403, "FORBIDDEN")


def test_a_link_ends_when_it_says(desk: Desk) -> None:
    link = make_link(desk, desk.finish()["id"], 60)
    desk.clock.at += timedelta(seconds=59)
    assert httpx2.get(link["url"]).status_code == 200
    desk.clock.at += timedelta(seconds=1)
    assert told(httpx2.get(link["url"])) == (410, "EXPIRED")
    assert httpx2.head(link["url"]).status_code == 410


def test_a_link_ends_with_its_file_and_says_so(desk: Desk) -> None:
    done = desk.finish()
    link = make_link(desk, done["id"], 30 * 24 * 3600)
    assert link["expires_at"] == done["expires_at"] == "2026-05-24T12:30:00Z"
    desk.clock.at += timedelta(days=7)
    assert told(httpx2.get(link["url"])) == (410, "EXPIRED")


def test_a_link_to_a_deleted_export_is_like_one_to_none(desk: Desk) -> None:
    done = desk.finish()
    url = make_link(desk, done["id"])["url"]
    desk.ask("DELETE", f"/{done['id']}")
    assert told(httpx2.get(url)) == (403, "FORBIDDEN")


def test_a_link_ends_with_the_key_that_made_it(desk: Desk) -> None:
    done, maker = desk.finish(), desk.holding("reports:read")
    kept, lost = make_link(desk, done["id"])["url"], make_link(maker, done["id"])["url"]
    clerk = local_principal(desk.runtime, "acme")
    prefix = maker.headers["Authorization"].split()[1][:10]
    revoke_key(desk.runtime, clerk, next(key.id for key in list_keys(desk.runtime, clerk) if key.prefix == prefix))
    assert told(httpx2.get(lost)) == (410, "REVOKED")
    assert httpx2.get(kept).status_code == 200


def test_an_old_secret_opens_links_until_its_date_and_the_newest_signs(desk: Desk, tmp_path: Path) -> None:
    done = desk.finish()
    old_url = make_link(desk, done["id"], 5 * 24 * 3600)["url"]

    def rotated(runtime: Runtime) -> Runtime:
        ending = replace(OLD, not_after=NOW + timedelta(days=2))
        return replace(runtime, appdb=desk.runtime.appdb, store=desk.runtime.store, secrets=(ending, NEW))

    with open_desk(tmp_path, rotated) as later:
        old_url = old_url.replace(desk.site.url, later.site.url)
        new_url = make_link(later, done["id"], 5 * 24 * 3600)["url"]
        assert [parse_qs(urlsplit(url).query)["key"] for url in (old_url, new_url)] == [["k1"], ["k2"]]
        assert [httpx2.get(url).status_code for url in (old_url, new_url)] == [200, 200]
        later.clock.at += timedelta(days=2)
        assert [httpx2.get(url).status_code for url in (old_url, new_url)] == [403, 200]


def test_a_link_ends_with_the_secret_that_signed_it(tmp_path: Path) -> None:
    def ending(runtime: Runtime) -> Runtime:
        return replace(runtime, secrets=(replace(OLD, not_after=NOW + timedelta(hours=1)),))

    with open_desk(tmp_path, ending) as desk:
        done = desk.finish()
        assert make_link(desk, done["id"], 24 * 3600)["expires_at"] == "2026-05-17T13:30:00Z"


def test_links_begin_with_the_public_address_if_there_is_one(tmp_path: Path) -> None:
    with open_desk(tmp_path, lambda runtime: replace(runtime, public_url="https://exports.example.com/x")) as desk:
        accepted = desk.ask("POST", json={"dataset": "numbers"})
        desk.run()
        link = make_link(desk, accepted.json()["id"])
    own = f"https://exports.example.com/x/api/v1/exports/{accepted.json()['id']}"
    assert accepted.headers["location"] == own
    assert link["url"].startswith(f"{own}/download?expires=")


def test_links_begin_with_the_host_that_was_asked(desk: Desk) -> None:
    done = desk.finish()
    answer = desk.ask("GET", f"/{done['id']}", headers={"Host": "files.example.com:8443"})
    assert answer.json()["links"]["self"] == f"http://files.example.com:8443/api/v1/exports/{done['id']}"


@pytest.mark.parametrize("seconds", [0, -1, 366 * 24 * 3600 + 1, 1.5, "60", None, True])
def test_a_link_of_no_or_too_many_seconds_is_refused(desk: Desk, seconds: object) -> None:
    answer = desk.ask("POST", f"/{desk.finish()['id']}/links", json={"expires_in_s": seconds})
    assert told(answer) == (422, "INVALID_REQUEST")
    assert answer.json()["errors"][0]["pointer"] == "/expires_in_s"


def test_no_signature_is_ever_logged(desk: Desk) -> None:
    url = make_link(desk, desk.finish()["id"])["url"]
    httpx2.get(url)
    httpx2.get(url + "x")
    assert parse_qs(urlsplit(url).query)["signature"][0] not in desk.site.log.getvalue()
    assert "/api/v1/exports/{export_id}/download" in desk.site.log.getvalue()
