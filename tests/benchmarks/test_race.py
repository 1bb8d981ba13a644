"""When steps ran, as either tool's own records say, and inputs that do not change."""

import hashlib
import sqlite3

import pytest

from benchmarks.race import millrace_times, tfx_times
from benchmarks.race_inputs import write_pictures, write_table


@pytest.fixture
def database(tmp_path):
    def write(name, *statements):
        with sqlite3.connect(tmp_path / name) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
        return tmp_path

    return write


def test_the_times_of_millraces_steps_are_in_utc(database):
    root = database(
        "millrace.db",
        "CREATE TABLE execution (id, step, started, ended)",
        "INSERT INTO execution VALUES"
        " (1, 'analyze', '1970-01-01 00:00:10.500000', '1970-01-01 00:01:00')",
    )
    assert millrace_times(root) == {"analyze": (10.5, 60.0)}


def test_the_times_of_tfxs_components_go_by_their_class(database):
    root = database(
        "metadata.db",
        "CREATE TABLE Type (id, name)",
        "CREATE TABLE Execution"
        " (id, type_id, create_time_since_epoch, last_update_time_since_epoch)",
        "INSERT INTO Type VALUES (7, 'tfx.components.trainer.component.Trainer')",
        "INSERT INTO Execution VALUES (1, 7, 1500, 4250)",
    )
    assert tfx_times(root) == {"Trainer": (1.5, 4.25)}


def test_the_table_has_a_plain_header_and_the_same_rows_each_time(tmp_path):
    for name in ("once", "again"):
        write_table(tmp_path / name, 50)
    once, again = ((tmp_path / name / "data.csv").read_text() for name in ("once", "again"))
    assert once == again
    head, *lines = once.splitlines()
    assert head == "n0,n1,n2,n3,n4,n5,i0,i1,c0,c1,c2,label"
    assert len(lines) == 50
    assert {line.rpartition(",")[2] for line in lines} == {"0", "1"}


def test_the_pictures_are_the_same_each_time_as_files_and_as_records(tmp_path):
    digests = []
    for name in ("once", "again"):
        write_pictures(tmp_path / name, tmp_path / f"{name}-records", 12)
        files = sorted((tmp_path / name).glob("*/*.png"))
        assert [file.parent.name for file in files] == [*"001123456789"]
        whole = b"".join(file.read_bytes() for file in files)
        records = (tmp_path / f"{name}-records" / "data.tfrecord").read_bytes()
        digests.append(hashlib.sha256(whole + records).hexdigest())
    assert digests[0] == digests[1]
