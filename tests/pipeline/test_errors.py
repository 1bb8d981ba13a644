"""What a person is told of an exception: a line or two, never a traceback."""

import errno

import pytest
from etils.epath import Path

from millrace.components.errors import DataError, OptionError
from millrace.pipeline import steplog
from millrace.pipeline.errors import StoreError, UsageError, describe_error
from millrace.pipeline.store import Store
from millrace.serving import remote


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DataError("a: expected b. Received: c."), "a: expected b. Received: c."),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (KeyboardInterrupt(), "Interrupted."),
        (DataError(f"a: {'x' * 9_999}."), f"a: {'x' * 100}…{'x' * 59}."),
        (UsageError("no option `a\nb\r\n\tc`."), r"no option `a\nb\r\n\tc`."),
        (OptionError("a: expected b. Received: \n\n."), r"a: expected b. Received: \n\n."),
        (OSError(errno.ECHILD, "no child"), "ChildProcessError: [Errno 10] no child"),
        (
            OSError(errno.EACCES, "denied", "/data/x.csv"),
            "/data/x.csv: expected to read or write it. Received: denied. Grant this user the "
            "right to do so, or name another place (a root by --root).",
        ),
        (
            OSError(errno.ENOSPC, "No space left"),
            "Received: No space left. Free some space on that disk, or give another --root, or "
            "MILLRACE_SCRATCH where the root is in an object store.",
        ),
    ],
)
def test_an_exception_is_told_in_a_line(error, text):
    assert describe_error(error) == text


@pytest.mark.parametrize("kind", [DataError, ValueError])
def test_a_copy_is_told_by_the_url_of_what_it_is_a_copy_of(kind):
    error = kind(f"{remote.mirror('s3://lake/a.csv')}:3: expected a number.")
    assert describe_error(error).endswith("s3://lake/a.csv:3: expected a number.")


def test_a_folder_of_copies_that_cannot_be_written_is_told_by_its_variable(monkeypatch):
    monkeypatch.setenv("MILLRACE_SCRATCH", "/scratch")
    error = OSError(errno.EACCES, "denied", "/scratch/roots/s3/b/runs/1")
    assert describe_error(error) == (
        "MILLRACE_SCRATCH, /scratch: expected a folder for copies of what is in object stores. "
        "Received: denied (/scratch/roots/s3/b/runs/1). Grant this user the right to write there, "
        "or name another folder by MILLRACE_SCRATCH."
    )


def test_a_step_on_a_full_disk_ends_with_the_disks_error(capfd):
    with (
        pytest.raises(OSError, match="No space left on device"),
        steplog.capture(Path("/dev/full"), {"millrace.components"}, print),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "Traceback" not in capfd.readouterr().err


def test_a_store_that_cannot_be_written_says_so(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path}/x.db")
    with (
        pytest.raises(StoreError, match=r"expected to read and write it\. Received: no such table"),
        store.session() as session,
    ):
        session.connection().exec_driver_sql("SELECT * FROM missing")
    store.close()
