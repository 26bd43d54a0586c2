"""The newest first, a page at a time."""

import sqlalchemy as sa

from offtake.appdb.newest import newest

THINGS = sa.Table("things", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("kind", sa.Text))


def pages(kind: str | None) -> list[list[int]]:
    """The ids of each page of two, of nine things of which every third is odd."""
    engine = sa.create_engine("sqlite://")
    found, before = [], None
    with engine.begin() as connection:
        THINGS.create(connection)
        connection.execute(THINGS.insert(), [{"id": n, "kind": "plain" if n % 3 else "odd"} for n in range(1, 10)])
        while page := connection.scalars(newest(THINGS.c.id, {THINGS.c.kind: kind}, before=before, limit=2)).all():
            found.append(list(page))
            before = page[-1]
    engine.dispose()
    return found


def test_pages_follow_one_another_without_a_gap() -> None:
    assert pages(None) == [[9, 8], [7, 6], [5, 4], [3, 2], [1]]


def test_a_wish_holds_on_every_page() -> None:
    assert pages("odd") == [[9, 6], [3]]
