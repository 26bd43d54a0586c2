"""Bearer tokens over HTTP: good for everything keys are good for, and never seen again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from api.desk import Desk, open_desk, told
from issuers import TokenServer, issuing, new_rsa
from offtake.model.token import holder_id
from offtake.service.jwks import KeyRing
from sites import NOW, bearer

SECRET_SUBJECT = "ann.example@acme.example"


@dataclass(frozen=True)
class Visit:
    """A desk that believes the tokens of one issuer."""

    desk: Desk
    server: TokenServer

    def holding(self, token: str = "", **claims: object) -> Desk:
        """The desk for whoever shows that token, or a new one."""
        shown = token or self.server.token(**{"sub": SECRET_SUBJECT, "scope": "reports:read", **claims})  # type: ignore[arg-type]
        return replace(self.desk, headers=bearer(shown))


@pytest.fixture
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """One of this test's own, at the usual time."""
    with issuing() as server:
        home = tmp_path_factory.mktemp("home")
        with open_desk(home, lambda runtime: replace(runtime, issuers={server.name: KeyRing(server.issuer)})) as desk:
            yield Visit(desk, server)


def test_an_export_asked_for_with_a_token_runs_when_the_token_is_long_over(visit: Visit) -> None:
    ann = visit.holding()
    made = ann.submit()
    visit.desk.clock.at = NOW + timedelta(days=2)
    ann.run()
    refused = ann.ask("GET", f"/{made['id']}")
    assert (*told(refused), refused.json()["detail"]) == (401, "UNAUTHENTICATED", "This token has expired.")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    again = visit.holding(exp=int(visit.desk.clock.at.timestamp()) + 60)
    assert again.ask("GET", f"/{made['id']}").json()["state"] == "succeeded"
    assert again.ask("GET", f"/{made['id']}/download").content.startswith(b"n,text\n0,row\n")


def test_an_export_asked_for_with_a_token_ends_with_the_belief_in_its_issuer(visit: Visit) -> None:
    made = visit.holding().submit()
    doubting = replace(visit.desk, runtime=replace(visit.desk.runtime, issuers={}))
    doubting.run()
    shown = visit.holding().ask("GET", f"/{made['id']}").json()
    assert (shown["state"], shown["error"]["code"]) == ("failed", "FORBIDDEN")


def test_a_token_sees_its_own_tenant_only(visit: Visit) -> None:
    made = visit.holding().submit()
    assert told(visit.holding(tenant="globex").ask("GET", f"/{made['id']}")) == (404, "NOT_FOUND")


def test_a_token_gives_no_more_than_it_says(visit: Visit) -> None:
    assert told(visit.holding(scope="openid").ask("POST", json={"dataset": "numbers"})) == (403, "INSUFFICIENT_SCOPE")
    assert visit.holding(scope=None, roles=["analyst"]).ask("POST", json={"dataset": "numbers"}).status_code == 202


def test_all_tokens_of_a_subject_are_counted_together(visit: Visit) -> None:
    left = [
        int(desk.ask("GET").headers["x-ratelimit-remaining"])
        for desk in (visit.holding(), visit.holding(scope="reports:read pii:read"), visit.holding(sub="bob"))
    ]
    assert left[0] == left[1] + 1
    assert left[2] == left[0]


def test_nothing_of_a_token_is_in_the_log_or_the_audit_but_the_id_made_from_it(visit: Visit) -> None:
    ann = visit.holding()
    ann.submit()
    stranger = visit.server.token(new_rsa(), sub=SECRET_SUBJECT)
    assert visit.holding(stranger).ask("POST", json={"dataset": "numbers"}).status_code == 401
    reader = visit.desk.holding("audit:read")
    audit = visit.desk.client.get(f"{visit.desk.site.url}/api/v1/audit", headers=reader.headers).text
    logged = visit.desk.site.log.getvalue()
    for text in (audit, logged):
        assert holder_id(visit.server.name, SECRET_SUBJECT) in text
        for part in (SECRET_SUBJECT, visit.server.name, *ann.headers["Authorization"].split("."), *stranger.split(".")):
            assert part not in text


def test_while_an_issuer_that_never_answered_is_away_its_tokens_are_a_503_and_keys_go_on(visit: Visit) -> None:
    visit.server.status = 500
    assert told(visit.holding().ask("GET")) == (503, "UNAVAILABLE")
    assert visit.desk.ask("GET").status_code == 200
