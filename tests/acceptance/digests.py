"""`python -m acceptance.digests HOME`: the SHA-256 of the first contacts in every format, as of a fixed moment."""

import hashlib
import json
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from offtake.app import build_runtime, close_runtime
from offtake.encode import FORMATS, parse_options
from offtake.engine.export import export_chunks
from offtake.model.access import Principal
from offtake.model.export import ExportRequest, Plan
from offtake.model.ports import RowStream, Source, Stop
from offtake.query.plan import plan_export
from offtake.settings import load_settings

NOON = datetime(2026, 11, 21, 12, 0, 1, tzinfo=UTC)


@dataclass(frozen=True)
class AtNoon:
    """A source whose snapshots are all of the same moment: the one clock a file may show."""

    source: Source

    def read(self, plan: Plan, stop: Stop) -> RowStream:
        """The source's rows."""
        return replace(self.source.read(plan, stop), snapshot_at=NOON)


def digests(home: Path) -> dict[str, str]:
    """By format; every one that has an About sheet or metadata shows it."""
    runtime = build_runtime(load_settings(home / "offtake.yaml"), with_appdb=False)
    dataset = runtime.datasets["contacts"]
    found = {}
    for name, format in FORMATS.items():
        wish = ExportRequest("contacts", format=name, limit=300, locale="es-CL", timezone="America/Santiago")
        plan = plan_export(dataset, wish, Principal("tester", tenant="acme", scopes=frozenset({"reports:read"})), NOON)
        options = parse_options(format, {"xlsx": {"about": True}, "json": {"meta": True}}.get(name, {}))
        digest = hashlib.sha256()
        for chunk in export_chunks(AtNoon(runtime.sources["demo"]), plan, format, options):  # type: ignore[arg-type]
            digest.update(chunk)
        found[name] = digest.hexdigest()
    close_runtime(runtime)
    return found


if __name__ == "__main__":
    print(json.dumps(digests(Path(sys.argv[1]))))
