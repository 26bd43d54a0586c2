"""How deliveries leave: by mail, to webhooks, into other stores."""

from collections.abc import Mapping
from functools import partial

from offtake.model.delivery import Outbox, SmtpSpec, Target, WebhookRules
from offtake.notify.guard import check_url
from offtake.notify.mail import send_letter
from offtake.notify.webhook import send_call


def open_outbox(smtp: SmtpSpec | None, rules: WebhookRules, targets: Mapping[str, Target]) -> Outbox:
    """The ways out under those settings; nothing is sent yet."""
    return Outbox(
        mail=partial(send_letter, smtp),
        webhook=partial(send_call, rules),
        check_url=partial(check_url, rules),
        smtp=smtp,
        targets=targets,
    )
