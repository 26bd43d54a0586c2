"""Somebody who issues tokens in tests: real keys, real signatures, and a real server that publishes the keys."""

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry, serialize_compact
from uuid_utils import uuid4

from offtake.model.token import Issuer
from sites import NOW

HOST = "127.0.0.1"
AUDIENCE = "https://exports.example.com"
EVERY_ALGORITHM = JWSRegistry(algorithms=[*JWSRegistry.algorithms], strict_check_header=False)
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
Key = RSAKey | ECKey | OctKey


@dataclass
class TokenServer:
    """An issuer whose `published` keys can be changed; it counts how often it was asked, and answers `status`."""

    name: str = ""
    published: list[Key] = field(default_factory=lambda: [RSA, EC])
    asked: int = 0
    status: int = 200
    body: bytes | None = None
    pause: threading.Event = field(default_factory=threading.Event)  # cleared: it keeps everybody waiting

    @property
    def issuer(self) -> Issuer:
        """It, as the settings would say."""
        return Issuer(self.name, (AUDIENCE,), f"{self.name}/keys")

    @property
    def keys(self) -> bytes:
        """What it publishes (RFC 7517 §5)."""
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.published]}).encode()

    def token(self, key: Key = RSA, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token for an hour, from NOW; claims that are None are left out, as is a `kid` that is."""
        moment = int(NOW.timestamp())
        said = {"iss": self.name, "aud": AUDIENCE, "sub": "ann", "exp": moment + 3600, "tenant": "acme", **claims}
        algorithm = {RSAKey: "RS256", ECKey: "ES256", OctKey: "HS256"}[type(key)]
        head = {"alg": algorithm, "kid": key.kid, **(header or {})}
        head, said = ({name: value for name, value in part.items() if value is not None} for part in (head, said))
        return serialize_compact(head, json.dumps(said), key, registry=EVERY_ALGORITHM)


def new_rsa() -> RSAKey:
    """An RSA key with an id of its own."""
    return RSAKey.generate_key(2048, {"kid": str(uuid4())})


@contextmanager
def issuing() -> Iterator[TokenServer]:
    """An issuer on a free port."""
    issuer = TokenServer()
    issuer.pause.set()

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            issuer.pause.wait(30)
            self.send_response(issuer.status)
            self.end_headers()
            self.wfile.write(issuer.keys if issuer.body is None else issuer.body)

        def log_message(self, *_: Any) -> None:
            return None

    server = http.server.ThreadingHTTPServer((HOST, 0), Answering)
    issuer.name = f"http://{HOST}:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield issuer
    finally:
        issuer.pause.set()
        server.shutdown()
        server.server_close()
