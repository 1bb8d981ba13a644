"""What a command refuses before it does anything."""

import pytest

from millrace.pipeline.cli.main import app
from millrace.pipeline.errors import UsageError

ODD = "caf\udce9"  # as a byte that is no UTF-8 arrives


def refusal(*arguments):
    """The text of the UsageError with which the command ends."""
    with pytest.raises(UsageError) as caught:
        app(list(arguments), standalone_mode=False)
    return str(caught.value)


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (("run", "mnist", "--data", "https://h/x"), "--data"),
        (("run", "digits", "--schema", "gs://h/x"), "--schema"),
        (
            ("run", "digits", "--set", "image_example_gen.source=gs://h/x"),
            "--set image_example_gen",
        ),
        (("run", "digits", "--root", "gs://h/x"), "Root"),
        (("infer", "digits", "--data", "nope://x"), "--data"),
        (("skew", "digits", "--log", "gs://h/x"), "--log"),
        (("backtest", "co2", "--data", "gs://h/{SPAN}"), "--data"),
    ],
)
def test_an_object_store_that_nothing_here_opens_is_refused_by_name(
    command, place, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    text = refusal(*command)
    assert text.startswith(f"{place}")
    assert "expected a path or an object store. Received: " in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (
            ("run", "mnist", "--set", "tfds_example_gen.data_dir=gs://h/x"),
            "Option tfds_example_gen",
        ),
        (("serve", "--log", "s3://h/x"), "--log"),
        (("predict", "digits", "s3://h/x.png"), "--image"),
        (("predict", "digits", "--csv", "s3://h/x.csv"), "--csv"),
        (("predict", "digits", "--window", "s3://h/x.csv"), "--window"),
        (("init", "s3://h/x"), "init"),
        (("run", "s3://h/x.py:recipe"), "Recipe 's3://h/x.py'"),
    ],
)
def test_a_remote_path_is_refused_by_name_wherever_one_can_be_given(
    command, place, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    text = refusal(*command)
    assert text.startswith(place)
    assert "expected a path on this machine. Received: " in text
    assert list(tmp_path.iterdir()) == []


def test_a_server_is_not_started_on_no_address():
    assert refusal("serve", "--address=").startswith("--address: expected an address to listen on.")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--name", "../evil"), "--name: expected 1 to 128 letters"),
        (("--set", "pusher.model_name=../../evil"), "Option pusher.model_name: expected 1 to 128"),
        (("--set", "trainer.learning_rate=inf"), "Option trainer.learning_rate: expected float ab"),
        (
            ("--set", "image_example_gen.max_rejected=2"),
            "Option image_example_gen.max_reject",
        ),
        (("--set", "image_example_gen.shards=-1"), "Option image_example_gen.shards: expected int"),
        (
            ("--set", "image_example_gen.splits.train=0.5"),
            "Option image_example_gen.splits: ",
        ),
        (("--from", "trainer", "--to", "analyze"), "--from trainer --to analyze: expected a step"),
        (("--", "--runner=Nope"), "Beam flags: --runner: expected a runner that can be used"),
        (("--", "--flagthatdoesnotexist"), "Beam flags: --flagthatdoesnotexist: unknown to Beam"),
    ],
)
def test_what_cannot_go_well_is_refused_before_the_first_step(options, told, tmp_path):
    text = refusal("run", "digits", "--root", str(tmp_path / "root"), *options)
    assert text.startswith(told)
    assert not (tmp_path / "root" / "artifacts").exists()


@pytest.mark.parametrize("seconds", ["inf", "1e300", "86401"])
def test_no_wait_is_longer_than_a_day(seconds, tmp_path):
    wait = ("--target", "localhost:1", "--wait", seconds)
    text = refusal("predict", "digits", "--text", "a", *wait, "--root", str(tmp_path))
    assert text.startswith("--wait: expected seconds from 0 to 86400. Received: ")


@pytest.mark.parametrize(
    "command",
    [
        ("predict", "../evil", "--sample", "1"),
        ("infer", "../evil", "--data", "."),
        ("skew", "../evil", "--log", "."),
        ("rollback", "../evil"),
        ("push", "../evil"),
        ("label", "../evil"),
    ],
)
def test_a_name_that_no_model_has_is_wrong_usage(command, tmp_path):
    text = refusal(*command, "--root", str(tmp_path))
    assert text.startswith("Model: expected 1 to 128 letters, digits,")


@pytest.mark.parametrize(
    "command",
    [
        ("run", "digits", "--data", ODD),
        ("run", "digits", "--set", f"evaluator.label={ODD}"),
        ("predict", "digits", "--text", ODD),
        ("predict", "digits", "--prompt", ODD),
        ("predict", "digits", f"x={ODD}"),
        ("predict", ODD, "--sample", "1"),
        ("infer", ODD, "--data", "."),
        ("skew", ODD, "--log", "."),
        ("lineage", ODD),
    ],
)
def test_a_byte_that_is_not_utf8_is_refused_in_words_wherever_it_is_typed(command, tmp_path):
    text = refusal(*command, "--root", str(tmp_path))
    assert "UTF-8" in text
    assert r"caf\xe9" in text
