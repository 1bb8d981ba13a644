"""The database behind the store: older ones brought up to date, each error told as what it is."""

import os
import pathlib
import shutil
import sqlite3
import tempfile
import threading

import pytest
import sqlalchemy as sa
from etils.epath import Path
from sqlalchemy.orm import Session

from millrace.pipeline import database
from millrace.pipeline.errors import StoreError
from millrace.pipeline.records import ArtifactRecord, EventRecord, RunRecord, now
from millrace.pipeline.store import Store
from tests.pipeline import toys

NOBODY = 65534
BACK = {  # from each version to the one before
    6: ("DROP INDEX events_of_artifact",),
    5: ("DROP TABLE tag", "ALTER TABLE run DROP COLUMN note"),
    4: ("DROP TABLE lease",),
    3: ("ALTER TABLE run DROP COLUMN lease",),
}
OLD = (
    "DROP INDEX one_artifact_per_content",
    "ALTER TABLE artifact DROP COLUMN files",
    "ALTER TABLE artifact DROP COLUMN suspect",
    "DROP TABLE store_version",
)


def change(file, *statements):
    """Do to the SQLite file what only another program would."""
    connection = sqlite3.connect(file)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def refused(url):
    """What a person reads who opens the store at `url`."""
    with pytest.raises(StoreError) as error:
        Store.open(url)
    text = str(error.value)
    assert len(text.splitlines()) == 1
    return text


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "x.db"
    Store.open(f"sqlite:///{file}").engine.dispose()
    return file


def test_an_older_store_is_brought_up_to_date_and_its_cache_still_answers(toy):
    toy.run()
    toy.store.engine.dispose()
    change(toy.root.store_file, *OLD)
    toy.store = Store.open(toy.root.store_url)
    toy.run()
    assert toys.CALLS == []
    toy.run("read.upper=true")
    with toy.store.session() as session:
        files = [record.files for record in session.scalars(sa.select(ArtifactRecord))]
    assert files[:6] == [None] * 6
    assert set(files[6][""]) == {"examples.json", "rejected.jsonl", "text"}


@pytest.mark.parametrize("version", range(1, 6))
def test_runs_of_a_store_of_any_older_version_can_be_tagged_and_noted(toy, version):
    run = toy.run().run
    toy.store.engine.dispose()
    back = [each for number in BACK if number > version for each in BACK[number]]
    number = f"UPDATE store_version SET version = {version}"  # noqa: S608
    change(toy.root.store_file, *back, *(OLD if version == 1 else [number]))
    store = Store.open(toy.root.store_url)
    store.tag(run, ["keep"], note="as it was")
    toy.store.engine.dispose()
    store = Store.open(toy.root.store_url)
    with store.session() as session:
        assert store.tags(session) == {run: ["keep"]}
        (record,) = store.runs(session, ["keep"])
        assert (record.note, record.lease) == ("as it was", None)
        assert session.scalars(sa.text("SELECT max(version) FROM store_version")).one() == 6


def test_a_source_that_an_older_version_recorded_twice_becomes_one(toy):
    toy.run()
    toy.store.engine.dispose()
    change(
        toy.root.store_file,
        *OLD,
        "INSERT INTO artifact SELECT 99, type, uri, digest, properties, created FROM artifact "
        "WHERE type = 'RawFiles'",
        "UPDATE event SET artifact_id = 99 WHERE name = 'source'",
    )
    store = Store.open(toy.root.store_url)
    with store.session() as session:
        (source,) = store.of_type(session, "RawFiles")
        (event,) = session.scalars(sa.select(EventRecord).where(EventRecord.name == "source"))
        assert event.artifact_id == source.id != 99
        again = ArtifactRecord(
            type=source.type, uri=source.uri, digest=source.digest, properties={}, created=now()
        )
    with pytest.raises(sa.exc.IntegrityError), store.session() as session:
        session.add(again)


def test_an_older_version_still_writes_to_a_store_that_is_up_to_date(file):
    change(
        file,
        "INSERT INTO artifact (type, uri, digest, properties, created) "
        "VALUES ('Model', '/m', 'd', '{}', '2026-01-01 00:00:00')",
    )
    store = Store.open(f"sqlite:///{file}")
    with store.session() as session:
        (record,) = store.of_type(session, "Model")
    assert (record.files, record.suspect) == (None, None)


def test_a_newer_store_is_left_alone(file):
    change(file, "UPDATE store_version SET version = 99")
    assert refused(f"sqlite:///{file}") == (
        f"Store sqlite:///{file}: expected to read and write it. Received: tables of version 99, "
        "where this millrace knows 6. A newer one wrote them: `pip install -U tf-millrace`, or "
        "give another --root."
    )


def test_tables_that_lack_a_column_are_told_and_no_space_is_asked_for(file):
    change(file, *OLD, "ALTER TABLE execution DROP COLUMN reasons")
    text = refused(f"sqlite:///{file}")
    assert "a table `execution` without a column `reasons`. The tables are not this" in text


def test_a_column_that_vanishes_later_is_told_too(file):
    store = Store.open(f"sqlite:///{file}")
    change(file, "ALTER TABLE run DROP COLUMN recipe")
    with pytest.raises(StoreError, match=r"no such column: run.recipe\. The tables are not"):
        _read(store)


def _read(store):
    with store.session() as session:
        return store.runs(session)


@pytest.mark.parametrize(
    ("url", "received", "fix"),
    [
        ("notaurl", "Could not parse", "Give sqlite:////ABSOLUTE/PATH.db or postgresql://"),
        ("", "Could not parse", "unset MILLRACE_STORE"),
        ("mysql://u:hush@h/d", "No module named 'MySQLdb'", "Give sqlite://"),
        ("oracel://u:hush@h/d", "Can't load plugin", "Give sqlite://"),
        ("postgresql://u:hush@h:port/d", "invalid literal for int", "Give sqlite://"),
    ],
)
def test_an_url_that_is_none_is_told_with_one_that_is_and_without_its_password(url, received, fix):
    text = refused(url)
    assert text.startswith(f"Store {url.replace('hush', '***')}: ")
    assert f"Received: {received}" in text
    assert fix in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("oracel://me:sec:hush@h/d", "oracel://me:***@h/d: "),
        ("oracel://h/d?password=hush", "oracel://h/d: "),
        ("postgresql://127.0.0.1:1/d?password=hush&connect_timeout=1", "127.0.0.1:1/d: "),
    ],
)
def test_no_password_is_told_wherever_it_stands(url, shown):
    pytest.importorskip("psycopg", reason="needs the driver of PostgreSQL")
    text = refused(url)
    assert shown in text
    assert "hush" not in text


def test_a_file_that_is_no_database_is_told_so(tmp_path):
    (tmp_path / "x.db").write_bytes(b"no database, " * 400)
    text = refused(f"sqlite:///{tmp_path / 'x.db'}")
    assert (
        "file is not a database. It is damaged, or not a database. Move it out of the way" in text
    )
    assert "pip install" not in text


def test_flipped_bytes_are_told_as_damage(toy):
    toy.run()
    toy.store.engine.dispose()
    content = bytearray(toy.root.store_file.read_bytes())
    for start in range(4096, len(content), 512):
        content[start : start + 8] = b"\xff" * 8
    toy.root.store_file.write_bytes(content)
    with pytest.raises(StoreError, match=r"malformed\. It is damaged\. Move it out of the way"):
        _read(Store.open(toy.root.store_url))


@pytest.mark.parametrize(
    ("column", "value", "received"),
    [
        ("arguments", "{", "a cell that is not JSON"),
        ("started", "long ago", "long ago"),
        ("recipe", b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_cell_that_cannot_be_read_is_told_as_damage(file, column, value, received):
    store = Store.open(f"sqlite:///{file}")
    store.begin_run(
        RunRecord(
            id="r", recipe="a", pipeline="b", root="/r", arguments={}, status="done", started=now()
        )
    )
    connection = sqlite3.connect(file)
    connection.execute(f"UPDATE run SET {column} = CAST(? AS TEXT)", [value])  # noqa: S608
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=rf"{received}.*It is damaged\. Move it"):
        _read(store)


def test_an_error_of_ones_own_within_a_session_stays_what_it_is(file):
    store = Store.open(f"sqlite:///{file}")
    with pytest.raises(ValueError, match="my own"), store.session():
        raise ValueError("my own")


def test_a_locked_store_names_the_lock(file, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)
    other = sqlite3.connect(file)
    other.execute("BEGIN IMMEDIATE")
    assert "database is locked. Another process has kept it locked for 60 s" in refused(
        f"sqlite:///{file}"
    )
    other.close()


def test_a_row_that_is_no_longer_there_is_not_taken_for_damage(toy):
    with pytest.raises(StoreError) as caught:
        toy.store.finish_run("gone", "done")
    assert str(caught.value) == (
        f"Store {toy.root.store_url}: expected to read and write it. Received: no row where one "
        "was: somebody has removed it meanwhile. Run the command again."
    )


def test_a_question_of_the_servers_ends_as_one():
    error = database._error("s", "Is the server running and accepting connections?", "See it.")
    assert str(error).endswith("Received: Is the server running and accepting connections? See it.")


def test_a_full_disk_is_told_as_one(file):
    store = Store.open(f"sqlite:///{file}")
    with (
        pytest.raises(StoreError, match=r"disk is full\. Free some space on its disk"),
        store.session() as session,
    ):
        _fill(session.connection())


def _fill(connection):
    connection.exec_driver_sql("PRAGMA max_page_count = 1")
    connection.exec_driver_sql("CREATE TABLE big AS SELECT zeroblob(1 << 20)")


def test_a_folder_in_the_files_place_is_told(tmp_path):
    (tmp_path / "x.db").mkdir()
    assert "unable to open database file. Expected a file in a folder" in refused(
        f"sqlite:///{tmp_path / 'x.db'}"
    )


@pytest.fixture
def nobody():
    """Within it this process may not write to `folder`, where it could otherwise."""
    folder = pathlib.Path(tempfile.mkdtemp())
    store = Store.open(f"sqlite:///{folder}/x.db")
    store.engine.dispose()
    folder.chmod(0o555)
    (folder / "x.db").chmod(0o444)
    if os.geteuid() == 0:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield folder
    finally:
        if os.getresuid()[2] == 0:
            os.setresuid(0, 0, 0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_store_that_may_only_be_read_is_read_and_says_so_when_it_is_written(nobody):
    store = Store.open(f"sqlite:///{nobody}/x.db")
    assert _read(store) == []
    with pytest.raises(StoreError, match=r"readonly database\. It can be read but not written"):
        store.source(Path(nobody), "RawFiles")
    store.engine.dispose()
    assert sorted(each.name for each in nobody.iterdir()) == ["x.db"]


def test_a_store_that_somebody_else_has_open_is_read_up_to_what_they_wrote_last(nobody):
    if os.getresuid()[2] != 0:
        pytest.skip("needs a second user, to whom only root can change")
    os.setresuid(0, 0, 0)
    writer = Store.open(f"sqlite:///{nobody}/x.db")
    run = RunRecord(
        id="r", recipe="a", pipeline="b", root="/r", arguments={}, status="done", started=now()
    )
    writer.begin_run(run)
    os.setresuid(NOBODY, NOBODY, 0)
    reader = Store.open(f"sqlite:///{nobody}/x.db")
    assert [each.id for each in _read(reader)] == ["r"]
    reader.engine.dispose()
    os.setresuid(0, 0, 0)
    writer.engine.dispose()


def test_an_older_store_that_may_only_be_read_says_how_it_is_brought_up_to_date(nobody):
    if os.getresuid()[2] != 0:
        pytest.skip("needs a second user, to whom only root can change")
    os.setresuid(0, 0, 0)
    change(nobody / "x.db", *OLD)
    os.setresuid(NOBODY, NOBODY, 0)
    assert "tables of version 1, not 6, and no right to write. Run any command once" in refused(
        f"sqlite:///{nobody}/x.db"
    )


def test_a_source_that_another_run_records_meanwhile_is_that_one(toy, monkeypatch):
    first = toy.store.source(Path(toy.data), "RawFiles")
    scalars, blind = Session.scalars, [True]

    def not_yet(self, query):
        result = scalars(self, query)
        if blind and "FROM artifact" in str(query):
            blind.clear()
            return type("Nothing", (), {"first": lambda _: None})()
        return result

    monkeypatch.setattr(Session, "scalars", not_yet)
    assert toy.store.source(Path(toy.data), "RawFiles").id == first.id
    assert blind == []


def test_runs_at_once_open_an_empty_server_and_record_a_source_once(postgresql, toy):
    start, stores, records = threading.Barrier(8, timeout=60), [], []

    def run():
        start.wait()
        stores.append(Store.open(postgresql))
        start.wait()
        records.append(stores[0].source(Path(toy.data), "RawFiles").id)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(records) == 8
    assert len(set(records)) == 1
    toy.store = stores[0]
    toy.run()
    toy.run()
    assert toys.CALLS == []
    for store in stores:
        store.engine.dispose()


@pytest.mark.parametrize(
    ("change", "received"),
    [
        ({"database": "none"}, 'database "none" does not exist'),
        ({"username": "none"}, 'role "none" does not exist'),
        ({"query": {"host": "/none"}}, "No such file or directory"),
    ],
)
def test_a_server_that_does_not_let_one_in_is_told(postgresql, change, received):
    url = sa.make_url(postgresql).set(**change)
    text = refused(url.render_as_string(hide_password=False))
    assert received in text
    assert text.endswith("correct host, user or database in MILLRACE_STORE.")
