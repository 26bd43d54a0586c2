"""No webhook leads inside: not by an address, not by one inside another, not by a name, not by a redirect."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from offtake.errors import DeliveryFailed, DeliveryRefused
from offtake.model.delivery import Call, WebhookRules
from offtake.notify.guard import check_url
from offtake.notify.webhook import send_call
from receivers import Receiver, receiving

RULES = WebhookRules(timeout_s=1.0)
SECRET = "whsec_" + "c2VjcmV0IHRoYXQgb25seSB0ZXN0cyBrbm93Lg=="
INSIDE = (
    "http://127.0.0.1/",
    "http://127.1:8080/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[fd00::1]/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://①②⑦.0.0.1/",
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def call(url: str, *secrets: str) -> Call:
    return Call("id-1", datetime.now(UTC), url, '{"type":"test"}', secrets or (SECRET,))


def answers(*addresses: str) -> Any:
    """A resolver that gives these, one at each look, and counts the looks."""
    looks: list[str] = []

    def resolve(host: str, port: int, *_: Any) -> list[Any]:
        address = addresses[min(len(looks), len(addresses) - 1)]
        looks.append(address)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)[: 4 if ":" in address else 2])]

    resolve.looks = looks  # type: ignore[attr-defined]
    return resolve


@pytest.mark.parametrize("url", INSIDE)
def test_an_address_inside_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(DeliveryRefused):
        send_call(RULES, call(url))


@pytest.mark.parametrize("url", [url for url in INSIDE if "127.1" not in url and "0x" not in url])
def test_a_literal_address_inside_is_refused_without_a_look(url: str) -> None:
    with pytest.raises(DeliveryRefused, match="not allowed"):
        check_url(RULES, url)


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "https://", "//example.com", "https://u:p@example.com/", "x" * 9]
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(DeliveryRefused):
        check_url(RULES, url)


@pytest.mark.parametrize("port", [22, 25, 110])
def test_ports_of_other_services_are_refused(port: int) -> None:
    with pytest.raises(DeliveryRefused, match=str(port)):
        check_url(RULES, f"http://example.com:{port}/")


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::7f00:1"])
def test_a_name_that_means_an_address_inside_is_never_connected(receiver: Receiver, address: str) -> None:
    with pytest.raises(DeliveryRefused, match="not allowed"):
        send_call(RULES, call(f"http://name.example:{receiver.port}/"), answers(address))
    assert receiver.connections == 0


def test_a_name_that_means_something_else_the_second_time_is_looked_up_once(receiver: Receiver) -> None:
    resolver = answers("192.31.196.1", "127.0.0.1")  # AS112: public, and nobody listens at that port
    with pytest.raises(DeliveryFailed):
        send_call(RULES, call(f"http://name.example:{receiver.port}/"), resolver)
    assert (resolver.looks, receiver.connections) == (["192.31.196.1"], 0)


def test_a_name_with_one_address_outside_and_one_inside_is_refused(receiver: Receiver) -> None:
    def both(host: str, port: int, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("192.31.196.1", "127.0.0.1")]

    with pytest.raises(DeliveryRefused):
        send_call(RULES, call(f"http://name.example:{receiver.port}/"), both)
    assert receiver.connections == 0


@pytest.mark.parametrize("inside", INSIDE[:6])
@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_is_not_followed(receiver: Receiver, inside: str, status: int) -> None:
    with receiving() as other:
        receiver.status, receiver.headers = status, {"Location": inside if "127" not in inside else other.url}
        with pytest.raises(DeliveryRefused, match="redirects are not followed"):
            send_call(allowing(receiver), call(receiver.url))
        assert (receiver.connections, other.connections) == (1, 0)


def test_proxies_of_the_environment_are_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        send_call(allowing(receiver), call(receiver.url))
    assert (len(receiver.calls), proxy.connections) == (1, 0)


def test_a_host_that_the_settings_name_may_be_inside(receiver: Receiver) -> None:
    assert send_call(allowing(receiver), call(receiver.url)).status == 204
    assert send_call(WebhookRules(frozenset({"127.0.0.1"})), call(receiver.url)).status == 204
    with pytest.raises(DeliveryRefused):
        send_call(WebhookRules(frozenset({"127.0.0.1:1"})), call(receiver.url))


def test_a_call_is_signed_as_the_standard_has_it(receiver: Receiver) -> None:
    other = "whsec_" + "YW5vdGhlciBzZWNyZXQgb2YgdGhlIHNhbWUgbGVuZ3Ro"
    send_call(allowing(receiver), call(receiver.url, other, SECRET))
    headers, body = receiver.calls[0]
    for secret in (other, SECRET):
        assert Webhook(secret).verify(body, headers) == {"type": "test"}
    assert (headers["webhook-id"], headers["content-type"]) == ("id-1", "application/json")


def test_a_receiver_that_dribbles_is_left_when_the_time_is_over(receiver: Receiver) -> None:
    def dribble(answering: Any) -> None:
        for _ in range(1000):
            answering.wfile.write(b"x")
            answering.wfile.flush()
            time.sleep(0.1)

    receiver.answer = dribble
    began = time.monotonic()
    with pytest.raises(DeliveryFailed):
        send_call(allowing(receiver), call(receiver.url))
    assert time.monotonic() - began < 60


def test_only_a_little_of_an_endless_answer_is_read(receiver: Receiver) -> None:
    ended = threading.Event()

    def flood(answering: Any) -> None:
        answering.send_response(200)
        answering.end_headers()
        try:
            while not ended.is_set():
                answering.wfile.write(b"x" * 65536)
        except OSError:
            ended.set()

    receiver.answer = flood
    assert send_call(allowing(receiver), call(receiver.url)).status == 200
    assert ended.wait(60)


def test_nobody_at_home_is_a_failure_to_repeat() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        rules = WebhookRules(frozenset({"127.0.0.1"}))
        with pytest.raises(DeliveryFailed):
            send_call(rules, call(f"http://127.0.0.1:{free.getsockname()[1]}/"))


def test_a_name_nobody_knows_is_a_failure_to_repeat() -> None:
    def nobody(*_: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(DeliveryFailed, match="not known"):
        send_call(RULES, call("https://name.example/"), nobody)


def allowing(receiver: Receiver) -> WebhookRules:
    return WebhookRules(frozenset({f"127.0.0.1:{receiver.port}"}), timeout_s=1.0)
