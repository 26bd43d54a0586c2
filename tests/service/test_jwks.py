"""An issuer's keys: fetched when needed, changed when it changes them, and never fetched too often."""

import json
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from issuers import EC, RSA, Key, TokenServer, issuing, new_rsa
from offtake.errors import Unavailable
from offtake.service.jwks import KEPT_S, PAUSE_S, KeyRing
from sites import NOW, wait_until


@pytest.fixture
def server() -> Iterator[TokenServer]:
    """An issuer of this test's own."""
    with issuing() as server:
        yield server


def after(seconds: float) -> datetime:
    """So long after the usual time."""
    return NOW + timedelta(seconds=seconds)


def found(ring: KeyRing, key: Key, now: datetime = NOW) -> bool:
    """Whether the ring knows the key."""
    algorithm = "ES256" if isinstance(key, ECKey) else "RS256"
    return [each.kid for each in ring.find(algorithm, key.kid, now)] == [key.kid]


def test_keys_are_fetched_once_and_kept(server: TokenServer) -> None:
    ring = KeyRing(server.issuer)
    assert server.asked == 0
    for _ in range(5):
        assert found(ring, RSA)
        assert found(ring, EC)
    assert server.asked == 1


def test_a_new_key_works_as_soon_as_a_token_names_it(server: TokenServer) -> None:
    ring, new = KeyRing(server.issuer), new_rsa()
    assert found(ring, RSA)
    server.published.append(new)
    assert found(ring, new, after(PAUSE_S))
    assert found(ring, RSA, after(PAUSE_S))
    assert server.asked == 2


def test_tokens_that_name_random_keys_do_not_hammer_the_issuer(server: TokenServer) -> None:
    ring = KeyRing(server.issuer)
    for second in range(3 * PAUSE_S):
        for n in range(5):
            assert ring.find("RS256", f"random {second} {n}", after(second)) == ()
    assert server.asked == 3


def test_a_key_that_the_issuer_took_back_ends_with_the_time_it_is_kept(server: TokenServer) -> None:
    ring = KeyRing(server.issuer)
    assert found(ring, RSA)
    server.published.remove(RSA)
    assert found(ring, RSA, after(server.issuer.cache_s - 1))
    assert not found(ring, RSA, after(server.issuer.cache_s))


def test_a_clock_set_back_does_not_make_old_keys_young(server: TokenServer) -> None:
    ring = KeyRing(server.issuer)
    assert found(ring, RSA)
    server.published.remove(RSA)
    assert not found(ring, RSA, after(-server.issuer.cache_s))


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, None, "it answered 503"),
        (404, b"", "it answered 404"),
        (200, b"<html>", "no set of keys"),
        (200, b"[]", "no set of keys"),
        (200, b'{"keys": 5}', "no set of keys"),
        (200, b"[" * 100_000, "no set of keys"),
        (200, b'{"keys": [' + b" " * 1_000_000 + b"]}", "no set of keys"),
    ],
)
def test_while_the_issuer_is_down_its_keys_go_on_for_an_hour(
    server: TokenServer, status: int, body: bytes | None, told: str
) -> None:
    ring = KeyRing(server.issuer)
    assert found(ring, RSA)
    server.status, server.body = status, body
    assert found(ring, RSA, after(KEPT_S))
    with pytest.raises(Unavailable, match=told):
        ring.find("RS256", RSA.kid, after(KEPT_S + 1))
    server.status, server.body = 200, None
    assert found(ring, RSA, after(KEPT_S + 1 + PAUSE_S))


def test_an_issuer_that_is_down_is_asked_again_now_and_then(server: TokenServer) -> None:
    ring = KeyRing(server.issuer)
    server.status = 500
    for second in range(2 * PAUSE_S):
        with pytest.raises(Unavailable, match="it answered 500"):
            ring.find("RS256", RSA.kid, after(second))
    assert server.asked == 2
    server.status = 200
    assert found(ring, RSA, after(2 * PAUSE_S))


def test_an_issuer_that_nobody_answers_for_is_unavailable(server: TokenServer, tmp_path: Path) -> None:
    ring = KeyRing(server.issuer)
    for place in ("http://127.0.0.1:1/keys", "http://[", str(tmp_path / "nowhere"), str(tmp_path)):
        ring = KeyRing(type(server.issuer)("x", ("y",), place))
        with pytest.raises(Unavailable, match="cannot be had"):
            ring.find("RS256", None, NOW)


def test_while_one_fetches_old_keys_nobody_waits_for_a_key_that_is_known(server: TokenServer) -> None:
    ring = KeyRing(server.issuer)
    assert found(ring, RSA)
    server.pause.clear()
    later = after(server.issuer.cache_s)
    first = threading.Thread(target=found, args=(ring, RSA, later))
    first.start()
    wait_until(lambda: server.asked == 2, 30)
    assert found(ring, RSA, later)
    assert first.is_alive()
    server.pause.set()
    first.join(30)
    assert server.asked == 2


def test_many_that_need_keys_at_once_ask_once(server: TokenServer) -> None:
    ring = KeyRing(server.issuer)
    server.pause.clear()
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(found(ring, RSA))) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: server.asked == 1, 30)
    server.pause.set()
    for thread in threads:
        thread.join(30)
    assert (results, server.asked) == ([True] * 8, 1)


@pytest.mark.filterwarnings("error::UserWarning:joserfc")
def test_keys_that_cannot_verify_are_passed_over(server: TokenServer) -> None:
    with pytest.warns(UserWarning, match="2048"):
        weak = RSAKey.generate_key(1024, {"kid": "weak"})
    hidden = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"})
    other = RSAKey.generate_key(2048, {"kid": "other", "alg": "RS512"})
    curve = ECKey.generate_key("P-384", {"kid": "p384"})
    server.published += [weak, hidden, other, curve, OKPKey.generate_key("Ed25519", {"kid": "okp"})]
    secret = OctKey.generate_key(256, {"kid": "oct"}).as_dict(private=True)
    broken = [{"kty": "RSA", "kid": "broken"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": 5}, 5, None, {}, secret]
    broken += [{**EC.as_dict(private=False), "crv": "P-1", "kid": "broken"}]
    padded = urlsafe_b64encode(bytes(200) + urlsafe_b64decode(str(weak["n"]) + "==")).decode().rstrip("=")
    broken += [{**weak.as_dict(private=False), "n": padded}]
    server.body = server.keys.replace(b'{"keys": [', b'{"keys": ' + json.dumps(broken)[:-1].encode() + b", ")
    ring = KeyRing(server.issuer)
    assert {key.kid for key in ring.find("RS256", None, NOW)} == {"rsa-1"}
    assert {key.kid for key in ring.find("ES256", None, NOW)} == {"ec-1"}
    for kid in ("weak", "enc", "other", "p384", "okp", "oct", "broken"):
        assert ring.find("RS256", kid, NOW) == ring.find("ES256", kid, NOW) == ()
