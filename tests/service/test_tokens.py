"""Bearer tokens: whose are believed, whom they speak of, and every way to be refused."""

import base64
import json
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, RSAKey

from issuers import AUDIENCE, EC, RSA, Key, TokenServer, issuing, new_rsa
from offtake.errors import Forbidden, Unauthenticated
from offtake.model.access import Principal
from offtake.model.ids import is_id
from offtake.model.token import ClaimPaths, Issuer, holder_id
from offtake.service.access import authenticate, present_principal
from offtake.service.jwks import KeyRing
from offtake.service.runtime import Runtime
from offtake.service.tokens import claim_at
from sites import ACME, NOW, FakeSource, few, make_runtime

ROLES = {"analyst": frozenset({"reports:read"}), "auditor": frozenset({"audit:read", "reports:read"})}
HOUR = 3600
BASE64URL = string.ascii_letters + string.digits + "-_"


@dataclass(frozen=True)
class Door:
    """A service that believes one issuer."""

    runtime: Runtime
    server: TokenServer

    def open(self, key: Key = RSA, header: Mapping[str, Any] | None = None, **claims: Any) -> Principal:
        """Whom a new token lets in."""
        return authenticate(self.runtime, self.server.token(key, header, **claims))

    def refusal(self, key: Key = RSA, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """What a new token is refused with."""
        return self.told(self.server.token(key, header, **claims))

    def told(self, token: str) -> str:
        """What a token is refused with."""
        with pytest.raises(Unauthenticated) as refused:
            authenticate(self.runtime, token)
        return refused.value.detail

    def believing(self, **changes: Any) -> "Door":
        """The same with other settings for its issuer."""
        issuer = replace(self.server.issuer, **changes)
        return replace(self, runtime=replace(self.runtime, issuers={issuer.name: KeyRing(issuer)}))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One for the whole file: nobody changes its keys."""
    with issuing() as server:
        runtime = make_runtime(tmp_path_factory.mktemp("home"), {"fake": FakeSource(few)}, roles=ROLES)
        yield Door(runtime, server).believing()
        runtime.appdb.close()


def test_a_token_says_tenant_roles_and_scopes(door: Door) -> None:
    principal = door.open(roles=["analyst", "offline_access"], scope="openid pii:read")
    assert (principal.tenant, principal.tenant_uuid) == ("acme", ACME.uuid)
    assert principal.roles == {"analyst"}
    assert principal.scopes == {"openid", "pii:read", "reports:read"}


@pytest.mark.parametrize("key", [RSA, EC])
def test_rsa_and_elliptic_curves_both_sign(door: Door, key: Key) -> None:
    assert door.open(key).tenant == "acme"


@pytest.mark.parametrize("tenant", ["acme", ACME.uuid, ACME.uuid.upper()])
def test_a_tenant_goes_by_its_name_or_its_uuid(door: Door, tenant: str) -> None:
    assert door.open(tenant=tenant).tenant == "acme"


@pytest.mark.parametrize("tenant", ["initech", "ACME", "", None, ["acme"], 5, "\ud800"])
def test_a_token_of_no_tenant_of_ours_lets_nobody_in(door: Door, tenant: object) -> None:
    assert "no tenant" in door.refusal(tenant=tenant)


@pytest.mark.parametrize("claimed", [None, 7, {"a": 1}, [], "", [None, ["pii:read"], ""]])
def test_claims_of_another_shape_give_no_rights(door: Door, claimed: object) -> None:
    principal = door.open(scope=claimed, roles=claimed)
    assert (principal.scopes, principal.roles) == (frozenset(), frozenset())


def test_scopes_and_roles_come_as_lists_or_with_spaces_from_wherever_the_settings_say(door: Door) -> None:
    paths = ClaimPaths("https://example.com/tenant", "realm_access.roles", "scp")
    principal = door.believing(claims=paths).open(
        **{"https://example.com/tenant": "globex"}, realm_access={"roles": "auditor other"}, scp=["pii:read"]
    )
    assert (principal.tenant, principal.roles) == ("globex", {"auditor"})
    assert principal.scopes == {"audit:read", "reports:read", "pii:read"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", {"b.c": {"d": 1}, "b": 2}),
        ("a.b", 2),
        ("a.b.c.d", 1),
        ("x.y", 3),
        ("a.b.c", {"d": 1}),
        ("a.c", None),
        ("a.b.d", None),
        ("", None),
        (".", None),
    ],
)
def test_names_of_claims_may_hold_dots_themselves(path: str, found: object) -> None:
    assert claim_at({"a": {"b.c": {"d": 1}, "b": 2}, "x.y": 3, "x": {"y": 4}}, path) == found


def test_an_expired_token_is_told_so_and_a_clock_may_be_a_little_wrong(door: Door) -> None:
    now = int(NOW.timestamp())
    assert door.open(exp=now - 29).tenant == "acme"
    assert door.refusal(exp=now - 30) == "This token has expired."
    assert door.believing(leeway_s=0).refusal(exp=now) == "This token has expired."


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("aud", [None, "", "https://other.example.com", AUDIENCE + "/", [], ["a", "b"], 5, {AUDIENCE: 1}]),
        ("exp", [None, "soon", True, [], 0.0 - 1e300]),
        ("nbf", [int(NOW.timestamp()) + 31, "now"]),
        ("iat", [int(NOW.timestamp()) + 31]),
        ("sub", [None, "", 5, []]),
    ],
)
def test_each_claim_is_looked_at_and_the_refusal_names_it(door: Door, claim: str, values: list[Any]) -> None:
    for value in values:
        told = door.refusal(**{claim: value})
        assert f"look at its {claim}" in told or (claim == "exp" and told == "This token has expired."), value


def test_a_token_that_never_expires_is_none(door: Door) -> None:
    for value in (float("inf"), float("nan")):
        assert "exp" in door.refusal(exp=value)


def test_one_audience_of_several_will_do(door: Door) -> None:
    assert door.open(aud=["other", AUDIENCE]).tenant == "acme"
    assert door.believing(audiences=("x", "y")).open(aud="y").tenant == "acme"


def test_only_the_issuers_own_name_will_do(door: Door) -> None:
    for iss in (door.server.name + "/", "https://evil.example.com", None, 5, [door.server.name]):
        assert door.refusal(iss=iss) == "Nobody knows this token."


def test_a_key_of_somebody_else_signs_nothing_whatever_it_calls_itself(door: Door) -> None:
    for stranger in (RSAKey.generate_key(2048, {"kid": "rsa-1"}), ECKey.generate_key("P-256", {"kid": "ec-1"})):
        assert door.refusal(stranger) == "Nobody knows this token."


def test_the_settings_say_which_algorithms_there_are(door: Door) -> None:
    assert door.refusal(RSA, {"alg": "PS256"}) == "Nobody knows this token."
    assert door.believing(algorithms=("PS256",)).open(RSA, {"alg": "PS256"}).tenant == "acme"
    assert door.believing(algorithms=("ES256",)).refusal(RSA) == "Nobody knows this token."


def test_nothing_is_signed_with_a_public_key_as_a_secret(door: Door) -> None:
    for public in (RSA.as_pem(private=False), RSA.as_der(private=False), json.dumps(RSA.as_dict()).encode()):
        forged = OctKey.import_key(base64.urlsafe_b64encode(public).decode(), {"kid": "rsa-1"})
        assert door.refusal(forged) == "Nobody knows this token."
        assert door.believing(algorithms=("HS256", "RS256")).refusal(forged) == "Nobody knows this token."


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, 5, ["RS256"], "HS256", "RS257"])
def test_no_algorithm_is_none(door: Door, algorithm: object) -> None:
    head, payload, signature = door.server.token().split(".")
    header = json.dumps({"alg": algorithm, "kid": "rsa-1"}).encode()
    forged = base64.urlsafe_b64encode(header).decode().rstrip("=")
    for end in (signature, "", "AA"):
        assert door.told(f"{forged}.{payload}.{end}").startswith("Nobody knows this")
    assert head != forged


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"], "exp": 5},
        {"crit": ["b64"], "b64": False},
        {"crit": 5},
        {"kid": 5},
        {"kid": "../../etc/passwd"},
        {"jwk": RSA.as_dict(private=False), "kid": "mine"},
        {"jku": "https://evil.example.com/keys", "kid": "mine"},
    ],
)
def test_headers_that_would_bend_the_rules_do_not(door: Door, header: dict[str, Any]) -> None:
    said = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": "rsa-1", **header}).encode()).decode()
    _, payload, signature = door.server.token().split(".")
    assert door.told(f"{said.rstrip('=')}.{payload}.{signature}") == "Nobody knows this token."


def test_a_token_may_leave_out_which_key_signed_it(door: Door) -> None:
    assert door.open(EC, {"kid": None}).tenant == "acme"


@given(data=st.data())
def test_a_token_with_any_letter_changed_is_refused(door: Door, data: st.DataObject) -> None:
    token = door.server.token(data.draw(st.sampled_from([RSA, EC])), roles=["analyst"])
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from([each for each in BASE64URL + "." if each != token[at]]))
    assert "Nobody knows this" in door.told(token[:at] + letter + token[at + 1 :])


@given(data=st.data())
def test_a_token_cut_or_longer_is_refused(door: Door, data: st.DataObject) -> None:
    token = door.server.token(EC)
    cut = data.draw(st.integers(0, len(token) - 1))
    assert "Nobody knows this" in door.told(token[:cut])
    assert "Nobody knows this" in door.told(token + data.draw(st.text(BASE64URL + ".=", min_size=1)))


@given(
    claims=st.dictionaries(
        st.sampled_from(["tenant", "roles", "scope", "sub", "aud", "exp"]), st.integers() | st.text(), min_size=1
    )
)
def test_the_claims_of_one_token_under_the_signature_of_another_are_refused(door: Door, claims: dict[str, Any]) -> None:
    head, payload, signature = door.server.token().split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "==")) | claims | {"more": 1}
    forged = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    assert door.told(f"{head}.{forged}.{signature}") == "Nobody knows this token."


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=3, max_size=3))
def test_whatever_looks_like_a_token_is_refused_not_tripped_over(door: Door, parts: list[bytes]) -> None:
    text = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    assert door.told(text) == "Nobody knows this token."


@pytest.mark.parametrize("opened", [b"[" * 9000, b'{"iss":' * 1000 + b"1", b"9" * 9000, b'"\xff"', b"[]", b"null"])
def test_hostile_json_is_refused_wherever_it_stands(door: Door, opened: bytes) -> None:
    hostile = base64.urlsafe_b64encode(opened).decode().rstrip("=")
    head, payload, signature = door.server.token().split(".")
    assert door.told(f"{head}.{hostile}.{signature}") == "Nobody knows this token."
    assert door.told(f"{hostile}.{payload}.{signature}") == "Nobody knows this token."


def test_a_token_longer_than_any_header_is_not_read(door: Door) -> None:
    assert door.told(door.server.token(filler="x" * 13_000)) == "Nobody knows this token."


def test_without_issuers_no_token_is_known(door: Door) -> None:
    assert replace(door, runtime=replace(door.runtime, issuers={})).refusal() == "Nobody knows this token."


def test_a_subject_is_the_same_principal_with_every_token_and_no_others(door: Door) -> None:
    ann = door.open()
    assert ann.id == door.open(EC, sub="ann", scope="pii:read").id == holder_id(door.server.name, "ann")
    assert ann.id != door.open(sub="bob").id
    assert holder_id("a", "b\nc") != holder_id("a\nb", "c")
    assert not is_id(ann.id)
    assert "ann" not in ann.id


def test_a_subject_may_hold_any_text(door: Door) -> None:
    assert len({door.open(sub=sub).id for sub in ("é", "\ud800", "a b", "\0", "x" * 5000)}) == 5


def test_what_a_token_asked_for_keeps_its_rights_when_the_token_is_long_over(door: Door) -> None:
    ann = door.open(scope="reports:read")
    later = replace(door.runtime, now=lambda: NOW + timedelta(days=400))
    assert present_principal(later, ann) == ann


def test_what_a_token_asked_for_ends_with_the_belief_in_its_issuer(door: Door) -> None:
    ann = door.open(scope="reports:read")
    stranger = Issuer("https://other.example.com", (AUDIENCE,), "nowhere")
    for issuers in ({}, {stranger.name: KeyRing(stranger)}):
        with pytest.raises(Forbidden, match="not believed"):
            present_principal(replace(door.runtime, issuers=issuers), ann)


def test_keys_may_lie_in_a_file(door: Door, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(door.server.keys)
    believing = door.believing(jwks=str(path))
    assert believing.open().tenant == "acme"
    assert believing.refusal(new_rsa()) == "Nobody knows this token."
