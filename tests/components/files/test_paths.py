"""Paths of this machine, and what is refused before anything is looked for."""

import re

import pytest

from millrace.components.files.paths import check


@pytest.mark.parametrize(
    "path",
    [".", "/", "a/b.csv", "~/x", "a:b", "tfds:mnist", "C:", "1:/2", "x:/y"],
)
def test_paths_of_this_machine_are_let_through(path):
    assert check(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "s3://bucket/x",
        "S3://b",
        "gs://b/x",
        "hdfs://node/x",
        "memory://x",
        "https://h/x",
        "s3:/b/x",
    ],
)
def test_urls_are_refused_by_name_with_what_to_do(path):
    message = (
        f"expected a path on this machine. Received: {path!r}, a URL. Copy it here first; what can "
        "lie in an object store is --data and --root."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check(path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("file:///a/b", r"Received: 'file:///a/b', a URL\. Give /a/b instead\."),
        ("x://y", r"Received: 'x://y', like a URL\. If it is a path, give 'x:/y'\."),
        ("./s3:///b://c", r"Received: './s3:///b://c', like a URL\. If .*, give './s3:/b:/c'\."),
        ("caf\udce9", r"Received: 'caf\\xe9', which is not UTF-8\. Rename it\."),
        ("", r"Received: ''\. Correct it\."),
        ("a\0b", r"Received: 'a\\x00b'\. Correct it\."),
    ],
)
def test_what_names_nothing_is_refused(path, message):
    with pytest.raises(ValueError, match=message):
        check(path)
