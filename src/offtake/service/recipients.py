"""Where an export's file shall go, checked before there is an export."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from offtake.errors import InvalidRequest
from offtake.model.delivery import PLACEHOLDERS, SmtpSpec
from offtake.query.nearest import did_you_mean
from offtake.service.runtime import Runtime

MOST = 10
MOST_RECIPIENTS = 50
LONGEST = 250
CHANNELS = {"mail": ("to", "subject", "attach"), "store": ("target", "name")}
# What RFC 5321 §4.1.2 calls a dot-string at a domain: no quotes, no comments, nothing but ASCII.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?P<domain>{_LABEL}(?:\.{_LABEL})*)")


def check_deliveries(runtime: Runtime, wishes: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The wishes, each with every key it may have: `{"channel": "mail", "to": […], "subject": "…", "attach": false}`
    or `{"channel": "store", "target": "…", "name": "…"}`. Raises InvalidRequest."""
    if len(wishes) > MOST:
        raise InvalidRequest(f"An export has at most {MOST} deliveries.", pointer="/deliveries")
    return tuple(_check(runtime, wish, f"/deliveries/{n}") for n, wish in enumerate(wishes))


def fill(template: str, known: Mapping[str, str]) -> str:
    """The template with its `{placeholders}` filled in."""
    return re.sub(r"\{([^{}]*)\}", lambda match: known[match[1]], template)


def _check(runtime: Runtime, wish: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    channel = wish.get("channel")
    if channel not in CHANNELS:
        hint = did_you_mean(str(channel)[:40], CHANNELS, "Channels")
        raise InvalidRequest("A delivery goes by mail or into a store.", hint=hint, pointer=f"{where}/channel")
    for key in wish:
        if key != "channel" and key not in CHANNELS[channel]:
            hint = did_you_mean(key, CHANNELS[channel], "Known")
            raise InvalidRequest(
                f"A delivery by {channel} has no {key[:40]!r}.", hint=hint, pointer=f"{where}/{key[:40]}"
            )
    return _check_mail(runtime, wish, where) if channel == "mail" else _check_copy(runtime, wish, where)


def _check_mail(runtime: Runtime, wish: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    smtp = runtime.outbox.smtp
    if smtp is None or runtime.public_url is None:
        raise InvalidRequest(
            "This service sends no mail.", hint="It needs `smtp:` and `public_url:` in its settings.", pointer=where
        )
    to = wish.get("to")
    if not isinstance(to, list | tuple) or not 0 < len(to) <= MOST_RECIPIENTS:
        raise InvalidRequest(f"A mail goes to 1 to {MOST_RECIPIENTS} addresses.", pointer=f"{where}/to")
    for n, address in enumerate(to):
        _check_address(smtp, address, f"{where}/to/{n}")
    attach = wish.get("attach", False)
    if not isinstance(attach, bool):
        raise InvalidRequest("attach is true or false.", pointer=f"{where}/attach")
    subject = _check_template(wish.get("subject") or "{filename}", f"{where}/subject")
    return {"channel": "mail", "to": list(dict.fromkeys(to)), "subject": subject, "attach": attach}


def _check_address(smtp: SmtpSpec, address: Any, where: str) -> None:
    found = _ADDRESS.fullmatch(address) if isinstance(address, str) and len(address) <= LONGEST else None
    if found is None:
        hint = "Write it like name@example.com; a domain in another script as its xn-- form."
        raise InvalidRequest("This is not a mail address.", hint=hint, pointer=where)
    if smtp.allowed_domains and found["domain"].lower() not in smtp.allowed_domains:
        hint = f"Allowed: {', '.join(smtp.allowed_domains)}."
        raise InvalidRequest(f"Mail to {found['domain']} is not allowed.", hint=hint, pointer=where)


def _check_copy(runtime: Runtime, wish: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    target = wish.get("target")
    if target not in runtime.outbox.targets:
        hint = did_you_mean(str(target)[:40], runtime.outbox.targets, "Targets")
        raise InvalidRequest(f"There is no target {str(target)[:40]!r}.", hint=hint, pointer=f"{where}/target")
    name = _check_template(wish.get("name") or "{filename}", f"{where}/name")
    return {"channel": "store", "target": target, "name": name}


def _check_template(template: Any, where: str) -> str:
    if not isinstance(template, str) or len(template) > LONGEST or not template.isprintable():
        raise InvalidRequest(f"This is a line of at most {LONGEST} characters.", pointer=where)
    for placeholder in re.findall(r"\{([^{}]*)\}", template):
        if placeholder not in PLACEHOLDERS:
            hint = did_you_mean(placeholder[:40], PLACEHOLDERS, "Known")
            raise InvalidRequest(f"There is no placeholder {{{placeholder[:40]}}} here.", hint=hint, pointer=where)
    return template
