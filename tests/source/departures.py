"""A program: leave a half-read PostgreSQL COPY N times, each at a random moment and in one of four ways."""

import random
import sys
import threading
import time
from contextlib import closing

from offtake.errors import Cancelled
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, Plan
from offtake.model.ports import SourceSpec, Stop
from offtake.source.postgres import PostgresSource

SQL = "SELECT i AS id, repeat(md5(i::text), 1 + i % 20) AS label FROM (SELECT generate_series(1, 3000000) AS i) n"
FIELDS = (Field("id", FieldType.INTEGER, "id", "id"), Field("label", FieldType.STRING, "label", "label"))
PLAN = Plan(Dataset("many", "db", sql=SQL, fields=FIELDS), tuple(Column(field) for field in FIELDS))


def main(url: str, way: str, times: int, seed: int) -> None:
    """Raise if any departure takes over three seconds, or if a connection is missing from the pool afterwards."""
    chance = random.Random(seed)
    spec = SourceSpec("db", url, pool_size=2, pool_timeout_s=3)
    with closing(PostgresSource(spec, is_binary=way == "binary")) as source:
        for _ in range(times):
            stop = Stop()
            stream = source.read(PLAN, stop)
            departure = chance.choice(["close", "stop", "drop", "timer"])
            if departure == "timer":
                threading.Timer(chance.random() / 5, stop.set).start()
            try:
                for _ in range(chance.randrange(6)):
                    next(stream.batches)
                    time.sleep(chance.random() / 50)
            except Cancelled:
                pass
            left = time.monotonic()
            if departure == "stop":
                stop.set()
            if departure == "drop":
                del stream
            else:
                stream.close()
            assert time.monotonic() - left < 30, departure
        for _ in range(2):
            source.ping()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
