"""Marks in the audit of what went wrong while nobody was asking, within the transaction in which it did."""

from datetime import datetime
from typing import Any

import uuid_utils

from offtake.appdb.tables_saved import AUDIT


def insert_notice(connection: Any, *, at: datetime, tenant: str, action: str, thing: str, detail: str) -> None:
    """One row of the audit: that thing's action failed, and why."""
    row = {"id": str(uuid_utils.uuid7()), "at": at, "tenant": tenant, "action": action, "thing": thing}
    connection.execute(AUDIT.insert().values(**row, outcome="failed", detail=detail))
