"""Where tests send mail: a desk whose service knows a mail server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from api.desk import Desk, open_desk
from offtake.model.delivery import Delivery, SmtpSpec, WebhookRules
from offtake.notify import open_outbox
from offtake.service.deliveries import deliver_next
from offtake.service.runtime import Runtime
from receivers import HOST, MailServer

PUBLIC = "http://exports.test"


def spec(mails: MailServer, **more: Any) -> SmtpSpec:
    """How to reach that mail server."""
    given = {"port": mails.port, "security": "none", "ca_file": mails.ca_file, "timeout_s": 5.0, **more}
    return SmtpSpec(HOST, "Exports <exports@example.com>", **given)


@contextmanager
def mailing(home: Path, smtp: SmtpSpec) -> Iterator[Desk]:
    """A desk of a service that sends mail."""

    def configure(runtime: Runtime) -> Runtime:
        return replace(runtime, outbox=open_outbox(smtp, WebhookRules(), {}), public_url=PUBLIC)

    with open_desk(home, configure) as desk:
        yield desk


def wish(*to: str, **more: Any) -> dict[str, Any]:
    """A delivery by mail."""
    return {"channel": "mail", "to": list(to), **more}


def deliver(runtime: Runtime) -> Delivery:
    """What became of the delivery that is due."""
    delivery = deliver_next(runtime)
    assert delivery is not None
    return delivery
