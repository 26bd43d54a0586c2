"""Mail over SMTP (RFC 5321), encrypted unless the settings say otherwise."""

import smtplib
import ssl
import unicodedata
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from offtake.errors import DeliveryFailed, DeliveryRefused
from offtake.model.delivery import Letter, Sent, SmtpSpec

LONGEST_SUBJECT = 250
PERMANENT = 500  # RFC 5321 §4.2.1: from here on a reply means never


def send_letter(spec: SmtpSpec | None, letter: Letter) -> Sent:
    """Hand it to the mail server; the note names refused recipients. Raises DeliveryFailed, DeliveryRefused."""
    if spec is None:
        raise DeliveryFailed("No mail server is configured.", hint="Name one under `smtp:`.")
    message = write_message(spec, letter)
    try:
        with _open_server(spec) as server:
            refused = server.send_message(message, parseaddr(spec.sender)[1], letter.to)
    except smtplib.SMTPRecipientsRefused as error:
        raise _failure("The mail server takes mail for none of the recipients.", _codes(error)) from None
    except smtplib.SMTPAuthenticationError:
        raise DeliveryFailed(
            "The mail server does not let us in.", hint="Look at `smtp.user` and its password."
        ) from None
    except smtplib.SMTPResponseException as error:
        raise _failure(f"The mail server answered {error.smtp_code}.", [error.smtp_code]) from None
    except smtplib.SMTPNotSupportedError:
        raise DeliveryFailed("The mail server lacks what the settings ask for: TLS or logging in.") from None
    except ssl.SSLError:
        raise DeliveryFailed("There is no secure connection to the mail server: look at its certificate.") from None
    except (OSError, smtplib.SMTPException):
        raise DeliveryFailed("The connection to the mail server failed.") from None
    return Sent(note=f"Not taken by the mail server: {', '.join(sorted(refused))}." if refused else None)


def write_message(spec: SmtpSpec, letter: Letter) -> EmailMessage:
    """The letter as RFC 5322 has it, names in any script as RFC 2047 and 2231 do."""
    message = EmailMessage(policy=SMTP)
    message["From"] = spec.sender
    message["To"] = ", ".join(letter.to)
    message["Subject"] = clean_subject(letter.subject)
    message["Date"] = format_datetime(letter.at)
    message["Message-ID"] = f"<{letter.id}@{parseaddr(spec.sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    if letter.attachment is not None:
        kind, _, subtype = letter.media_type.partition(";")[0].partition("/")
        message.add_attachment(letter.attachment, kind, subtype or "octet-stream", filename=letter.filename)
    return message


def clean_subject(text: str) -> str:
    """One line without control characters, so that it can be nothing but a subject."""
    plain = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text)
    return " ".join(plain.split())[:LONGEST_SUBJECT]


def _open_server(spec: SmtpSpec) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=spec.ca_file)
    if spec.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(spec.host, spec.port, timeout=spec.timeout_s, context=context)
    else:
        server = smtplib.SMTP(spec.host, spec.port, timeout=spec.timeout_s)
    try:
        if spec.security == "starttls":
            server.starttls(context=context)
        if spec.user:
            server.login(spec.user, spec.password)
    except BaseException:
        server.close()
        raise
    return server


def _codes(error: smtplib.SMTPRecipientsRefused) -> list[int]:
    return [code for code, _ in error.recipients.values()]


def _failure(detail: str, codes: list[int]) -> DeliveryFailed | DeliveryRefused:
    is_final = all(code >= PERMANENT for code in codes)
    return DeliveryRefused(detail) if is_final else DeliveryFailed(detail)
