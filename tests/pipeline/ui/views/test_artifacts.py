"""The page of an artifact, of whatever type, and its files."""

import os
import pathlib

import pytest
import sqlalchemy as sa

from millrace.components.artifacts import Examples, Model, Plots
from millrace.pipeline import lineage
from millrace.pipeline.ui.views.artifacts import inside
from tests.pipeline.ui.conftest import served


@pytest.fixture
def plots(shelf):
    def write(artifact):
        (artifact.path / "roc.png").write_bytes(b"\x89PNG")
        (artifact.path / "below").mkdir()
        (artifact.path / "below" / "a note.txt").write_text("<b>")
        (artifact.path / "page.html").write_text("<script>")

    number = shelf.add(Plots, "draw", write)
    (pathlib.Path(shelf.root.artifact("draw", "first")) / "out").symlink_to("/etc")
    return number


def test_an_artifact_says_what_it_is_and_where_it_came_from(toy, pages):
    result = toy.run()
    with toy.store.session() as session:
        examples = lineage.find_artifact(session, str(result.output(Examples).path)).id
        model = lineage.find_artifact(session, str(result.output(Model).path)).id
    shown = pages.json(f"artifacts/{examples}")
    assert (shown["type"], shown["step"], shown["run"]) == ("Examples", "read", result.run)
    assert shown["properties"] == {"train": 3, "rejected": 0}
    assert shown["size"] == sum(file["size"] for file in shown["files"])
    assert [(each["role"], each["name"]) for each in shown["made_of"]] == [("source", "data")]
    assert {each["step"] for each in shown["used_by"]} == {"count", "train"}
    assert f"/mill/artifacts/{model}" in {each["page"] for each in shown["used_by"]}
    page = pages.get(f"artifacts/{examples}")
    assert f'<a href="/mill/runs/{result.run}">' in page
    assert f'<a href="/mill/artifacts/{examples}/files/text">text</a>' in page


def test_what_cannot_be_read_is_said_on_the_page_itself(shelf, pages):
    number = shelf.examples(train=[{"x": 1.0}])
    (file,) = shelf.root.artifact("read", "first").glob("Split-train/*")
    file.write_bytes(b"no records")
    shown = pages.json(f"artifacts/{number}")
    assert "expected a TFRecord file" in shown["problem"]
    assert shown["step"] == "read"
    shelf.root.artifact("read", "first").rmtree()
    assert "Received: nothing there" in pages.json(f"artifacts/{number}")["problem"]
    assert "Received: nothing there" in pages.get(f"artifacts/{number}")


@pytest.mark.parametrize("path", ["artifacts/77", "artifacts/x", "artifacts/77/files/a"])
def test_an_artifact_that_is_not_there_is_a_page_that_says_so(toy, pages, path):
    status, _, text = pages.ask("GET", f"/mill/{path}")
    assert status == 404
    assert "expected a" in text


def test_a_file_is_shown_where_it_can_do_no_harm_and_else_saved(plots, pages):
    status, headers, text = pages.ask("GET", f"/mill/artifacts/{plots}/files/below/a%20note.txt")
    assert (status, text, headers["Content-Type"]) == (200, "<b>", "text/plain; charset=utf-8")
    assert "Content-Disposition" not in headers
    _, headers, _ = pages.ask("GET", f"/mill/artifacts/{plots}/files/page.html")
    assert headers["Content-Disposition"] == 'attachment; filename="page.html"'
    assert (
        "sandbox" in headers["Content-Security-Policy"]
        or "default-src 'none'" in (headers["Content-Security-Policy"])
    )


@pytest.mark.parametrize(
    "path",
    [
        "..%2F..%2F..%2Fmillrace.db",
        "..%2fdraw%2F..%2F..%2F..%2Fmillrace.db",
        "%2Fetc%2Fpasswd",
        "out/passwd",
        "below",
        "nothing.txt",
        "a%00b",
    ],
)
def test_nothing_outside_of_an_artifact_is_read(plots, pages, path):
    status, _, text = pages.ask("GET", f"/mill/artifacts/{plots}/files/{path}")
    assert (status, "there is no file" in text) == (404, True)


def test_a_file_by_itself_is_the_only_one_in_its_artifact(tmp_path):
    folder = os.path.realpath(tmp_path)
    file = type(tmp_path)(folder) / "data.csv"
    file.write_text("a")
    assert inside(file, "data.csv") == file
    assert inside(file, "../data.csv") is None
    assert inside(file.parent, "data.csv") == file


def test_pictures_are_shown_with_what_they_are(plots, pages):
    page = pages.get(f"artifacts/{plots}")
    assert f'<img src="/mill/artifacts/{plots}/files/roc.png"' in page
    assert "ROC curve: of each class the share found" in page


def test_an_artifact_of_another_root_in_the_same_database_is_not_shown(toy, tmp_path, monkeypatch):
    from millrace.pipeline.root import Root

    toy.run()
    other = Root(tmp_path / "other")
    other.path.mkdir()
    monkeypatch.setenv("MILLRACE_STORE", toy.root.store_url)
    with served(toy.root, other) as pages:
        assert pages.ask("GET", "/mill/artifacts/1")[0] == 200
        assert pages.ask("GET", "/other/artifacts/1")[0] == 404


def test_a_page_asks_the_store_as_often_however_many_runs_reused_the_artifact(toy, pages):
    result, asked = toy.run(), []
    with toy.store.session() as session:
        number = lineage.find_artifact(session, str(result.output(Examples).path)).id

    def keep(_connection, _cursor, statement, *_rest):
        asked.append(statement)

    def count():
        asked.clear()
        pages.get(f"artifacts/{number}")
        return len(asked)

    sa.event.listen(sa.Engine, "before_cursor_execute", keep)
    try:
        once = count()
        for _ in range(3):
            toy.run()
        assert count() == once > 0
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", keep)
