"""Mail as a real mail server receives it and a standard parser opens it."""

from email.headerregistry import Address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from offtake.errors import InvalidRequest
from offtake.service.access import list_keys, local_principal, revoke_key
from offtake.service.deliveries import deliver_next
from receivers import taking_mail
from service.at_work import CLERK, run, submit
from service.post import PUBLIC, deliver, mailing, spec, wish

PASSWORD = "a password for tests"


def test_a_mail_has_the_right_names_and_a_link_that_downloads_without_a_key(tmp_path: Path) -> None:
    name = "Отчёт 売上 «été» 🎉 " + "langer Name " * 8 + ".csv"
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails)) as desk:
        made = desk.submit(
            filename=name, deliveries=[wish("ana@example.com", "bo@example.org", subject="{filename}", attach=True)]
        )
        desk.run()
        done = deliver(desk.runtime)
        (mail,) = mails.mails
        file = desk.ask("GET", f"/{made['id']}").json()
        html, attached = mail.get_body(("html",)), list(mail.iter_attachments())
        text = mail.get_body(("plain",))
        assert text is not None
        assert html is not None
        link = next(line for line in text.get_content().splitlines() if line.startswith(PUBLIC))
        fetched = desk.client.get(desk.site.url + link.removeprefix(PUBLIC))
        said = set(parse_qs(urlsplit(link).query))
        assert (fetched.status_code, said) == (200, {"expires", "maker", "key", "signature"})
        assert link.replace("&", "&amp;") in html.get_content()
        assert [each.get_filename() for each in attached] == [file["filename"]]
        assert attached[0].get_payload(decode=True) == fetched.content
        assert (mail["subject"], mail["message-id"]) == (file["filename"], f"<{done.id}@example.com>")
        assert mail["to"].addresses == (Address("", "ana", "example.com"), Address("", "bo", "example.org"))
        assert mail["date"].datetime == done.created_at
        assert mails.recipients == [["ana@example.com", "bo@example.org"]]
        assert file["deliveries"] == [
            {"id": done.id, "channel": "mail", "state": "succeeded", "attempts": 1, "error": None}
        ]


def test_a_file_that_is_too_large_comes_as_a_link_alone(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails, attach_max_bytes=10)) as desk:
        desk.finish(deliveries=[wish("ana@example.com", attach=True)])
        deliver(desk.runtime)
        assert list(mails.mails[0].iter_attachments()) == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_encrypted_and_with_a_login(tmp_path: Path, security: str) -> None:
    with taking_mail(tmp_path, at_once=security == "tls", password=PASSWORD) as mails:
        for password, state in ((PASSWORD, "succeeded"), ("wrong", "pending")):
            smtp = spec(mails, security=security, user="exports", password=password)
            home = tmp_path / state
            home.mkdir()
            with mailing(home, smtp) as desk:
                desk.finish(deliveries=[wish("ana@example.com")])
                done = deliver(desk.runtime)
                assert done.state == state, done.error
        assert len(mails.mails) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_nobody_vouches_for_gets_no_mail(tmp_path: Path, security: str) -> None:
    with taking_mail(tmp_path, at_once=security == "tls", password=PASSWORD) as mails:
        smtp = spec(mails, security=security, ca_file=None, user="exports", password=PASSWORD)
        with mailing(tmp_path, smtp) as desk:
            desk.finish(deliveries=[wish("ana@example.com")])
            done = deliver(desk.runtime)
            assert (done.state, mails.mails) == ("pending", [])
            assert "certificate" in (done.error or "")


def test_recipients_that_are_refused_are_named_and_the_others_get_their_mail(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails)) as desk:
        mails.refused = {"nobody@example.com"}
        desk.finish(deliveries=[wish("nobody@example.com", "ana@example.com")])
        done = deliver(desk.runtime)
        assert (done.state, mails.recipients) == ("succeeded", [["ana@example.com"]])
        assert "nobody@example.com" in (done.error or "")
        desk.finish(deliveries=[wish("nobody@example.com")])
        assert deliver(desk.runtime).state == "failed"


def test_a_mail_server_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails:
        smtp = spec(mails)
    with mailing(tmp_path, smtp) as desk:
        desk.finish(deliveries=[wish("ana@example.com")])
        done = deliver(desk.runtime)
        assert (done.state, done.error) == ("pending", "The connection to the mail server failed.")


def test_a_failed_export_is_told_by_mail(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails)) as desk:
        desk.submit(dataset="broken", deliveries=[wish("ana@example.com")])
        desk.run()
        while not mails.mails:
            desk.run()
            deliver_next(desk.runtime)
        assert mails.mails[0]["subject"] == "Failed: export of broken"


NO_ADDRESSES = (
    "ana@example.com\r\nBcc: eve@example.com",
    "ana@example.com, eve@example.com",
    "Ana <ana@example.com>",
    "ana@exämple.com",
    '"a b"@example.com',
    "ana",
    "@example.com",
    "ana@example.com\x00",
    "a" * 300 + "@example.com",
    "",
)


def test_what_is_no_plain_address_is_refused_at_submit(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails)) as desk:
        for address in NO_ADDRESSES:
            answer = desk.ask("POST", json={"dataset": "numbers", "deliveries": [wish(address)]})
            assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST"), address


def test_mail_goes_only_to_domains_that_the_settings_allow(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails, allowed_domains=("example.com",))) as desk:
        assert desk.submit(deliveries=[wish("ana@Example.COM")])
        answer = desk.ask("POST", json={"dataset": "numbers", "deliveries": [wish("ana@evil.example.com")]})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/deliveries/0/to/0")


def test_a_subject_is_one_line_whatever_the_names_in_it_hold(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails)) as desk:
        with pytest.raises(InvalidRequest):
            submit(desk.runtime, CLERK, deliveries=[wish("ana@example.com", subject="a\r\nBcc: eve@example.com")])
        job = submit(desk.runtime, CLERK, deliveries=[wish("ana@example.com", subject="{tenant}: {dataset} {format}")])
        run(desk.runtime, job)
        deliver(desk.runtime)
        assert mails.mails[0]["subject"] == "acme: numbers csv"
        assert "bcc" not in mails.mails[0]


def test_a_mail_is_not_sent_with_rights_that_its_owner_has_lost(tmp_path: Path) -> None:
    with taking_mail(tmp_path) as mails, mailing(tmp_path, spec(mails)) as desk:
        desk.finish(deliveries=[wish("ana@example.com")])
        everybody = local_principal(desk.runtime, None)
        for key in list_keys(desk.runtime, everybody):
            revoke_key(desk.runtime, everybody, key.id)
        done = deliver(desk.runtime)
        assert (done.state, mails.mails) == ("failed", [])
