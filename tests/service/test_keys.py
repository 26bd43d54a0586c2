"""Keys: their shape, who may make them, when they end."""

import hashlib
import re
import zlib
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offtake.errors import (
    Conflict,
    Forbidden,
    InsufficientScope,
    InvalidRequest,
    NotFound,
    OfftakeError,
    Unauthenticated,
)
from offtake.model.access import Principal
from offtake.service.access import (
    authenticate,
    create_key,
    hash_secret,
    list_keys,
    local_principal,
    new_secret,
    revoke_key,
    rotate_key,
)
from offtake.service.runtime import Runtime
from servers import Postgres
from sites import NOW, make_runtime

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A runtime without sources."""
    return make_runtime(tmp_path, {})


def admin(runtime: Runtime, *scopes: str) -> Principal:
    """A key admin of acme with these scopes beside."""
    secret = create_key(runtime, local_principal(runtime, None), tenant="acme", scopes=["keys:admin", *scopes])[1]
    return authenticate(runtime, secret)


def later(runtime: Runtime, **by: int) -> Runtime:
    """The same service some time later."""
    moment: datetime = NOW + timedelta(**by)
    return replace(runtime, now=lambda: moment)


def test_a_secret_ends_in_the_crc32_of_its_random_part() -> None:
    secret = new_secret()
    assert re.fullmatch(r"ofk_[0-9A-Za-z]{36}", secret)
    number = 0
    for digit in secret[-6:]:
        number = number * 62 + BASE62.index(digit)
    assert number == zlib.crc32(secret[4:34].encode())


def test_only_the_sha256_of_a_secret_is_stored(runtime: Runtime, tmp_path: Path) -> None:
    key, secret = create_key(runtime, local_principal(runtime, None), tenant="acme", scopes=["reports:read"])
    runtime.appdb.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("offtake.db*"))
    assert hashlib.sha256(secret.encode()).hexdigest().encode() in stored
    assert secret.encode() not in stored
    assert secret.startswith(key.prefix)


def test_a_key_gives_its_tenant_its_scopes_and_those_of_its_roles(runtime: Runtime) -> None:
    _, secret = create_key(
        runtime, local_principal(runtime, None), tenant="globex", scopes=["pii:read"], roles=["analyst"]
    )
    principal = authenticate(runtime, secret)
    assert principal.tenant == "globex"
    assert principal.scopes == {"pii:read", "reports:read"}


@given(st.one_of(st.text(), st.from_regex(r"ofk_[0-9A-Za-z]{36}", fullmatch=True)))
def test_a_misspelt_key_is_refused_without_asking_the_database(text: str) -> None:
    nothing: Runtime = None  # type: ignore[assignment]
    with pytest.raises(Unauthenticated):
        authenticate(nothing, text)


def test_unknown_revoked_and_expired_keys_are_refused(runtime: Runtime) -> None:
    cli = local_principal(runtime, None)
    key, revoked = create_key(runtime, cli, tenant="acme", scopes=["reports:read"])
    revoke_key(runtime, cli, key.id)
    _, expiring = create_key(runtime, cli, tenant="acme", scopes=["reports:read"], expires_at=NOW + timedelta(hours=1))
    authenticate(runtime, expiring)
    for service, secret in ((runtime, new_secret()), (runtime, revoked), (later(runtime, hours=1), expiring)):
        with pytest.raises(Unauthenticated):
            authenticate(service, secret)


def test_a_key_of_a_tenant_that_is_gone_is_unknown(runtime: Runtime) -> None:
    _, secret = create_key(runtime, local_principal(runtime, None), tenant="globex", scopes=["reports:read"])
    with pytest.raises(Unauthenticated):
        authenticate(replace(runtime, tenants={"acme": runtime.tenants["acme"]}), secret)


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"tenant": "globex"}, Forbidden),
        ({"tenant": "nowhere"}, Forbidden),
        ({"scopes": ["pii:read"]}, Forbidden),
        ({"roles": ["analyst"]}, Forbidden),
        ({"scopes": ["reports:raed"]}, InvalidRequest),
        ({"roles": ["analist"]}, InvalidRequest),
        ({"expires_at": NOW}, InvalidRequest),
    ],
)
def test_a_key_admin_gives_only_what_it_has_itself(
    runtime: Runtime, wanted: dict[str, object], error: type[OfftakeError]
) -> None:
    with pytest.raises(error):
        create_key(runtime, admin(runtime), **{"tenant": "acme", "scopes": ["keys:admin"], **wanted})  # type: ignore[arg-type]


def test_keys_need_the_scope_to_manage_them(runtime: Runtime) -> None:
    reader = Principal("someone", "acme", frozenset({"reports:read"}))
    for call in (
        lambda: create_key(runtime, reader, tenant="acme"),
        lambda: list_keys(runtime, reader),
        lambda: revoke_key(runtime, reader, "x"),
        lambda: rotate_key(runtime, reader, "x"),
    ):
        with pytest.raises(InsufficientScope):
            call()


def test_rotating_ends_the_old_secret_and_keeps_the_key(runtime: Runtime) -> None:
    boss = admin(runtime, "reports:read")
    key, old = create_key(runtime, boss, tenant="acme", scopes=["reports:read"])
    rotated, new = rotate_key(runtime, boss, key.id)
    assert (rotated.id, authenticate(runtime, new).id) == (key.id, key.id)
    with pytest.raises(Unauthenticated):
        authenticate(runtime, old)


def test_nobody_learns_the_secret_of_a_stronger_key_by_rotating_it(runtime: Runtime) -> None:
    key, _ = create_key(runtime, local_principal(runtime, None), tenant="acme", scopes=["pii:read"])
    with pytest.raises(Forbidden):
        rotate_key(runtime, admin(runtime), key.id)


def test_an_ended_key_cannot_be_rotated(runtime: Runtime) -> None:
    boss = admin(runtime)
    key, _ = create_key(runtime, boss, tenant="acme")
    revoke_key(runtime, boss, key.id)
    with pytest.raises(Conflict):
        rotate_key(runtime, boss, key.id)


def test_another_tenants_keys_do_not_exist(runtime: Runtime) -> None:
    key, _ = create_key(runtime, local_principal(runtime, None), tenant="globex")
    boss = admin(runtime)
    assert key.id not in {each.id for each in list_keys(runtime, boss)}
    for call in (revoke_key, rotate_key):
        with pytest.raises(NotFound):
            call(runtime, boss, key.id)


@pytest.mark.parametrize("key_id", ["", "x", "\0", "\ud800", "' OR 1=1", "0" * 5000])
def test_what_is_no_id_is_no_key_on_postgresql_either(postgres: Postgres, tmp_path: Path, key_id: str) -> None:
    with postgres.app_database() as url:
        runtime = make_runtime(tmp_path, {}, database=url)
        with pytest.raises(NotFound):
            revoke_key(runtime, admin(runtime), key_id)
        runtime.appdb.close()


def test_the_command_line_may_do_everything_in_every_tenant(runtime: Runtime) -> None:
    cli = local_principal(runtime, None)
    assert cli.tenant is None
    assert {"reports:read", "pii:read", "keys:admin"} <= cli.scopes
    with pytest.raises(InvalidRequest):
        local_principal(runtime, "acne")


def test_hashes_are_lower_case_hex() -> None:
    assert re.fullmatch("[0-9a-f]{64}", hash_secret("x"))
