"""What docs/deliveries.md shows can be sent, and what it says is told is what is told."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from api.desk import open_desk
from offtake.model.delivery import SmtpSpec, Target, WebhookRules
from offtake.model.ports import StoreSpec
from offtake.notify import open_outbox
from offtake.service.deliveries import deliver_next
from offtake.service.runtime import Runtime
from offtake.store import open_store
from receivers import HOST, receiving, taking_mail
from servers import Postgres

PAGE = Path(__file__).parents[2] / "docs" / "deliveries.md"
EXAMPLES = [json.loads(found) for found in re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)]


def keys(body: Any) -> Any:
    """The shape of a body: its keys, at any depth."""
    return {key: keys(value) for key, value in body.items()} if isinstance(body, dict) else None


def test_the_examples_of_the_page_run_on_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    export, webhook, told = EXAMPLES
    with taking_mail(tmp_path) as mails, receiving() as receiver, postgres.app_database() as url:

        def configure(runtime: Runtime) -> Runtime:
            smtp = SmtpSpec(HOST, "exports@example.com", mails.port, security="none")
            targets = {"archive": Target(open_store(StoreSpec(str(tmp_path / "archive"))))}
            outbox = open_outbox(smtp, WebhookRules(frozenset({HOST})), targets)
            return replace(runtime, outbox=outbox, public_url="https://exports.example.com")

        with open_desk(tmp_path, configure, database=url) as desk:
            writer = desk.holding("reports:read", "reports:write")
            webhooks = f"{desk.site.url}/api/v1/webhooks"
            far = desk.client.post(webhooks, headers=writer.headers, json=webhook)
            assert far.status_code == 201
            desk.client.delete(f"{webhooks}/{far.json()['id']}", headers=writer.headers)
            desk.client.post(webhooks, headers=writer.headers, json=webhook | {"url": receiver.url})
            done = desk.finish(**export)
            pending = [each["channel"] for each in done["deliveries"]]
            assert sorted(pending) == ["mail", "store", "webhook"]
            while deliver_next(desk.runtime) is not None:
                continue
            assert [mail["subject"] for mail in mails.mails] == ["numbers of 2026-05-17"]
            assert [file.name for file in open_store(StoreSpec(str(tmp_path / "archive"))).list()] == [
                "acme/numbers/2026-05-17T12-30-00-numbers_2026-05-17.csv"
            ]
            ((_, body),) = receiver.calls
            assert keys(json.loads(body)) == keys(told)
