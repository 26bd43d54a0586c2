"""What lies in deploy/ is what the tools that read it take, and what offtake itself takes."""

import json
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from offtake.cli.commands import app
from offtake.settings import load_settings
from servers import Postgres

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "deploy.md").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
UNITS = sorted((DEPLOY / "systemd").iterdir())


def fenced(language: str) -> str:
    """Every block of that language on the page."""
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def filled_in(text: str) -> set[str]:
    """The variables that it must be given, or takes a default for."""
    return set(re.findall(r"\$\{([A-Z0-9_]+)", text))


def _chosen(variable: re.Match[str]) -> str:
    """What compose fills in where nothing is set: the default, or here `x` for what has none."""
    return variable[2] if variable[1] == "-" else "x"


def command_lines() -> Iterator[list[str]]:
    """Every way in which the files start offtake."""
    for name in ("api", "worker"):
        yield COMPOSE["services"][name]["command"]
    for unit in UNITS:
        [line] = re.findall(r"^ExecStart=(.*)$", unit.read_text("utf-8"), re.MULTILINE)
        yield shlex.split(line)[1:]
    [line] = re.findall(r"^CMD (.*)$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    yield json.loads(line)
    for line in re.findall(r"^(?:docker compose exec \w+ )?offtake (.*)$", fenced(""), re.MULTILINE):
        yield shlex.split(line)


def test_the_compose_file_follows_the_compose_specification() -> None:
    check = Path(sys.executable).with_name("check-jsonschema")
    command = [check, "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_compose_file_starts_two_replicas_that_run_no_jobs_and_four_workers_that_do() -> None:
    api, worker = COMPOSE["services"]["api"], COMPOSE["services"]["worker"]
    assert (api["deploy"]["replicas"], api["environment"]["OFFTAKE_JOBS"]) == (2, "0")
    assert (worker["deploy"]["replicas"], worker["environment"]["OFFTAKE_JOBS"]) == (4, "2")
    published = [name for name, service in COMPOSE["services"].items() if "ports" in service]
    assert published == ["proxy"]


def test_every_file_that_compose_mounts_or_builds_is_there() -> None:
    mounted = re.findall(r'"\./([^:"]+):', (DEPLOY / "compose.yaml").read_text("utf-8"))
    assert mounted
    assert [name for name in (*mounted, "Dockerfile") if not (DEPLOY / name).exists()] == []
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert [name for line in copied for name in line.split() if not (ROOT / name).exists()] == []


def test_every_variable_is_given_or_asked_for() -> None:
    asked = set(re.findall(r"^([A-Z0-9_]+)=", (DEPLOY / ".env.example").read_text("utf-8"), re.MULTILINE))
    assert filled_in((DEPLOY / "compose.yaml").read_text("utf-8")) == asked
    given = set(COMPOSE["x-environment"]) | {"OFFTAKE_JOBS", "OFFTAKE_S3_REGION"}
    assert filled_in((DEPLOY / "offtake.yaml").read_text("utf-8")) == given


@pytest.mark.parametrize("jobs", ["0", "2"])
def test_the_configuration_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: str) -> None:
    secret = tmp_path / "link-secret"
    secret.write_text("0123456789abcdef" * 4)
    secret.chmod(stat.S_IRUSR | stat.S_IWUSR)
    text = (DEPLOY / "offtake.yaml").read_text("utf-8").replace("/run/secrets/link-secret", str(secret))
    (tmp_path / "offtake.yaml").write_text(text)
    for name, value in COMPOSE["x-environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:([-?])([^}]*)\}", _chosen, value))
    monkeypatch.setenv("OFFTAKE_JOBS", jobs)
    settings = load_settings(tmp_path / "offtake.yaml")
    assert (settings.jobs.concurrency, settings.store.endpoint) == (int(jobs), "http://s3:8333")
    assert settings.database == "postgresql://offtake:x@postgres/offtake"


@pytest.mark.parametrize("line", list(command_lines()), ids=" ".join)
def test_offtake_knows_every_command_and_option_that_starts_it(line: list[str]) -> None:
    done = CliRunner().invoke(app, [*line, "--help"], prog_name="offtake")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("No systemd-analyze on this machine.")
    # It also wants the program to be there.
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text("utf-8").replace("/opt/offtake/bin/offtake", str(shutil.which("true"))))
    done = subprocess.run([verify, "verify", "--man=no", copy], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_units_outlive_a_job_that_was_too_large_and_wait_for_the_others() -> None:
    for unit in UNITS:
        lines = unit.read_text("utf-8").splitlines()
        assert {"OOMPolicy=continue", "KillMode=mixed", "TimeoutStopSec=45", "Restart=always"} <= set(lines)


def test_postgresql_takes_the_roles_of_the_page(postgres: Postgres) -> None:
    made = re.sub(r"\bofftake(_reader)?\b", r"page\1", fenced("sql"))
    statements = [each.strip() for each in made.split(";") if each.strip()]
    try:
        postgres.execute(*statements)
    finally:
        postgres.execute(
            "DROP DATABASE IF EXISTS page", "DROP OWNED BY page_reader", "DROP ROLE page_reader", "DROP ROLE page"
        )


def test_the_rule_of_the_bucket_is_json_and_the_settings_are_yaml() -> None:
    [rule] = json.loads(fenced("json"))["Rules"]
    assert rule["Filter"]["Prefix"] == "artifacts/"  # where compose.yaml puts them
    assert COMPOSE["x-environment"]["OFFTAKE_STORE"].endswith("/artifacts")
    assert set(yaml.safe_load(fenced("yaml"))) == {"database", "store"}
