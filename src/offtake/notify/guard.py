"""Connections to addresses that strangers name: each is judged where it is connected to, so that no name that changes
between two looks and no address inside another leads into our own network."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import ssrfguard

from offtake.errors import DeliveryFailed, DeliveryRefused
from offtake.model.delivery import WebhookRules

LONGEST_URL = 2000
DEFAULT_PORTS = {"http": 80, "https": 443}
FIRST_FREE_PORT = 1024  # below it listen mail servers and the like, which would take a request for something else
_IN_PATH = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True)
class Place:
    """A URL taken apart, its host as the network knows it. `is_named` = the settings let it be inside."""

    scheme: str
    host: str
    port: int
    path: str
    is_named: bool

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(rules: WebhookRules, url: str) -> None:
    """Raise DeliveryRefused for what is no http(s) URL, or names an address inside. Names are not looked up here."""
    _read(rules, url)


@contextmanager
def open_connection(
    rules: WebhookRules, url: str, resolver: ssrfguard.Resolver = socket.getaddrinfo
) -> Iterator[tuple[http.client.HTTPConnection, Place]]:
    """A connection for one request to that URL, which ends when `rules.timeout_s` is over.

    The name is looked up once; every address it has must be allowed, and one of those is connected to. No proxies.
    Raises DeliveryRefused, DeliveryFailed.
    """
    place = _read(rules, url)
    raw = _connect(rules, url, place, resolver)
    copy = raw.dup()  # the descriptor itself passes into the TLS socket
    deadline = threading.Timer(rules.timeout_s, _cut, (copy,))
    deadline.daemon = True
    deadline.start()
    connection = http.client.HTTPConnection(place.host, place.port)
    connection.auto_open = 0  # it would look the name up again
    try:
        secure = place.scheme == "https"
        connection.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=place.host) if secure else raw
        yield connection, place
    finally:
        deadline.cancel()
        connection.close()
        raw.close()
        copy.close()


def _connect(rules: WebhookRules, url: str, place: Place, resolver: ssrfguard.Resolver) -> socket.socket:
    try:
        if place.is_named:
            return socket.create_connection((place.host, place.port), rules.timeout_s)
        policy = _policy(place.port)
        found = ssrfguard.resolve(_judge(url, place.port), policy=policy, resolver=resolver)
        return ssrfguard.connect(found, policy=policy, timeout=rules.timeout_s)
    except ssrfguard.SSRFGuardError:
        raise _refused(place.host) from None
    except (socket.gaierror, UnicodeError):
        raise DeliveryFailed(f"The name {place.host} is not known.") from None


def _judge(url: str, port: int) -> ssrfguard.Target:
    try:
        return _policy(port).check_url(url)
    except ssrfguard.SSRFGuardError:
        raise _refused(urlsplit(url).hostname or "") from None


def _policy(port: int) -> ssrfguard.Policy:
    return ssrfguard.Policy(allowed_ports=frozenset({port}))


def _refused(host: str) -> DeliveryRefused:
    return DeliveryRefused(
        f"Webhooks to {host[:100]} are not allowed.",
        hint="Use one on the public internet, or name the host in `webhooks.allowed_hosts`.",
    )


def _read(rules: WebhookRules, url: str) -> Place:
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        raise _unreadable() from None
    host = (parts.hostname or "").lower()
    is_plain = url.isprintable() and " " not in url and "\\" not in url and len(url) <= LONGEST_URL
    if parts.scheme not in DEFAULT_PORTS or not host or not is_plain or "@" in parts.netloc:
        raise _unreadable()
    is_named = host in rules.allowed_hosts or f"{host}:{port}" in rules.allowed_hosts
    if not is_named and port not in DEFAULT_PORTS.values() and port < FIRST_FREE_PORT:
        raise DeliveryRefused(f"Webhooks to port {port} are not allowed.", hint="Use 80, 443, or one from 1024 on.")
    query = f"?{quote(parts.query, _IN_PATH + '?')}" if parts.query else ""
    # As the guard writes it: what is judged is what is asked for.
    known = host if is_named else _judge(url, port).host
    return Place(parts.scheme, known, port, (quote(parts.path, _IN_PATH) or "/") + query, is_named)


def _unreadable() -> DeliveryRefused:
    return DeliveryRefused(
        f"A webhook's URL begins with https:// or http://, names no user and has at most {LONGEST_URL} characters.",
        hint="Write one like https://example.com/hooks/exports.",
    )


def _cut(copy: socket.socket) -> None:
    """End the connection under whoever waits for it: a server that dribbles would hold them for ever."""
    with suppress(OSError):
        copy.shutdown(socket.SHUT_RDWR)
