"""What is sent: the words of a mail, the body of a call, the copy of a file."""

import json
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from types import MappingProxyType
from typing import Any

from offtake.appdb import definitions as definition_table
from offtake.appdb import jobs as job_table
from offtake.appdb import schedules as schedule_table
from offtake.appdb import webhooks as webhook_table
from offtake.errors import DeliveryRefused
from offtake.model.delivery import Call, Delivery, Event, Letter, Sent, Webhook
from offtake.model.job import Artifact, ExportJob
from offtake.service.access import present_principal
from offtake.service.downloads import clean_filename
from offtake.service.exports import find_artifact
from offtake.service.links import LONGEST_S, make_link
from offtake.service.recipients import fill
from offtake.service.runtime import Runtime
from offtake.service.sealing import unseal

Send = Callable[[Runtime, Delivery], Sent]


def send_webhook(runtime: Runtime, delivery: Delivery) -> Sent:
    """Call the webhook. Raises DeliveryFailed, DeliveryRefused."""
    webhook = webhook_table.find_webhook(runtime.appdb, delivery.webhook_id or "")
    if webhook is None or not (webhook.is_active or delivery.event is Event.TEST):
        raise DeliveryRefused("This webhook was turned off.")
    payload = _with_addresses(runtime, delivery.payload)
    if webhook.dialect is not None and delivery.event is not Event.TEST:
        payload = _told(runtime, webhook.dialect, delivery)
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return runtime.outbox.webhook(Call(delivery.id, runtime.now(), webhook.url, body, _secrets(runtime, webhook)))


def _told(runtime: Runtime, dialect: str, delivery: Delivery) -> Mapping[str, object]:
    """What the foreign API tells of the export's end."""
    tell = runtime.telling(dialect)
    if tell is None:
        raise DeliveryRefused("This webhook speaks as an API does that is not served any more.")
    return tell(runtime, _job(runtime, delivery), delivery.event)


def send_mail(runtime: Runtime, delivery: Delivery) -> Sent:
    """Mail a link to the file, or the file, or why there is none.

    Raises DeliveryFailed, DeliveryRefused, and what fetching the file with its owner's present rights raises.
    """
    if delivery.event is Event.SCHEDULE_FAILED:
        return runtime.outbox.mail(_notice(runtime, delivery))
    job = _job(runtime, delivery)
    if delivery.event is Event.EXPORT_FAILED:
        return runtime.outbox.mail(_failure_letter(delivery, job))
    owner = present_principal(runtime, job.owner)
    _, artifact = find_artifact(runtime, owner, job.id)
    link = make_link(runtime, owner, job.id, LONGEST_S)
    url = f"{runtime.public_url or ''}{link.path}"
    lines = [f"{artifact.filename}: {job.rows} rows, {artifact.bytes} bytes, SHA-256 {artifact.sha256}."]
    smtp = runtime.outbox.smtp
    attached = None
    if delivery.target["attach"] and smtp is not None and artifact.bytes <= smtp.attach_max_bytes:
        attached = b"".join(runtime.store.read(artifact.name))
    lines.append(f"The link works until {link.expires_at:%Y-%m-%d %H:%M} UTC; it needs no key, so keep it to yourself.")
    return runtime.outbox.mail(
        Letter(
            id=delivery.id,
            at=delivery.created_at,
            to=tuple(delivery.target["to"]),
            subject=fill(delivery.target["subject"], _known(job, artifact)),
            text="\n\n".join([lines[0], url, lines[1]]) + "\n",
            html=_page(lines, url),
            filename=artifact.filename,
            media_type=artifact.media_type,
            attachment=attached,
        )
    )


def send_copy(runtime: Runtime, delivery: Delivery) -> Sent:
    """Copy the file into the target, where it is seen only when it is whole. Raises what both stores raise."""
    job = _job(runtime, delivery)
    target = runtime.outbox.targets.get(delivery.target["target"])
    if target is None:
        raise DeliveryRefused("The settings name no such target any more.")
    _, artifact = find_artifact(runtime, present_principal(runtime, job.owner), job.id)
    name = copy_name(f"{target.folder}/{delivery.target['name']}", job, artifact)
    chunks = runtime.store.read(artifact.name)
    try:
        target.store.write(name, chunks, filename=artifact.filename, media_type=artifact.media_type)
    finally:
        chunks.close()
    return Sent()


def copy_name(template: str, job: ExportJob, artifact: Artifact) -> str:
    """The name of a copy: no part of it can lead out of the target's folder, whatever fills the placeholders."""
    known = {name: value.replace("/", "_") for name, value in _known(job, artifact).items()}
    parts = [clean_filename(part) for part in fill(template, known).split("/")]
    return "/".join(part for part in parts if part) or artifact.filename


# How each channel is sent.
CHANNELS: Mapping[str, Send] = MappingProxyType({"mail": send_mail, "store": send_copy, "webhook": send_webhook})


def _job(runtime: Runtime, delivery: Delivery) -> ExportJob:
    job = job_table.find_job(runtime.appdb, delivery.job_id or "")
    if job is None:
        raise DeliveryRefused("The export was deleted.")
    return job


def _failure_letter(delivery: Delivery, job: ExportJob) -> Letter:
    error = job.error
    lines = [f"The export of {job.request.dataset} failed.", error.detail if error else "", error.hint if error else ""]
    return _plain_letter(delivery, f"Failed: export of {job.request.dataset}", lines)


def _notice(runtime: Runtime, delivery: Delivery) -> Letter:
    """That a run of a schedule failed before there was an export that could tell."""
    told = _with_addresses(runtime, delivery.payload)["data"]
    name = _definition_of(runtime, told["schedule_id"])
    due = datetime.fromisoformat(told["instant"]).astimezone(UTC)
    lines = [
        f"{name}: the scheduled export of {due:%Y-%m-%d %H:%M} UTC failed.",
        told["reason"],
        f"What became of each instant, for whoever has a key: {told['links']['runs']}",
    ]
    return _plain_letter(delivery, f"Failed: scheduled export of {name}", lines)


def _definition_of(runtime: Runtime, schedule_id: str) -> str:
    """The name of what the schedule runs."""
    schedule = schedule_table.find_schedule(runtime.appdb, schedule_id)
    id_ = "" if schedule is None else schedule.draft.definition_id
    definition = definition_table.find_definition(runtime.appdb, id_)
    return "a definition that was deleted" if definition is None else definition.draft.name


def _plain_letter(delivery: Delivery, subject: str, lines: Sequence[str]) -> Letter:
    """A letter of these paragraphs, but for empty ones."""
    return Letter(
        delivery.id,
        delivery.created_at,
        tuple(delivery.target["to"]),
        subject,
        "\n\n".join(filter(None, lines)) + "\n",
        _page(lines, ""),
    )


def _page(lines: Sequence[str], url: str) -> str:
    link = f'<p><a href="{escape(url)}">Download</a></p>' if url else ""
    first, *rest = [f"<p>{escape(line)}</p>" for line in lines if line]
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><body>{first}{link}{"".join(rest)}</body></html>'


def _known(job: ExportJob, artifact: Artifact) -> Mapping[str, str]:
    """What placeholders stand for: times are those where the reader is, what its relative dates mean."""
    instant = job.as_of.astimezone(zoneinfo.ZoneInfo(job.request.timezone or "UTC"))
    return {
        "dataset": job.request.dataset,
        "date": f"{instant:%Y-%m-%d}",
        "datetime": f"{instant:%Y-%m-%dT%H-%M-%S}",
        "format": job.request.format,
        "tenant": job.tenant,
        "filename": artifact.filename,
        "id": job.id,
    }


def _with_addresses(runtime: Runtime, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payload with its links whole, if the settings say where this service is reached."""
    data = payload.get("data")
    if not isinstance(data, dict) or "links" not in data:
        return payload
    links = {name: f"{runtime.public_url or ''}{path}" for name, path in data["links"].items()}
    return {**payload, "data": {**data, "links": links}}


def _secrets(runtime: Runtime, webhook: Webhook) -> tuple[str, ...]:
    """The secrets that sign now, the newest first."""
    rotating = webhook.old_secret is not None and webhook.old_until is not None and runtime.now() < webhook.old_until
    sealed = (webhook.secret, webhook.old_secret or "") if rotating else (webhook.secret,)
    return tuple(unseal(runtime, each) for each in sealed)
