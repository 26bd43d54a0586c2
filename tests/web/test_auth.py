"""Which of the secrets that were sent opens the door."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from issuers import TokenServer
from offtake.api.routes import NATIVE
from offtake.errors import Forbidden, RateLimited, Unauthenticated, Unavailable
from offtake.model.access import Principal
from offtake.model.limits import Limits
from offtake.model.token import Issuer
from offtake.service.access import create_key, list_keys, local_principal, revoke_key
from offtake.service.jwks import KeyRing
from offtake.service.runtime import Runtime
from offtake.web.auth import admit_first
from offtake.web.logs import open_log
from offtake.web.site import Site
from sites import FakeSource, few, make_key, make_runtime


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A service where each key may ask three times a year."""
    runtime = make_runtime(tmp_path_factory.mktemp("home"), {"fake": FakeSource(few)}, limits=Limits(rate="3/year"))
    yield runtime
    runtime.appdb.close()


def ask(runtime: Runtime, *secrets: str, **headers: str) -> Principal:
    """Who is let in with those secrets and headers."""
    app = FastAPI()
    app.state.site = Site(runtime, open_log(io.StringIO()), (NATIVE,))
    raw = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return admit_first(Request({"type": "http", "app": app, "headers": raw, "state": {}}), secrets)


def holder(runtime: Runtime, secret: str) -> str:
    """The id of a key."""
    return next(key.id for key in list_keys(runtime, local_principal(runtime, None)) if secret.startswith(key.prefix))


def test_the_first_secret_that_is_valid_wins(runtime: Runtime) -> None:
    first, second = make_key(runtime), make_key(runtime)
    assert ask(runtime, first, second).id == holder(runtime, first)
    assert ask(runtime, "nonsense", second, first).id == holder(runtime, second)


def test_a_request_with_two_valid_secrets_is_counted_once_for_the_first(runtime: Runtime) -> None:
    first, second = make_key(runtime), make_key(runtime)
    for _ in range(3):
        ask(runtime, first, second)
    with pytest.raises(RateLimited):
        ask(runtime, first, second)
    assert ask(runtime, second).id == holder(runtime, second)


def test_if_none_is_valid_the_last_says_why(runtime: Runtime) -> None:
    local = local_principal(runtime, None)
    key, revoked = create_key(runtime, local, tenant="acme")
    revoke_key(runtime, local, key.id)
    with pytest.raises(Unauthenticated, match="was revoked"):
        ask(runtime, "nonsense", revoked)
    with pytest.raises(Unauthenticated, match="Nobody knows"):
        ask(runtime, revoked, "nonsense")


def test_a_token_whose_issuer_is_away_does_not_stand_in_the_way_of_a_key(runtime: Runtime) -> None:
    issuer = Issuer("https://login.example.com", ("us",), "/nowhere")
    believing = replace(runtime, issuers={issuer.name: KeyRing(issuer)})
    token = TokenServer(issuer.name).token()
    key = make_key(runtime)
    assert ask(believing, token, key).id == holder(runtime, key)
    with pytest.raises(Unavailable):
        ask(believing, token)


def test_without_any_secret_one_is_asked_for(runtime: Runtime) -> None:
    with pytest.raises(Unauthenticated, match="needs a key"):
        ask(runtime)


def test_a_valid_secret_of_another_tenant_does_not_fall_through_to_the_next(runtime: Runtime) -> None:
    with pytest.raises(Forbidden, match="another tenant"):
        ask(runtime, make_key(runtime), make_key(runtime, tenant="globex"), x_tenant_uuid="globex")
