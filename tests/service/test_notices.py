"""Whoever gets a schedule's files by mail learns that one did not come: of a real mail server."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from api.desk import Desk
from offtake.model.delivery import WebhookRules
from offtake.model.schedule import RunState
from offtake.notify import open_outbox
from offtake.service.access import authenticate, list_keys, local_principal, revoke_key
from offtake.service.deliveries import deliver_next
from offtake.service.schedules import run_schedule
from receivers import taking_mail
from service.calendar import tick
from service.post import PUBLIC, deliver, mailing, spec, wish


def hourly(desk: Desk, *deliveries: dict[str, Any]) -> tuple[Desk, dict[str, Any]]:
    """A key, and an hourly schedule of it with those deliveries."""
    owner = desk.holding("reports:read", "reports:write")
    given = {"rrule": "FREQ=HOURLY", "timezone": "UTC", "start": "2026-05-17T13:00:00", "deliveries": deliveries}
    made = call(owner, "POST", "definitions", json={"name": "Ours & <theirs>", "dataset": "numbers"})
    return owner, call(owner, "POST", "schedules", json={"definition_id": made["id"], **given})


def call(desk: Desk, method: str, path: str, **more: Any) -> dict[str, Any]:
    """What the API answers below `/api/v1`."""
    answer = desk.client.request(method, f"{desk.site.url}/api/v1/{path}", headers=desk.headers, **more)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_run_that_fails_before_there_is_an_export_is_told_by_mail(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails)) as desk:
        wishes = [wish("ana@example.com", "bo@example.org", attach=True), wish("eve@example.com")]
        _, schedule = hourly(desk, *wishes)
        for key in list_keys(desk.runtime, local_principal(desk.runtime, None)):
            revoke_key(desk.runtime, local_principal(desk.runtime, None), key.id)
        desk.clock.at += timedelta(hours=1)
        tick(desk.runtime)
        reader = desk.holding("reports:read")
        (run,) = call(reader, "GET", f"schedules/{schedule['id']}/runs")["data"]
        assert (run["state"], run["export_id"]) == ("failed", None)
        sent = [deliver(desk.runtime), deliver(desk.runtime)]
        assert mails.recipients == [["ana@example.com", "bo@example.org"], ["eve@example.com"]]
        assert [mail["message-id"] for mail in mails.mails] == [f"<{each.id}@example.com>" for each in sent]
        text, html = (mails.mails[0].get_body((kind,)) for kind in ("plain", "html"))
        assert text is not None
        assert html is not None
        assert text.get_content().splitlines()[::2] == [
            "Ours & <theirs>: the scheduled export of 2026-05-17 13:00 UTC failed.",
            "The key that asked for this has ended.",
            f"What became of each instant, for whoever has a key: {PUBLIC}/api/v1/schedules/{schedule['id']}/runs",
        ]
        assert "Ours &amp; &lt;theirs&gt;" in html.get_content()
        assert mails.mails[0]["subject"] == "Failed: scheduled export of Ours & <theirs>"
        (run,) = call(reader, "GET", f"schedules/{schedule['id']}/runs")["data"]
        assert [(each["id"], each["state"]) for each in run["deliveries"]] == [(each.id, "succeeded") for each in sent]
        assert deliver_next(desk.runtime) is None


def test_a_failed_run_is_told_again_under_the_same_id_until_the_mail_server_takes_it(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails)) as desk:
        mails.is_busy = True
        owner, schedule = hourly(desk, wish("ana@example.com"))
        desk.runtime.datasets.pop("numbers")  # type: ignore[attr-defined]
        run = call(owner, "POST", f"schedules/{schedule['id']}/run")
        assert (run["state"], [each["state"] for each in run["deliveries"]]) == ("failed", ["pending"])
        first = deliver(desk.runtime)
        assert (first.state, mails.mails) == ("pending", [])
        mails.is_busy = False
        desk.clock.at += timedelta(minutes=1)
        second = deliver(desk.runtime)
        assert (second.id, second.state) == (first.id, "succeeded")
        assert [mail["message-id"] for mail in mails.mails] == [f"<{first.id}@example.com>"]


def test_a_failed_run_whose_export_tells_is_told_once(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails)) as desk:
        owner, schedule = hourly(desk, wish("ana@example.com"))
        run = call(owner, "POST", f"schedules/{schedule['id']}/run")
        assert (run["state"], run["deliveries"]) == ("submitted", [])
        desk.runtime.datasets.pop("numbers")  # type: ignore[attr-defined]
        desk.run()
        tick(desk.runtime)
        (run,) = call(owner, "GET", f"schedules/{schedule['id']}/runs")["data"]
        assert (run["state"], run["deliveries"]) == ("failed", [])
        deliver(desk.runtime)
        assert deliver_next(desk.runtime) is None
        assert [mail["subject"] for mail in mails.mails] == ["Failed: export of numbers"]


def test_a_failed_run_is_not_told_where_mail_is_no_longer_allowed(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails)) as desk:
        owner, schedule = hourly(desk, wish("ana@evil.example.com"), wish("bo@example.com"))
        principal = authenticate(desk.runtime, owner.headers["Authorization"].partition(" ")[2])
        narrow = open_outbox(spec(mails, allowed_domains=("example.com",)), WebhookRules(), {})
        run = run_schedule(replace(desk.runtime, outbox=narrow), principal, schedule["id"])
        assert run.state is RunState.FAILED
        deliver(desk.runtime)
        assert deliver_next(desk.runtime) is None
        assert mails.recipients == [["bo@example.com"]]
