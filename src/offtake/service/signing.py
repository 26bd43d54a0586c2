"""What goes out and comes back unchanged, such as links and page cursors: signed with the deployment's secrets."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass

from offtake.errors import InvalidConfig, InvalidCursor
from offtake.model.access import Secret
from offtake.service.runtime import Runtime

LONGEST_CURSOR = 4000


@dataclass(frozen=True)
class Signature:
    """Which secret signed, and base64url of its HMAC-SHA256 (RFC 2104) without padding."""

    key: str
    value: str


def signing_secret(runtime: Runtime) -> Secret:
    """The newest secret that is still valid. Raises InvalidConfig if there is none."""
    for secret in reversed(runtime.secrets):
        if _is_valid(runtime, secret):
            return secret
    raise InvalidConfig("There is no secret left to sign with.", hint="Add a new one at the end of `secrets:`.")


def sign(secret: Secret, *parts: str) -> Signature:
    """The signature of those parts, in that order; the first says what they are, so that none passes for another."""
    return Signature(secret.id, _encode(_hmac(secret, parts)))


def is_signed(runtime: Runtime, signature: Signature, *parts: str) -> bool:
    """Whether a secret that is still valid signed exactly those parts. Takes as long for a good guess as for a bad."""
    secret = next((each for each in runtime.secrets if each.id == signature.key), None)
    if secret is None or not _is_valid(runtime, secret):
        return False
    # Compared as text, since several texts can stand for the same bytes in base64; as bytes, since any text may come.
    return hmac.compare_digest(_encode(_hmac(secret, parts)).encode(), signature.value.encode("utf-8", "replace"))


def seal_cursor(runtime: Runtime, place: str, *question: str) -> str:
    """A place in the answer to that question, for its caller to send back: `unseal_cursor` is the inverse."""
    signature = sign(signing_secret(runtime), "cursor", place, *question)
    return _encode(json.dumps([place, signature.key, signature.value], ensure_ascii=False).encode())


def unseal_cursor(runtime: Runtime, cursor: str, *question: str) -> str:
    """The place. Raises InvalidCursor unless we sealed it, for that very question, with a secret still valid."""
    place, key, value = _read_cursor(cursor)
    if not is_signed(runtime, Signature(key, value), "cursor", place, *question):
        raise _not_ours()
    return place


def _read_cursor(cursor: str) -> tuple[str, str, str]:
    try:
        if len(cursor) > LONGEST_CURSOR:
            raise _not_ours()
        place, key, value = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    except (ValueError, TypeError, RecursionError):
        raise _not_ours() from None
    if not (isinstance(place, str) and isinstance(key, str) and isinstance(value, str)):
        raise _not_ours()
    return place, key, value


def _not_ours() -> InvalidCursor:
    return InvalidCursor(
        "This cursor does not belong to this list.",
        hint="Send back next_cursor as it came, with the same filters; or leave it out to begin again.",
        pointer="/cursor",
    )


def _is_valid(runtime: Runtime, secret: Secret) -> bool:
    return secret.not_after is None or runtime.now() < secret.not_after


def _hmac(secret: Secret, parts: Sequence[str]) -> bytes:
    return hmac.digest(secret.value, json.dumps(parts).encode(), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
