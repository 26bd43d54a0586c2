"""The examples of docs/credentials.md are true."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from issuers import issuing
from offtake.model.token import holder_id
from offtake.service.access import authenticate
from offtake.service.jwks import KeyRing
from offtake.settings import load_settings
from sites import FakeSource, few, make_key, make_runtime, serve

PAGE = (Path(__file__).parents[2] / "docs" / "credentials.md").read_text("utf-8")
TOLD = {
    language: re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for language in ("sh", "yaml", "json")
}


@pytest.mark.parametrize("script", TOLD["sh"])
def test_every_command_runs(tmp_path: Path, script: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the examples are written for it.")
    with issuing() as issuer:
        runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
        runtime = replace(runtime, issuers={issuer.name: KeyRing(issuer.issuer)})
        said = {"KEY": make_key(runtime), "TOKEN": issuer.token(scope="reports:read"), "ISSUER": issuer.name}
        with serve(runtime) as site:
            environ = {**os.environ, "URL": site.url, **said}
            done = subprocess.run(["sh", "-ec", script], env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    logged = [json.loads(line) for line in site.log.getvalue().splitlines()]
    assert {line["status"] for line in logged} <= {200}
    assert not any(secret in site.log.getvalue() for secret in (said["KEY"], said["TOKEN"], "ann"))
    if "digest" in script:
        assert done.stdout.strip() == holder_id(issuer.name, "ann")


def test_the_token_shown_gives_the_rights_told_under_the_settings_shown(tmp_path: Path) -> None:
    path = tmp_path / "offtake.yaml"
    path.write_text("\n".join(TOLD["yaml"]))
    settings = load_settings(path, {})
    shown = json.loads(TOLD["json"][0])
    with issuing() as issuer:
        believed = replace(settings.issuers[0], jwks=issuer.issuer.jwks)
        runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, roles=settings.roles)
        runtime = replace(runtime, tenants=settings.tenants, issuers={believed.name: KeyRing(believed)})
        principal = authenticate(runtime, issuer.token(**shown))
        runtime.appdb.close()
    assert (principal.tenant, principal.roles) == ("acme", {"accountant"})
    assert principal.scopes == {"reports:read", "reports:write", "pii:read", "audit:read", "openid"}


def test_the_pages_of_other_origins_are_those_shown(tmp_path: Path) -> None:
    path = tmp_path / "offtake.yaml"
    path.write_text(TOLD["yaml"][1])
    assert list(load_settings(path, {}).cors.origins) == yaml.safe_load(TOLD["yaml"][1])["cors"]["origins"]
