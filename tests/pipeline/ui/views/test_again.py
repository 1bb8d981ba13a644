"""A run again with changes."""

import pytest

from millrace.pipeline import starting
from millrace.pipeline.cli import recorded
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import RunRecord, now
from millrace.pipeline.ui.views import again

COMMAND = "millrace run digits --set trainer.epochs=8 --set trainer.model.filters=16 --root /old"


@pytest.fixture(autouse=True)
def _recorded(toy):
    columns = {"recipe": "digits", "pipeline": "digits", "root": toy.root.name, "status": "done"}
    made = {"folder": "/somewhere"}
    arguments = {"command": COMMAND, "data": None, "made_with": made}
    toy.store.begin_run(
        RunRecord(id="r1", started=now(), ended=now(), arguments=arguments, **columns)
    )


@pytest.fixture
def started(monkeypatch):
    """The words and folders of the runs that were started."""
    found = []

    def start(store, root, words, *, folder):
        found.append((words, folder))
        return "r2"

    monkeypatch.setattr(starting, "start", start)
    return found


def _post(pages, **fields):
    fields = {name.replace("__", ":").replace("_0_", "."): text for name, text in fields.items()}
    return pages.post("runs/r1/again", "runs/r1/again", **fields)


def _rows(pages):
    groups = pages.json("runs/r1/again")["groups"]
    return {row["option"]: row for group in groups for row in group["rows"]}


def test_each_option_has_a_field_of_its_type_with_what_the_run_had(pages):
    rows = _rows(pages)
    epochs = rows["trainer.epochs"]
    assert (epochs["value"], epochs["default"]) == ("8", "15")
    assert epochs["number"] == {"whole": True, "least": 1, "most": 2**31 - 1}
    assert rows["trainer.deterministic"]["choices"] == ["true", "false"]
    assert "dropout" in "".join(rows)
    text = pages.get("runs/r1/again")
    assert 'name="set:trainer.epochs" value="8" type="number" step="1" min="1"' in text
    assert "passes over the train split" in text


@pytest.mark.parametrize(
    ("held", "value"), [("", None), (" --set trainer.model.held=batch_size", "batch_size")]
)
def test_what_follows_from_other_options_is_a_field_only_if_it_was_set(toy, pages, held, value):
    with toy.store.session() as session:
        run = session.get_one(RunRecord, "r1")
        command = f"millrace run digits --set trainer.model=auto{held}"
        run.arguments = {**run.arguments, "command": command}
    rows = _rows(pages)
    assert rows["trainer.model.averaged"]["value"] == "3"
    assert rows.get("trainer.model.held", {}).get("value") == value


def test_only_what_was_changed_goes_into_the_command(toy, pages, started):
    fields = {f"set:{place}": row["value"] for place, row in _rows(pages).items()}
    fields |= {"set:trainer.batch_size": "64"}
    status, headers, _ = pages.post("runs/r1/again", "runs/r1/again", **fields)
    assert (status, headers["Location"]) == (303, "/mill/runs/r2")
    (words, folder), *_ = started
    assert words == [
        *("run", "digits", "--set", "trainer.epochs=8", "--set", "trainer.batch_size=64"),
        *("--set", "trainer.model.filters=16", "--root", toy.root.name),
    ]
    assert folder == "/somewhere"


def test_what_is_set_to_its_default_again_is_left_out(pages, started):
    pages.post("runs/r1/again", "runs/r1/again", **{"set:trainer.epochs": "15"})
    assert "trainer.epochs=15" not in started[0][0]
    assert not any(word.startswith("trainer.epochs") for word in started[0][0])


def test_a_new_kind_comes_first_and_takes_what_was_set_within_the_old_one_away():
    command = recorded.read(COMMAND)
    rows = {
        name: {"default": None}
        for name in ("trainer.model", "trainer.model.filters", "trainer.epochs")
    }
    found = again.merged(command, rows, {"trainer.model": "dense"})
    assert list(found.items()) == [("trainer.epochs", "8"), ("trainer.model", "dense")]


def test_further_settings_and_a_forced_step_are_passed_on(pages, started):
    fields = {"others": "trainer.base=/m\r\n\r\n a.b=1 ", "force": "trainer"}
    pages.post("runs/r1/again", "runs/r1/again", **fields)
    words = started[0][0]
    assert words[-7:-2] == ["trainer.base=/m", "--set", "a.b=1", "--force", "trainer"]


def test_a_refusal_is_shown_with_what_was_typed(pages, monkeypatch):
    def refuse(*_, **__):
        raise UsageError("Option trainer.epochs: expected <more>.")

    monkeypatch.setattr(starting, "start", refuse)
    fields = {"set:trainer.epochs": "0", "force": "export", "others": "a=b"}
    status, _, text = pages.post("runs/r1/again", "runs/r1/again", **fields)
    assert status == 200
    assert "expected &lt;more&gt;." in text
    assert 'name="set:trainer.epochs" value="0"' in text
    assert "<option selected>export</option>" in text
    assert "a=b</textarea>" in text


def test_a_run_of_another_command_is_refused_with_the_fix(toy, pages):
    with toy.store.session() as session:
        session.get_one(RunRecord, "r1").arguments = {"command": "millrace.run('digits')"}
    status, _, text = pages.ask("GET", "/mill/runs/r1/again")
    assert status == 404
    assert "Type it again by hand" in text
