"""The demo's contacts, in which every nasty text stands: written as XML and JSON:API, read back value for value."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from lxml import etree

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


@pytest.fixture(scope="module")
def folder(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All contacts of acme, as the Arrow file whose values the others must hold, and as the others."""
    folder = tmp_path_factory.mktemp("contacts")
    for ending in ("arrow", "xml", "jsonapi"):
        command = ["export", "contacts", "-o", str(folder / f"contacts.{ending}"), "--tenant", "acme"]
        command += ["--config", str(demo_home / "offtake.yaml")]
        subprocess.run([sys.executable, "-m", "offtake.cli", *command], check=True, capture_output=True, timeout=120)
    return folder


def contacts(folder: Path) -> Iterator[dict[str, Any]]:
    """Every contact; lists as JSON has them, dates and instants as ISO text."""
    with pa.OSFile(str(folder / "contacts.arrow")) as file:
        reader = pa.ipc.open_file(file)
        for index in range(reader.num_record_batches):
            for row in reader.get_batch(index).to_pylist():
                yield {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        fraction = f".{value.microsecond // 1000:03}" if value.microsecond else ""
        return f"{value:%Y-%m-%dT%H:%M:%S}{fraction}Z"
    return value.isoformat() if isinstance(value, date) else value


def test_the_xml_file_holds_every_value(folder: Path) -> None:
    rows = etree.parse(str(folder / "contacts.xml")).getroot()
    for row, expected in zip(rows, contacts(folder), strict=True):
        found = {cell.tag: None if cell.get(NIL) else cell.text or "" for cell in row}
        assert found.pop("score") == (None if expected["score"] is None else repr(expected["score"]))
        assert json.loads(found.pop("tags") or "null") == expected["tags"]
        assert found.pop("isActive") == {True: "true", False: "false", None: None}[expected["isActive"]]
        assert found == {name: expected[name] for name in found}


def test_the_jsonapi_file_holds_every_value(folder: Path) -> None:
    document = json.loads((folder / "contacts.jsonapi").read_bytes(), parse_float=Decimal)
    for resource, expected in zip(document["data"], contacts(folder), strict=True):
        assert (resource["type"], resource["id"]) == ("contacts", expected.pop("id"))
        found = resource["attributes"]
        for name in ("score", "netWorth"):
            number = expected.pop(name)
            assert found.pop(name) == (None if number is None else Decimal(str(number)))
        assert found == expected
    assert document["meta"]["rows"] == len(document["data"]) == 20_000
