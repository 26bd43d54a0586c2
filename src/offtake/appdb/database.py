"""Opening the app database: SQLite in one file, or PostgreSQL by URL; its tables brought up to date under a lock."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from offtake.errors import InvalidConfig, Unavailable

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x0FF7A4E  # any fixed number: PostgreSQL's advisory locks are named by one
BUSY_TIMEOUT_S = 10
KEPT_OPEN = 40  # as many as threads that answer: an open file costs nothing, opening it for each answer does


@dataclass(frozen=True)
class AppDb:
    """An open app database. Reads and writes are short; nothing streams from here."""

    engine: sa.Engine

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Where to ask, each question by itself. Raises Unavailable while the database does not answer.

        No transaction: to begin and end one would be two more ways to the database.
        """
        with telling_unavailable(), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that writes: on SQLite it takes the write lock at once, so it never fails half-way for it."""
        with telling_unavailable(), self._writing.begin() as connection:
            yield connection

    @cached_property
    def _reading(self) -> sa.Engine:
        return self.engine.execution_options(begin="")

    @cached_property
    def _writing(self) -> sa.Engine:
        is_file = self.engine.dialect.name == "sqlite"
        return self.engine.execution_options(begin="BEGIN IMMEDIATE" if is_file else "BEGIN")

    def answers(self) -> bool:
        """Whether the database does."""
        try:
            with self.read() as connection:
                connection.execute(sa.text("SELECT 1"))
        except (Unavailable, sa.exc.DBAPIError):  # the other kind: it answers, but is no database any more
            return False
        return True

    def close(self) -> None:
        """Let every connection go."""
        self.engine.dispose()


@contextmanager
def telling_unavailable() -> Iterator[None]:
    """The driver's own words for a lost connection, a server that restarts or a lock that never came free, as ours."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        raise Unavailable("The app database does not answer.", hint="Try again in a moment.") from error


def open_appdb(url: str) -> AppDb:
    """The app database at the URL, its tables up to date. Any number of processes may start at once.

    Raises InvalidConfig for a URL that is neither SQLite nor PostgreSQL, or where nothing lets us in.
    """
    parsed = _parse(url)
    with refusing_to_start("Is it running, and may this account create tables there?"):
        engine = _open_sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _open_postgres(parsed)
        try:
            if not _is_current(engine):
                _migrate(engine)
        except BaseException:
            engine.dispose()
            raise
    return AppDb(engine)


@contextmanager
def refusing_to_start(hint: str) -> Iterator[None]:
    """Whatever the driver says against bringing tables up to date, as InvalidConfig."""
    try:
        yield
    except (sa.exc.DBAPIError, OSError) as error:
        raise InvalidConfig("database: the app database does not answer, or does not let us in.", hint=hint) from error


def insert_into(connection: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that may say what becomes of a row that is there already.

    Ask with `returning` whether there was one: not every driver counts the rows of such a statement.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    inserting: postgresql.Insert | sqlite.Insert = dialect.insert(table)
    return inserting


def plain_url(url: str) -> str:
    """The same URL without the name of a driver, as other libraries read it."""
    parsed = _parse(url)
    kind = "sqlite" if parsed.get_backend_name() == "sqlite" else "postgresql"
    return parsed.set(drivername=kind).render_as_string(hide_password=False)


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InvalidConfig(
            "database: this is not a database URL.", hint="Try sqlite:///.offtake/offtake.db."
        ) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql", "postgres"):
        raise InvalidConfig(
            f"database: {parsed.get_backend_name()} cannot hold the app database.",
            hint="Use sqlite:///… for one machine or postgresql://… for many.",
        )
    return parsed


def _open_sqlite(url: sa.URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise InvalidConfig(
            "database: an app database in memory would forget every key.", hint="Try sqlite:///.offtake/offtake.db."
        )
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url.set(drivername="sqlite"), connect_args={"timeout": BUSY_TIMEOUT_S}, pool_size=KEPT_OPEN
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The driver's own BEGIN comes late and never around DDL; `_begin` sends it instead.
    connection.isolation_level = None
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    begin = connection.get_execution_options().get("begin", "BEGIN")
    if begin:
        connection.exec_driver_sql(begin)


def _open_postgres(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "application_name": "offtake"},
    )
    sa.event.listen(engine, "connect", _prepare_postgres)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare_postgres(connection: Any, _: Any) -> None:
    # Otherwise the driver begins a transaction for every question; `_begin` does where one is wanted.
    connection.autocommit = True


def _is_current(engine: sa.Engine) -> bool:
    """Whether the newest migration has been made: asked first, for what makes them takes 0.25 s to import."""
    newest = max(file.name for file in (MIGRATIONS / "versions").glob("r*.py"))
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return False
        made = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return made is not None and newest.startswith(f"r{made}_")


def _migrate(engine: sa.Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with _one_starter(engine), engine.connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _one_starter(engine: sa.Engine) -> Iterator[None]:
    """On SQLite a file lock: switching to WAL fails at once, without waiting, while another process does the same."""
    database = engine.url.database
    if engine.dialect.name != "sqlite" or database is None:
        yield
        return
    with _file_lock(Path(f"{database}.lock")):
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode = WAL")
        finally:
            raw.close()
        yield
