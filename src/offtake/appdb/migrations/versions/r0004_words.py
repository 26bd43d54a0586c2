"""What a snapshot's pages want is kept like everybody's scopes: words in one column, where it was JSON."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
SNAPSHOTS = sa.table("snapshots", sa.column("id", sa.Text), sa.column("needs", sa.Text))


def upgrade() -> None:
    """Write the words of each."""
    rows = op.get_bind().execute(sa.select(SNAPSHOTS.c.id, SNAPSHOTS.c.needs)).all()
    for id_, needs in rows:
        op.execute(SNAPSHOTS.update().where(SNAPSHOTS.c.id == id_).values(needs=" ".join(json.loads(needs))))


def downgrade() -> None:
    """Write the JSON again."""
    rows = op.get_bind().execute(sa.select(SNAPSHOTS.c.id, SNAPSHOTS.c.needs)).all()
    for id_, needs in rows:
        op.execute(SNAPSHOTS.update().where(SNAPSHOTS.c.id == id_).values(needs=json.dumps(needs.split())))
