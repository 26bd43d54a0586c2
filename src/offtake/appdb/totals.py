"""Sums over everything that ever finished: what Prometheus counts, kept where every process can add to it."""

from collections.abc import Mapping

import sqlalchemy as sa

from offtake.appdb.database import AppDb, insert_into
from offtake.appdb.tables import TOTALS


def add_totals(connection: sa.Connection, amounts: Mapping[str, float]) -> None:
    """Add to the sums within an open transaction. Always in one order, so that two transactions cannot deadlock."""
    for name in sorted(amounts):
        insert = insert_into(connection, TOTALS).values(name=name, value=amounts[name])
        total = TOTALS.c.value + insert.excluded.value
        connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"value": total}))


def read_totals(db: AppDb) -> Mapping[str, float]:
    """Every sum by its name."""
    with db.read() as connection:
        return {row.name: row.value for row in connection.execute(sa.select(TOTALS))}
