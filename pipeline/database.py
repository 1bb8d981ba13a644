"""The database behind the store: opened by its URL, brought up to date, its errors explained.

The tables have a version, in the one row of `store_version`; without that table it is 1.

1: run, execution, event, artifact, file
2: artifact.files, artifact.suspect; one artifact per type, place and content
3: run.lease
4: lease
5: tag, run.note
6: an index of the events of an artifact

An older one is brought up to date in place: columns that may be empty are added, and a source that
was recorded twice becomes one. An older version of millrace still reads it. A file that cannot be
written to is opened for reading alone.
"""

import contextlib
import json
import os
import pathlib
import sqlite3
import urllib.parse
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from millrace.pipeline.errors import StoreError
from millrace.pipeline.records import (
    OF_ARTIFACT,
    ONE_PER_CONTENT,
    ArtifactRecord,
    EventRecord,
    Record,
)

VERSION = 6
BUSY_SECONDS = 60  # how long a writer waits for another before it gives up

_LOCK = 0x6D696C6C  # PostgreSQL's advisory lock while the tables are brought up to date
_ANEW = (
    "Move it out of the way and run again: artifacts and pushed models stay as they are, "
    "history and cache start over."
)
_OTHER = f"The tables are not this version's, nor an older one's. {_ANEW}"
_FULL = "Free some space on its disk."
_BUSY = (
    f"Another process has kept it locked for {BUSY_SECONDS} s: see what uses it, then try again."
)
_READ_ONLY = (
    "It can be read but not written: grant its user that right, or give another root with --root "
    "or MILLRACE_ROOT."
)
_OLDER = "Run any command once where it can be written to: that brings its tables up to date."
_UNREACHABLE = "See that the server runs, and correct host, user or database in MILLRACE_STORE."
_RIGHTS = "Grant its user the right to read and write the tables, or correct MILLRACE_STORE."
_URL = (
    "Give sqlite:////ABSOLUTE/PATH.db or postgresql://USER@HOST/DATABASE, or unset MILLRACE_STORE."
)
_GONE = "no row where one was: somebody has removed it meanwhile"
_UNKNOWN = "See what its server or disk reports, then try again."

# https://www.sqlite.org/rescode.html and postgresql.org/docs/current/errcodes-appendix.html: what
# the codes begin with, and the fix for each.
_FIXES = {
    "SQLITE_NOTADB": f"It is damaged, or not a database. {_ANEW}",
    "SQLITE_CORRUPT": f"It is damaged. {_ANEW}",
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": "Its disk is full or fails: free some space, or see the system's log.",
    "SQLITE_BUSY": _BUSY,
    "SQLITE_LOCKED": _BUSY,
    "SQLITE_READONLY": _READ_ONLY,
    "SQLITE_CANTOPEN": "Expected a file in a folder that can be written to; check the path.",
    "SQLITE_ERROR": _OTHER,
    "08": _UNREACHABLE,
    "25006": _READ_ONLY,
    "28": _UNREACHABLE,
    "3D": _UNREACHABLE,
    "42501": _RIGHTS,
    "42": _OTHER,
    "53100": _FULL,
    "53": "The server is short of something: see its log, then try again.",
    "55P03": _BUSY,
    "57": _UNREACHABLE,
    "40": "Others wrote at the same time. Try again.",
}


def connect(url: str) -> sa.Engine:
    """An engine for `url` (SQLAlchemy's form), with tables that are up to date.

    Raises:
        StoreError: it cannot be reached, or was written by a newer version or by something else.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        reading = {"creator": _reader(file)} if (file := _read_only_file(parsed)) else {}
        engine = sa.create_engine(parsed, json_deserializer=_from_json, **reading)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise _error(_hidden(url), error, _URL) from None
    except ModuleNotFoundError as error:
        needed = error.name == "psycopg"
        fix = "Run `pip install 'tf-millrace[postgresql]'`." if needed else _URL
        raise _error(_shown(parsed), error, fix) from None
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine, writes=not reading)
    try:
        with readable_errors(engine), engine.begin() as connection:
            _bring_up_to_date(connection, writes=not reading)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextlib.contextmanager
def readable_errors(engine: sa.Engine) -> Iterator[None]:
    """Turn what goes wrong with the database in the block into an error for a person.

    Raises:
        StoreError: in place of the driver's and SQLAlchemy's, but for a constraint's, on which
            the store relies.
    """
    try:
        yield
    except sa.exc.IntegrityError:
        raise
    except sa.exc.NoResultFound as error:
        raise _error(_shown(engine.url), _GONE, "Run the command again.") from error
    except (sa.exc.SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        cause = getattr(error, "orig", None) or error
        raise _error(_shown(engine.url), cause, _fix(cause)) from error
    except (ValueError, TypeError, LookupError) as error:
        if not isinstance(error, _UnreadableError) and not _is_from_sqlalchemy(error):
            raise
        raise _error(_shown(engine.url), error, _FIXES["SQLITE_CORRUPT"]) from error


def _shown(url: sa.URL) -> str:
    """`url` without what must not be read over somebody's shoulder."""
    return str(url.set(query={}))


def _hidden(text: str) -> str:
    """The same for a text that is not a URL, maybe because of the password in it."""
    scheme, parted, rest = text.partition("://")
    if not parted:
        return text
    known, at, place = rest.rpartition("@")
    user, secret, _ = known.partition(":")
    return f"{scheme}://{user}{secret and ':***'}{at}{place.partition('?')[0]}"


def _fix(cause: BaseException) -> str:
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    if "UTF-8" in str(cause):  # a text that a flipped byte has broken; SQLite has no code for it
        code = "SQLITE_CORRUPT"
    if code is None:  # PostgreSQL's driver has none where it could not connect
        return (
            _UNREACHABLE if isinstance(cause, Exception) and hasattr(cause, "sqlstate") else _OTHER
        )
    fits = [fix for start, fix in _FIXES.items() if code.startswith(start)]
    return fits[0] if fits else _UNKNOWN


def _error(place: str, cause: object, fix: str) -> StoreError:
    received = " ".join(str(cause).split()).rstrip(".")
    end = "" if received.endswith(("?", "!")) else "."
    expected = f"Store {place}: expected to read and write it."
    return StoreError(f"{expected} Received: {received}{end} {fix}")


def _is_from_sqlalchemy(error: BaseException) -> bool:
    """Whether `error` arose while SQLAlchemy made values of what the database had."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and str(place.tb_frame.f_globals["__name__"]).startswith("sqlalchemy")


class _UnreadableError(ValueError):
    """A cell of the database does not hold JSON."""


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _UnreadableError(f"a cell that is not JSON: {error}") from error


def _read_only_file(url: sa.URL) -> pathlib.Path | None:
    """The SQLite file that `url` names, if it is there and this process may only read it."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    file = pathlib.Path(url.database)
    may_write = os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
    return file if file.is_file() and not may_write else None


def _reader(file: pathlib.Path) -> Any:
    """What opens `file` for reading; see https://www.sqlite.org/wal.html#read_only_databases."""
    is_closed = not file.with_name(f"{file.name}-wal").exists()
    flags = "mode=ro&immutable=1" if is_closed else "mode=ro"
    address = f"file:{urllib.parse.quote(str(file))}?{flags}"
    return lambda: sqlite3.connect(address, uri=True, check_same_thread=False)


def _bring_up_to_date(connection: sa.Connection, *, writes: bool) -> None:
    """Create what is missing. One process at a time: SQLite's transactions write from the start.

    Raises:
        StoreError: the tables are a newer version's, or something else's.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    found = _version(connection)
    if found == VERSION:
        return
    if found > VERSION:
        raise _error(
            _shown(connection.engine.url),
            f"tables of version {found}, where this millrace knows {VERSION}",
            "A newer one wrote them: `pip install -U tf-millrace`, or give another --root.",
        )
    if not writes:
        received = f"tables of version {found}, not {VERSION}, and no right to write"
        raise _error(_shown(connection.engine.url), received, _OLDER)
    Record.metadata.create_all(connection)
    _add_columns(connection)
    _merge_twins(connection)
    ONE_PER_CONTENT.create(connection, checkfirst=True)
    OF_ARTIFACT.create(connection, checkfirst=True)
    connection.execute(sa.insert(_VERSIONS).values(version=VERSION))


_VERSIONS = sa.Table("store_version", Record.metadata, sa.Column("version", sa.Integer))


def _version(connection: sa.Connection) -> int:
    if not sa.inspect(connection).has_table(_VERSIONS.name):
        return 1
    return connection.scalar(sa.select(sa.func.max(_VERSIONS.c.version))) or 1


def _add_columns(connection: sa.Connection) -> None:
    """Add the columns that may be empty to tables that lack them."""
    inspector = sa.inspect(connection)
    for table in Record.metadata.sorted_tables:
        known = {column["name"] for column in inspector.get_columns(table.name)}
        for column in (each for each in table.columns if each.name not in known):
            if not column.nullable:
                raise _error(
                    _shown(connection.engine.url),
                    f"a table `{table.name}` without a column `{column.name}`",
                    _OTHER,
                )
            kind = column.type.compile(connection.dialect)
            connection.execute(sa.DDL(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}"))


def _merge_twins(connection: sa.Connection) -> None:
    """Make one of the artifacts that are the same: events name the first of them."""
    artifact, event = ArtifactRecord, EventRecord
    same = (artifact.type, artifact.uri, artifact.digest)
    groups = sa.select(sa.func.min(artifact.id), *same).group_by(*same).having(sa.func.count() > 1)
    for first, *values in connection.execute(groups).all():
        alike = sa.and_(*(column == value for column, value in zip(same, values, strict=True)))
        twins = connection.scalars(sa.select(artifact.id).where(alike, artifact.id != first)).all()
        moved = sa.update(event).where(event.artifact_id.in_(twins)).values(artifact_id=first)
        connection.execute(moved)
        connection.execute(sa.delete(artifact).where(artifact.id.in_(twins)))


def _tune_sqlite(engine: sa.Engine, *, writes: bool) -> None:
    """Let runs at once wait for one another instead of failing.

    Transactions take the write lock at once: one that reads first and writes later could
    not be made to wait (https://www.sqlite.org/rescode.html#busy_snapshot).
    """

    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy, not the driver, begins transactions
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        if writes:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
