"""Manifests tell the truth about the file beside them, and say when it is no longer that file."""

import hashlib
import json
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from offtake.encode import FORMATS
from offtake.engine.export import Account, export_chunks, write_file
from offtake.engine.manifest import manifest_of, verify_file, write_manifest
from offtake.errors import Conflict, NotFound
from offtake.model.dataset import Dataset, Field, FieldType, Mask
from offtake.model.export import Column, OrderKey, Plan, Reader
from offtake.model.filter import Condition, Operator
from offtake.model.ports import RowStream, Stop, Table

NAME = Field("name", FieldType.STRING, "full_name", "Name")
TAX = Field("taxId", FieldType.STRING, "tax_id", "Tax id", mask=Mask.LAST4)
PLAN = Plan(
    Dataset("people", "fake", table="people", fields=(NAME, TAX)),
    (Column(NAME), Column(TAX, "Tax number", Mask.LAST4)),
    where=Condition("createdAt", Operator.GTE, (datetime(2026, 5, 1, tzinfo=UTC),)),
    order=(OrderKey("full_name", descending=True),),
    reader=Reader("es-CL", "America/Santiago"),
)
SCHEMA = pa.schema([("name", pa.string()), ("taxId", pa.string())])


class TwoPeople:
    """A source of two rows, one of them a formula."""

    name = "fake"

    def read(self, plan: Plan, stop: Stop) -> RowStream:
        def batches() -> Generator[pa.RecordBatch, None, None]:
            yield pa.record_batch([pa.array(["=1+1", "Ana"]), pa.array(["****1234", None])], schema=SCHEMA)

        return RowStream(plan.columns, SCHEMA, batches(), datetime(2026, 5, 2, tzinfo=UTC), plan.reader)

    def count(self, plan: Plan, stop: Stop) -> int:
        return 2

    def describe(self, dataset: Dataset) -> tuple[Field, ...]:
        return dataset.fields

    def tables(self) -> tuple[Table, ...]:
        return ()

    def ping(self) -> None:
        """Always there."""

    def close(self) -> None:
        """Nothing to let go."""


def written(folder: Path) -> Path:
    account, format = Account(), FORMATS["csv"]
    options = format.options()
    path = folder / "people.csv.gz"
    write_file(export_chunks(TwoPeople(), PLAN, format, options, compression="gzip", account=account), path)
    write_manifest(manifest_of(account, PLAN, format, options, file=path.name, compression="gzip"), folder)
    return path


def test_a_manifest_says_what_is_in_the_file(tmp_path: Path) -> None:
    path = written(tmp_path)
    manifest = json.loads((tmp_path / "people.csv.gz.manifest.json").read_text())
    assert manifest["rows"] == 2
    assert manifest["bytes"] == path.stat().st_size
    assert manifest["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert manifest["guarded"] == 1
    assert manifest["snapshot_at"] == "2026-05-02T00:00:00Z"
    assert manifest["sort"] == ["-name"]
    assert manifest["filter"] == {"field": "createdAt", "op": "gte", "values": ["2026-05-01T00:00:00Z"]}
    assert [(c["name"], c["label"], c["masked"]) for c in manifest["columns"]] == [
        ("name", "Name", False),
        ("taxId", "Tax number", True),
    ]


def test_a_whole_file_verifies(tmp_path: Path) -> None:
    assert verify_file(written(tmp_path))["dataset"] == "people"


def test_a_cut_file_does_not_verify(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Conflict, match="bytes"):
        verify_file(path)


def test_a_changed_byte_does_not_verify(tmp_path: Path) -> None:
    path = written(tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(Conflict, match="changed"):
        verify_file(path)


def test_without_a_manifest_there_is_nothing_to_hold_it_against(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "people.csv.gz.manifest.json").unlink()
    with pytest.raises(NotFound, match="manifest"):
        verify_file(path)


def test_something_else_under_the_manifests_name_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "people.csv.gz.manifest.json").write_text("[]")
    with pytest.raises(Conflict, match="not a manifest"):
        verify_file(path)
