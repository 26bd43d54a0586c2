"""Calls to webhooks, signed as Standard Webhooks has it (version 1, symmetric)."""

import http.client
import socket
import ssl

import ssrfguard
from standardwebhooks import Webhook

from offtake import __version__
from offtake.errors import DeliveryFailed, DeliveryRefused
from offtake.model.delivery import Call, Sent, WebhookRules
from offtake.notify.guard import Place, open_connection

READ_BYTES = 4096  # of the answer; nobody looks at it
GONE = 410


def send_call(rules: WebhookRules, call: Call, resolver: ssrfguard.Resolver = socket.getaddrinfo) -> Sent:
    """Post it, and take any 2xx as done. A redirect is not followed. Raises DeliveryFailed, DeliveryRefused."""
    try:
        with open_connection(rules, call.url, resolver) as (connection, place):
            status = _post(connection, place, call)
    except TimeoutError:
        raise DeliveryFailed("The receiver did not answer in time.") from None
    except ssl.SSLError:
        raise DeliveryFailed("There is no secure connection to the receiver: look at its certificate.") from None
    except (OSError, http.client.HTTPException):
        raise DeliveryFailed("The connection to the receiver failed.") from None
    return _judge(status)


def sign_call(call: Call) -> dict[str, str]:
    """The headers that let its receiver see that it is ours, and whether it came before."""
    signatures = [Webhook(secret).sign(call.id, call.at, call.body) for secret in call.secrets]
    return {
        "webhook-id": call.id,
        "webhook-timestamp": str(int(call.at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _post(connection: http.client.HTTPConnection, place: Place, call: Call) -> int:
    headers = {
        "Host": place.authority,
        "Content-Type": "application/json",
        "User-Agent": f"offtake/{__version__}",
        "Connection": "close",
        **sign_call(call),
    }
    connection.request("POST", place.path, call.body.encode(), headers)
    answer = connection.getresponse()
    answer.read(READ_BYTES)
    return answer.status


def _judge(status: int) -> Sent:
    if 200 <= status < 300:
        return Sent(status)
    extra = {"answered": status}
    if 300 <= status < 400:
        raise DeliveryRefused(f"The receiver answered {status}; redirects are not followed.", extra=extra)
    if status == GONE:
        raise DeliveryRefused("The receiver answered 410: it wants no more.", extra=extra)
    raise DeliveryFailed(f"The receiver answered {status}.", extra=extra)
