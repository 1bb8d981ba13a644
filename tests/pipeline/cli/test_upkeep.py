"""Runs are tagged and stopped, for people and for programs."""

import json


def test_a_run_is_tagged_and_noted_and_listed_by_its_tag(toy, millrace):
    first, second = toy.run().run, toy.run("train.epochs=2").run
    at = ("--root", toy.root.path)
    tagged = millrace(f"tag {first[:-2]} keep good --note", "to keep", *at)
    assert tagged == (0, f"{first}: good, keep\nto keep\n", "")
    _, out, _ = millrace("runs --tag good --tag keep --json", *at)
    (shown,) = json.loads(out)
    assert (shown["run"], shown["tags"], shown["note"]) == (first, ["good", "keep"], "to keep")
    lines = millrace("runs", *at)[1].splitlines()
    assert lines[0].split("\t")[-1] == "tags"
    assert [line.split("\t")[::5] for line in lines[1:]] == [[second, ""], [first, "good, keep"]]
    assert millrace(f"show {first}", *at)[1].splitlines()[1:3] == [
        "tags     good, keep",
        "note     to keep",
    ]
    assert json.loads(millrace("show latest --json", *at)[1])["tags"] == []


def test_tags_are_taken_away_and_an_empty_note_is_none(toy, millrace):
    run = toy.run().run
    at = ("--root", toy.root.path)
    millrace("tag latest keep good --note x", *at)
    code, out, _ = millrace("tag latest good --remove --note", "", "--json", *at)
    assert (code, json.loads(out)) == (0, {"run": run, "tags": ["keep"], "note": ""})
    assert millrace("tag latest keep --remove", *at)[1] == f"{run}: no tags\n"


def test_a_word_that_can_be_no_tag_is_refused(toy, millrace):
    toy.run()
    code, _, err = millrace("tag latest", "a b", "--root", toy.root.path)
    assert code == 2
    assert err.startswith("millrace: Tag 'a b': expected a word of letters")


def test_a_run_that_has_ended_cannot_be_stopped(toy, millrace):
    run = toy.run().run
    assert millrace("stop latest", "--root", toy.root.path) == (
        2,
        "",
        f"millrace: Run {run}: expected one that is at work. Received: done. `millrace runs` lists "
        "them.\n",
    )


def test_what_can_go_is_said_and_goes_when_it_is_asked_for(toy, millrace):
    runs = []
    for text in ("a", "ab", "abc"):
        (toy.data / "a.txt").write_text(text)
        runs.append(toy.run().run)
    at = ("--root", toy.root.path)
    code, out, _ = millrace("gc --keep 1", *at)
    lines = out.splitlines()
    assert (code, lines[0]) == (0, "what\tmodel\trun\tfolders\tsize")
    assert [line.split("\t")[:4] for line in lines[1:3]] == [
        ["output", "toy", runs[1], "2"],
        ["output", "toy", runs[0], "5"],
    ]
    size = sum(one["bytes"] for one in json.loads(millrace("gc --keep 1 --json", *at)[1])["found"])
    assert lines[3:] == [
        f"can go   7 folders, {size} B: `millrace gc --yes` removes them",
        "kept     7 outputs of the newest run of each model",
        "kept     1 outputs of the last blessed models",
    ]
    assert (toy.root.path / "artifacts" / "read" / runs[0]).exists()
    out = millrace("gc --keep 1 --yes", *at)[1]
    assert f"removed  7 folders, {size} B; a run that needs them makes them again\n" in out
    assert not (toy.root.path / "artifacts" / "read" / runs[0]).exists()
    assert millrace("gc --keep 1", *at)[1].startswith("can go   nothing\n")
    assert json.loads(millrace("gc --json", *at)[1])["found"] == []
