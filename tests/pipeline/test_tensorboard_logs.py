"""Where the logs of a run are: of a step at work, of one that has ended, or that there are none."""

import re

import pytest

from millrace.pipeline import tensorboard_logs
from millrace.pipeline.errors import UsageError


def folder(toy, *arguments):
    return str(tensorboard_logs.folder(toy.store, toy.root, *arguments))


def test_the_first_step_with_logs_is_taken_or_the_one_that_is_named(toy):
    result = toy.run()
    outputs = {step.step: toy.root.place / step.output for step in result.steps if step.output}
    (outputs["train"] / "logs").mkdir()
    (outputs["judge"] / "projector_config.pbtxt").write_text("")
    assert folder(toy, "latest") == str(outputs["train"] / "logs")
    assert folder(toy, result.run, "judge") == str(outputs["judge"])


def test_a_step_at_work_has_them_where_it_could_be_resumed(toy):
    run = toy.run().run
    with toy.store.session() as session:
        keys = {each.step: each.key for each in toy.store.find_run(session, run).executions}
    at_work = toy.root.resumed("train", keys["train"])
    (at_work / "tuned" / "logs").mkdir(parents=True)
    with pytest.raises(UsageError):  # of a run that has ended, another is at work there
        folder(toy, run)
    with toy.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE execution SET status = 'running' WHERE step = 'train'")
    assert folder(toy, run) == str(at_work)


def test_a_run_without_logs_and_a_step_that_did_not_begin_are_refused_with_the_fix(toy):
    run = toy.run().run
    fix = "Run it again with `--set trainer.tensorboard=true`, or `--with projector`."
    with pytest.raises(UsageError, match=re.escape(f"Received: none. {fix}")):
        folder(toy, run)
    with pytest.raises(UsageError, match="expected logs for TensorBoard of train"):
        folder(toy, run, "train")
    with pytest.raises(UsageError, match=r"no step trai began\. Did you mean `train`\?"):
        folder(toy, run, "trai")
