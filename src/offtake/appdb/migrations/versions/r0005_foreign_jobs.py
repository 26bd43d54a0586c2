"""What foreign APIs say about export jobs: names, ids of their own, things to echo, recurrence."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
TEXTS = ("name", "sort_name", "words", "dialect", "external_id", "extra", "recurrence", "follower_id")


def upgrade() -> None:
    """Add their columns."""
    for name in TEXTS:
        op.add_column("jobs", sa.Column(name, sa.Text))
    op.add_column("jobs", sa.Column("modified_at", sa.DateTime(timezone=True)))
    op.create_index("jobs_of_dialect", "jobs", ["tenant", "dialect", "external_id"], unique=True)


def downgrade() -> None:
    """Drop them."""
    op.drop_index("jobs_of_dialect", "jobs")
    for name in (*TEXTS, "modified_at"):
        op.drop_column("jobs", name)
