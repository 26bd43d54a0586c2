"""`offtake export`, run as people run it."""

import gzip
import hashlib
import io
import json
import subprocess
import zipfile
from pathlib import Path

import duckdb
import pytest
import zstandard

from cli.conftest import OFFTAKE, Run


def test_a_file_is_written_and_nothing_said(run: Run, home: Path) -> None:
    done = run("export", "orders", "-o", "orders.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (home / "orders.csv").read_text().startswith("id,status,total,day\n1,open,")
    assert len((home / "orders.csv").read_text().splitlines()) == 13


@pytest.mark.parametrize("ending", ["csv", "CSV", "tsv", "json", "ndjson", "parquet", "arrow", "csv.gz", "ndjson.zst"])
def test_the_ending_names_the_format(run_here: Run, home: Path, ending: str) -> None:
    assert run_here("export", "orders", "-o", f"out.{ending}", "--fields", "id", "--limit", "1").returncode == 0
    content = (home / f"out.{ending}").read_bytes()
    beginnings = {
        "csv": b"id\n1\n",
        "tsv": b"id\n1\n",
        "json": b"[",
        "ndjson": b'{"id":1}\n',
        "parquet": b"PAR1",
        "arrow": b"ARROW1",
    }
    if ending.endswith(".gz"):
        content = gzip.decompress(content)
    if ending.endswith(".zst"):
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    assert content.startswith(beginnings[ending.lower().partition(".")[0]])


def test_format_wins_over_the_ending(run_here: Run, home: Path) -> None:
    assert run_here("export", "orders", "-o", "out.txt.gz", "--format", "tsv").returncode == 0
    assert gzip.decompress((home / "out.txt.gz").read_bytes()).startswith(b"id\tstatus\ttotal\tday\n")


def test_a_dash_is_stdout(run: Run) -> None:
    done = run("export", "orders", "-o", "-", "--fields", "id,status", "--limit", "2", "--sort=-id")
    assert done.stdout == "id,status\n12,paid\n11,\n"


def test_files_of_a_glob_are_one_dataset(run_here: Run) -> None:
    done = run_here("export", "cities", "-o", "-", "--sort=name")
    assert done.stdout == "name,people\nBerlin,3700000\nLima,10000000\nNowhere,\n"


def test_the_config_may_lie_elsewhere(run: Run, home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert run("export", "cities", "-o", "c.parquet", "-c", str(home / "offtake.yaml"), cwd=elsewhere).returncode == 0
    assert duckdb.sql(f"SELECT count(*) FROM '{elsewhere}/c.parquet'").fetchall() == [(3,)]


def test_a_tenant_sees_its_rows_alone(run: Run) -> None:
    done = run("export", "customers", "-o", "-", "--tenant", "acme")
    assert done.stdout == "id,tenant,phone\n6,acme,+4930000006\n4,acme,+4930000004\n2,acme,+4930000002\n"


def test_all_tenants_crosses_the_wall(run_here: Run) -> None:
    done = run_here("export", "customers", "-o", "-", "--all-tenants", "--fields", "id")
    assert done.stdout.split() == ["id", "6", "5", "4", "3", "2", "1"]


def test_a_tenant_changes_nothing_on_an_open_dataset(run_here: Run) -> None:
    assert (
        run_here("export", "orders", "-o", "-", "--tenant", "acme").stdout
        == run_here("export", "orders", "-o", "-").stdout
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["customers"], "error: customers holds the rows of several tenants.\n"
         "hint: Say whose: --tenant T (acme, globex), or --all-tenants.\n"),
        (["customers", "--tenant", "a", "--all-tenants"], "error: --tenant and --all-tenants exclude each other.\n"
         "hint: Keep one of them.\n"),
        (["customers", "--tenant", "acne"], "error: There is no tenant 'acne'.\n"
         "hint: Did you mean acme? Known: acme, globex.\n"),
        (["order"], "error: There is no dataset 'order'.\n"
         "hint: Did you mean orders? Datasets: orders, customers, cities, audit.\n"),
        (["orders", "--fields", '"id'], "error: --fields has a quote that is never closed, or a line end.\n"
         """hint: Write --fields 'id,"total=Total, net"'.\n"""),
        (["orders", "--fields", "id,,day"], "error: --fields holds an empty name.\n"
         "hint: Write --fields id,name or --fields id,name=Label.\n"),
        (["orders", "--sort", "-"], "error: --sort holds an empty name.\nhint: Write --sort=-createdAt,name.\n"),
        (["orders", "--option", "bom"], "error: --option 'bom' has no value.\nhint: Write --option name=value.\n"),
        (
            ["orders", "--filter", "{x"],
            "error: --filter is not JSON: Expecting property name enclosed in double quotes at character 2.\n"
            """hint: Write it as '{"field": "status", "op": "eq", "value": "paid"}' or as status:paid.\n""",
        ),
    ],
)  # fmt: skip
def test_what_was_typed_wrong_is_told(run_here: Run, home: Path, arguments: list[str], told: str) -> None:
    before = sorted(home.iterdir())
    done = run_here("export", *arguments, "-o", "out.csv")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)
    assert [path for path in sorted(home.iterdir()) if path not in before and path.name != ".offtake"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fields", "nope"],
        ["--filter", "nope:1"],
        ["--filter", "total:abc"],
        ["--from", "nonsense"],
        ["--from", "2026-05-09", "--to", "2026-05-01"],
        ["--format", "csvv"],
        ["--option", "bomm=1"],
        ["--locale", "xx-nope"],
        ["--timezone", "Mars/Phobos"],
        ["--limit", "0"],
        ["--nope"],
    ],
)
def test_a_wrong_option_is_wrong_usage(run_here: Run, home: Path, arguments: list[str]) -> None:
    done = run_here("export", "orders", "-o", "out.csv", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr
    assert not (home / "out.csv").exists()


def test_a_failure_leaves_no_file(run: Run, home: Path) -> None:
    (home / "shop.db").write_bytes(b"this is no database, and never was one" * 100)
    done = run("export", "orders", "-o", "out.csv")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not list(home.glob("*out.csv*")) + list(home.glob(".out.csv*"))


def test_a_failure_leaves_the_file_of_last_time(run_here: Run, home: Path) -> None:
    (home / "out.csv").write_text("last time")
    (home / "shop.db").unlink()
    assert run_here("export", "orders", "-o", "out.csv").returncode == 1
    assert (home / "out.csv").read_text() == "last time"


def test_a_folder_that_is_not_there_is_told(run_here: Run) -> None:
    done = run_here("export", "orders", "-o", "nowhere/out.csv")
    assert done.returncode == 2
    assert done.stderr == "error: There is no folder nowhere.\nhint: Make it first, or name a file elsewhere.\n"


def test_a_folder_is_no_file(run_here: Run, home: Path) -> None:
    (home / "out.csv").mkdir()
    done = run_here("export", "orders", "-o", "out.csv")
    assert (done.returncode, done.stderr) == (
        2,
        "error: out.csv is a folder.\nhint: Name a file, such as -o out.csv.\n",
    )


def test_a_wrong_config_is_told_line_by_line(run_here: Run, home: Path) -> None:
    (home / "offtake.yaml").write_text("sources: {db: {url: 'sqlite:///x'}}\ndatasets:\n  a: {sorce: db, table: 1}\n")
    done = run_here("export", "orders", "-o", "out.csv")
    assert done.returncode == 1
    assert done.stderr == (
        "error: offtake.yaml:3: dataset 'a' needs 'source'\n"
        "error: offtake.yaml:3: 'table' expects text, found a number; put it in quotes\n"
        "error: offtake.yaml:3: unknown key 'sorce', did you mean 'source'?\n"
        "hint: docs/configuration.md lists every key.\n"
    )


def test_no_config_says_how_to_get_one(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    done = run("export", "orders", "-o", "out.csv", cwd=tmp_path_factory.mktemp("empty"))
    assert (done.returncode, done.stderr) == (
        1,
        "error: There is no offtake.yaml.\n"
        "hint: Write one with `offtake init DATABASE_URL`, or name it with --config.\n",
    )


def test_a_manifest_stands_beside_the_file(run_here: Run, home: Path) -> None:
    assert run_here("export", "orders", "-o", "out.ndjson.gz", "--manifest", "--limit", "5").returncode == 0
    manifest = json.loads((home / "out.ndjson.gz.manifest.json").read_text())
    assert manifest["sha256"] == hashlib.sha256((home / "out.ndjson.gz").read_bytes()).hexdigest()
    assert (manifest["file"], manifest["rows"], manifest["compression"]) == ("out.ndjson.gz", 5, "gzip")


def test_parts_come_in_a_zip_and_are_called_like_it(run_here: Run, home: Path) -> None:
    done = run_here("export", "orders", "-o", "May {x}.ZIP", "--format", "tsv", "--part-rows", "5", "--fields", "id")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with zipfile.ZipFile(home / "May {x}.ZIP") as archive:
        parts = {name: archive.read(name).split() for name in archive.namelist()}
    assert parts == {
        "May _x_-part1.tsv": [b"id", b"1", b"2", b"3", b"4", b"5"],
        "May _x_-part2.tsv": [b"id", b"6", b"7", b"8", b"9", b"10"],
        "May _x_-part3.tsv": [b"id", b"11", b"12"],
    }


def test_a_zip_of_parts_can_be_a_pipe(home: Path) -> None:
    command = [*OFFTAKE, "export", "orders", "-o", "-", "--part-bytes", "1000000"]
    done = subprocess.run(command, cwd=home, capture_output=True, timeout=60, check=True)
    with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
        (name,) = archive.namelist()
        assert name.startswith("orders_20")
        assert name.endswith("-part1.csv")


def test_a_zip_of_parts_verifies(run_here: Run, home: Path) -> None:
    done = run_here("export", "orders", "-o", "out.zip", "--format", "xlsx", "--part-rows", "7", "--manifest")
    assert done.returncode == 0
    assert [part["rows"] for part in json.loads((home / "out.zip.manifest.json").read_text())["parts"]] == [7, 5]
    assert run_here("verify", "out.zip").stdout.startswith("out.zip: ok, 12 rows of orders as of 20")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-o", "out.zip", "--part-rows", "5"], "A zip does not say what its parts are."),
        (["-o", "out.csv", "--part-bytes", "5"], "Parts come in a zip."),
        (["-o", "out.zip", "--format", "csv", "--part-bytes", "5000000000"], "part_bytes is more than 3500000000."),
        (["-o", "out.zip"], "The ending of 'out.zip' names no format."),
    ],
)
def test_parts_that_cannot_be_are_told(run_here: Run, home: Path, arguments: list[str], told: str) -> None:
    done = run_here("export", "orders", *arguments)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (2, "", f"error: {told}")
    assert not list(home.glob("out*"))


def test_stdout_has_nothing_beside_it(run_here: Run) -> None:
    done = run_here("export", "orders", "-o", "-", "--manifest")
    assert (done.returncode, done.stdout) == (2, "")


def test_without_its_manifest_a_file_does_not_stay(run_here: Run, home: Path) -> None:
    (home / "out.csv.manifest.json").mkdir()
    assert run_here("export", "orders", "-o", "out.csv", "--manifest").returncode == 1
    assert not (home / "out.csv").exists()


def test_verify_tells_a_changed_file(run_here: Run, home: Path) -> None:
    run_here("export", "orders", "-o", "out.csv", "--manifest")
    assert run_here("verify", "out.csv").stdout.startswith("out.csv: ok, 12 rows of orders as of 20")
    content = (home / "out.csv").read_bytes()
    (home / "out.csv").write_bytes(content.replace(b"paid", b"open"))
    done = run_here("verify", "out.csv")
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "error: out.csv was changed since it was written.")
