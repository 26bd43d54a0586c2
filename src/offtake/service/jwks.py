"""The public keys of those who issue tokens (RFC 7517): fetched when they are needed, kept while they are good."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from offtake import __version__
from offtake.errors import Unavailable
from offtake.model.token import Algorithm, Issuer

TIMEOUT_S = 5.0
PAUSE_S = 30  # between two tries, whatever kids tokens name: strangers must not make us hammer the issuer
KEPT_S = 3600  # how long keys outlive the last time their issuer answered
LARGEST = 1_000_000  # bytes
SHORTEST_RSA = 256  # bytes (RFC 7518 §3.3)

Key = RSAKey | ECKey


def open_registry() -> JWSRegistry:
    """The algorithms there may be, and room for a header with a certificate's thumbprints."""
    registry = JWSRegistry(algorithms=list(Algorithm), strict_check_header=False)
    registry.max_header_length = 8192
    return registry


REGISTRY = open_registry()


class KeyRing:
    """The keys of one issuer, shared by all threads."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self._keys: tuple[Key, ...] = ()
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._fault = ""
        self._lock = threading.Lock()

    def find(self, algorithm: str, kid: str | None, now: datetime) -> tuple[Key, ...]:
        """The keys that may have signed a token with this header; without a `kid`, all of the algorithm.

        Keys older than `cache_s` are fetched anew, and so are all when none fits: at most once in `PAUSE_S`. Raises
        Unavailable while there are none at all.
        """
        found = self._fitting(algorithm, kid)
        if self._is_due(now, is_missing=not found) and self._lock.acquire(blocking=not found):
            try:
                if self._is_due(now, is_missing=not self._fitting(algorithm, kid)):  # nobody did it meanwhile
                    self._refresh(now)
            finally:
                self._lock.release()
            found = self._fitting(algorithm, kid)
        if self._age(now) > timedelta(seconds=max(KEPT_S, self.issuer.cache_s)):
            raise Unavailable(
                f"The keys of this token's issuer cannot be had: {self._fault}.",
                hint="Try again in a minute, or send a key.",
            )
        return found

    def _fitting(self, algorithm: str, kid: str | None) -> tuple[Key, ...]:
        return tuple(key for key in self._keys if kid in (None, key.kid) and _takes(key, algorithm))

    def _is_due(self, now: datetime, *, is_missing: bool) -> bool:
        rested = self._tried_at is None or abs(now - self._tried_at) >= timedelta(seconds=PAUSE_S)
        return rested and (is_missing or self._age(now) >= timedelta(seconds=self.issuer.cache_s))

    def _age(self, now: datetime) -> timedelta:
        # A clock that was set back must not make old keys young.
        return timedelta.max if self._fetched_at is None else abs(now - self._fetched_at)

    def _refresh(self, now: datetime) -> None:
        """Fetch the keys; if that fails, those we have stay."""
        try:
            self._keys = tuple(_read_keys(_load(self.issuer.jwks)))
            self._fetched_at, self._fault = now, ""
        except urllib.error.HTTPError as error:
            error.close()
            self._fault = f"it answered {error.code}"
        except (OSError, http.client.HTTPException):
            self._fault = "it does not answer"
        except (ValueError, RecursionError):
            self._fault = "what it sends is no set of keys"
        finally:
            self._tried_at = now  # not before: who needs these keys too waits for them


def _load(place: str) -> bytes:
    """What lies there, but of a monster only so much that nobody can read it. Raises OSError, HTTPException."""
    if not place.startswith(("http://", "https://")):
        return Path(place).read_bytes()
    headers = {"Accept": "application/json", "User-Agent": f"offtake/{__version__}"}
    request = urllib.request.Request(place, headers=headers)  # noqa: S310  (the settings say where, and http it is)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        content: bytes = answer.read(LARGEST)
    return content


def _read_keys(content: bytes) -> Iterator[Key]:
    """The keys that can verify what we accept; others are passed over (RFC 7517 §5). Raises ValueError."""
    document = json.loads(content)
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("no set of keys")
    for found in document["keys"]:
        try:
            key = _read_key(found)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
        if key is not None:
            yield key


def _read_key(found: Any) -> Key | None:
    """The key; None if it is of another type, or too short: the library would only warn, on stderr."""
    match found["kty"]:
        case "EC":
            return ECKey.import_key(found)
        case "RSA" if len(urlsafe_b64decode(found["n"] + "==").lstrip(b"\0")) >= SHORTEST_RSA:
            return RSAKey.import_key(found)
    return None


def _takes(key: Key, algorithm: str) -> bool:
    """Whether the key is of the algorithm's type and curve, and meant for it."""
    try:
        REGISTRY.get_alg(algorithm).check_key(key)
    except JoseError:
        return False
    return True
