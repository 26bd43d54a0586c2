"""Who receives deliveries in tests: a real HTTP server and a real mail server, both on this machine."""

import asyncio
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

HOST = "127.0.0.1"


@dataclass
class Receiver:
    """An HTTP server that keeps what it was sent and answers with `status`, or whatever `answer` does instead."""

    port: int = 0
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    answer: Callable[[http.server.BaseHTTPRequestHandler], None] | None = None
    connections: int = 0
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}/hook"


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()

    class Answering(http.server.BaseHTTPRequestHandler):
        def setup(self) -> None:
            receiver.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if receiver.answer is not None:
                receiver.answer(self)
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return None

    server = http.server.ThreadingHTTPServer((HOST, 0), Answering)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class MailServer:
    """A mail server that keeps what it was sent. It refuses addresses in `refused` for good, while busy all others."""

    port: int = 0
    ca_file: str = ""
    refused: set[str] = field(default_factory=set)
    is_busy: bool = False
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, ___: Any) -> str:  # noqa: N802 - the name is aiosmtpd's
        if address in self.refused:
            return "550 nobody of that name"
        if self.is_busy:
            return "451 come again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"


def _speaking(mails: MailServer, context: ssl.SSLContext, *, at_once: bool, password: str) -> SMTP:
    """One side of one conversation."""

    def judge(_: Any, __: Any, ___: Any, ____: Any, given: LoginPassword) -> AuthResult:
        return AuthResult(success=given.password == password.encode(), handled=False)  # or it would say nothing

    if not password:
        return SMTP(mails)
    return SMTP(
        mails,
        tls_context=None if at_once else context,
        require_starttls=not at_once,
        auth_required=True,
        auth_require_tls=not at_once,
        authenticator=judge,
    )


@contextmanager
def taking_mail(folder: Any, *, at_once: bool = False, password: str = "") -> Iterator[MailServer]:
    """A mail server with a certificate of an authority of its own. With a password it wants TLS and who sends."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    mails = MailServer(ca_file=str(ca_file))
    loop = asyncio.new_event_loop()
    speaking = partial(_speaking, mails, context, at_once=at_once, password=password)
    server = loop.run_until_complete(loop.create_server(speaking, HOST, 0, ssl=context if at_once else None))
    mails.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield mails
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
