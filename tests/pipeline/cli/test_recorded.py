"""A recorded command taken apart, wired again, and changed."""

import pytest

from millrace.pipeline import options
from millrace.pipeline.cli import recorded
from millrace.pipeline.recipes import catalog
from millrace.pipeline.root import Root

COMMAND = (
    "millrace run tabular --data 'a b.csv' --set trainer.epochs=4 --set trainer.model=dense "
    "--set trainer.epochs=5 --with rate_finder --from trainer --force trainer --name m "
    "--fail-on-anomaly --no-warm --root /old --json -- --direct_num_workers=2"
)


@pytest.fixture
def root(tmp_path):
    return Root(tmp_path)


def test_a_command_is_taken_apart():
    command = recorded.read(COMMAND)
    assert (command.recipe, command.data, command.name) == ("tabular", "a b.csv", "m")
    assert command.settings == {"trainer.epochs": "5", "trainer.model": "dense"}
    assert command.extras == ("rate_finder",)
    assert command.beam_flags == ("--direct_num_workers=2",)


def test_it_is_put_together_again_with_other_settings_and_another_root(root):
    words = recorded.read(COMMAND).words(
        root, {"trainer.seed": "1"}, force="pusher", more=("a.b=c",)
    )
    assert words == [
        *("run", "tabular", "--data", "a b.csv", "--name", "m", "--from", "trainer"),
        *("--fail-on-anomaly", "--no-warm", "--with", "rate_finder"),
        *("--set", "trainer.seed=1", "--set", "a.b=c", "--force", "pusher"),
        *("--root", root.name, "--", "--direct_num_workers=2"),
    ]
    again = recorded.read("millrace " + " ".join(words).replace("a b.csv", "ab.csv"))
    assert again.settings == {"trainer.seed": "1", "a.b": "c"}


def test_of_data_in_a_bucket_the_copy_is_looked_at(root, monkeypatch, tmp_path):
    monkeypatch.setenv("MILLRACE_SCRATCH", str(tmp_path))
    command = recorded.read("millrace run image-classifier --data s3://bucket/some")

    def first():
        return next(iter(recorded.wire(command, root, {}).steps))

    assert first() == "image_example_gen"
    (copy := tmp_path / "files" / "s3" / "bucket" / "some").mkdir(parents=True)
    (copy / "pixels.npz").touch()
    assert first() == "pixels_example_gen"


@pytest.mark.parametrize(
    "command",
    [
        "",
        "millrace",
        "millrace run",
        "millrace infer m",
        "millrace.run('digits')",
        "millrace run '",
        "millrace run digits --nothing-like-it",
    ],
)
def test_another_command_is_none(command):
    assert recorded.read(command) is None


def test_the_steps_are_wired_as_the_command_sets_them(root):
    dag = recorded.wire(recorded.read(COMMAND), root, {"trainer.epochs": "7"})
    assert dag.name == "m"
    assert dag.steps["trainer"].options["epochs"] == 7
    assert "rate_finder" in dag.steps


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("millrace run mine.py:wire", {}),
        ("millrace run nothing", {}),
        ("millrace run digits", {"trainer.nothing": "1"}),
    ],
)
def test_what_cannot_be_wired_without_a_persons_code_is_none(root, command, settings):
    assert recorded.wire(recorded.read(command), root, settings) is None


@pytest.mark.parametrize("name", catalog.RECIPES)
def test_the_text_of_each_option_of_each_recipe_is_read_as_the_same_value(name, root):
    from millrace.pipeline.ui.contents.run import text_of

    dag = catalog.RECIPES[name].wire(name, "data", root.serving)
    before = list(options.of_dag(dag))
    dag.configure({each.option: text_of(each) for each in before if each.value != options.REQUIRED})
    assert [each.value for each in options.of_dag(dag)] == [each.value for each in before]
