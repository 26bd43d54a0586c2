"""A table that never rests, and by which it shows whether rows were read at one moment.

Every transaction moves an amount between two rows, so the sum stays; replaces a row by one with a new id, so the number
of rows stays; and gives the two stamped rows the same new stamp. Rows of two moments show in at least one of the three.
"""

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg

ROWS = 20_000
EACH = 1_000_000
STAMPED = (1, 2)
REPLACED_FROM = ROWS // 2  # of the rows before, only the values change
PAUSES = 10  # in a read of the whole table, so that it takes a while without keeping the processors busy

MAKE = f"""
CREATE TABLE ledger (id bigint PRIMARY KEY, amount bigint NOT NULL, stamp bigint NOT NULL, note text NOT NULL);
INSERT INTO ledger SELECT n, {EACH}, 0, md5(n::text) FROM generate_series(1, {ROWS}) n;
CREATE SEQUENCE ids START {ROWS + 1};
"""
# Reading it all takes about a second.
SQL = f"SELECT id, amount, stamp, note FROM ledger WHERE id % {ROWS // PAUSES} <> 0 OR pg_sleep(0.1) IS NOT NULL"

REPLACE = f"""
WITH start AS (SELECT %s * (last_value - {REPLACED_FROM}) + {REPLACED_FROM} AS id FROM ids),
     one AS (SELECT l.id FROM ledger l, start s WHERE l.id >= s.id ORDER BY l.id LIMIT 1),
     gone AS (DELETE FROM ledger WHERE id = (SELECT id FROM one) RETURNING *)
INSERT INTO ledger SELECT nextval('ids'), amount, stamp, note FROM gone
"""

Row = tuple[int, int, int]  # id, amount, stamp


def make_ledger(url: str) -> None:
    """The table in that PostgreSQL, at rest."""
    with psycopg.connect(url) as connection:
        connection.execute(MAKE.encode())


@contextmanager
def changing(url: str) -> Iterator[list[int]]:
    """The table changes for as long as the block runs, server restarts aside; gives how often, in a list of one."""
    over, changes = threading.Event(), [0]

    def write() -> None:
        while not over.is_set():
            with suppress(psycopg.OperationalError, psycopg.InterfaceError), psycopg.connect(url) as connection:
                while not over.wait(0.01):
                    _change(connection)
                    changes[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield changes
    finally:
        over.set()
        writer.join()


def _change(connection: psycopg.Connection) -> None:
    amount, (giver, taker) = random.randint(1, EACH), random.sample(range(3, REPLACED_FROM), 2)
    with connection.transaction():
        for id_, change in ((giver, -amount), (taker, amount)):
            connection.execute("UPDATE ledger SET amount = amount + %s WHERE id = %s", (change, id_))
        connection.execute("UPDATE ledger SET stamp = stamp + 1 WHERE id = ANY(%s)", (list(STAMPED),))
        connection.execute(REPLACE.encode(), (random.random(),))


def check_moment(rows: Sequence[Row]) -> None:
    """Fail unless these are all rows of one moment."""
    assert len(rows) == ROWS
    assert len({id_ for id_, _, _ in rows}) == ROWS
    assert sum(amount for _, amount, _ in rows) == ROWS * EACH
    stamps = {stamp for id_, _, stamp in rows if id_ in STAMPED}
    assert len(stamps) == 1, stamps
