"""What offtake.yaml says about mail, webhooks and copies."""

from pathlib import Path

import pytest

from offtake.errors import InvalidConfig
from offtake.settings import Settings, load_settings

WHOLE = """
smtp:
  host: mail.example.com
  from: Exports <exports@example.com>
  password: ${SMTP_PASSWORD}
  ca_file: ca.pem
  allowed_domains: [Example.com, "@example.org"]
webhooks: {allowed_hosts: ["Hooks.internal:8443"]}
deliveries:
  targets:
    archive: {url: archive, folder: "{tenant}/{date}"}
    bucket: {url: "s3://archive/exports", region: eu-west-1}
"""


def load(folder: Path, text: str) -> Settings:
    file = folder / "offtake.yaml"
    file.write_text(text)
    return load_settings(file, {"SMTP_PASSWORD": "s3cret"})


def test_mail_webhooks_and_targets_are_read_and_their_paths_settled(tmp_path: Path) -> None:
    settings = load(tmp_path, WHOLE)
    smtp = settings.smtp
    assert smtp is not None
    assert (smtp.sender, smtp.port, smtp.security) == ("Exports <exports@example.com>", 587, "starttls")
    assert (smtp.password, smtp.ca_file) == ("s3cret", str(tmp_path / "ca.pem"))
    assert smtp.allowed_domains == ("example.com", "example.org")
    assert "s3cret" not in repr(settings)
    assert settings.webhooks.allowed_hosts == {"hooks.internal:8443"}
    archive, bucket = settings.targets["archive"], settings.targets["bucket"]
    assert (archive.store.url, archive.folder) == (str(tmp_path / "archive"), "{tenant}/{date}")
    assert (bucket.store.url, bucket.store.region, bucket.folder) == ("s3://archive/exports", "eu-west-1", "{tenant}")


def test_without_them_there_is_no_mail_and_nothing_inside_is_called(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    assert (settings.smtp, settings.webhooks.allowed_hosts, settings.targets) == (None, frozenset(), {})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("smtp: {host: h, from: nobody}", "'from'"),
        ("smtp: {host: h, from: a@b.c, security: ssl}", "starttls"),
        ("deliveries: {targets: {a: {url: x, folder: '{tennant}'}}}", "tenant"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        load(tmp_path, text)
    assert word in refused.value.detail
    assert "offtake.yaml:1:" in refused.value.detail
