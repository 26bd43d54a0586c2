"""An app database that is not there: an export on the command line asks for no key and leaves no file."""

import sqlalchemy as sa

from offtake.appdb.database import AppDb


def absent_appdb() -> AppDb:
    """Without tables: whatever asks it for something fails."""
    return AppDb(sa.create_engine("sqlite://"))
