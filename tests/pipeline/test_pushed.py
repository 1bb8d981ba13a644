"""Which models a server is told of, and which one serves."""

import pytest
from google.protobuf import text_format

from millrace.components.artifacts import Examples, Statistics
from millrace.pipeline import pushed
from millrace.pipeline.dag import Dag, Source
from millrace.pipeline.errors import UsageError
from millrace.pipeline.root import Root
from millrace.pipeline.verification import verify
from millrace.serving.protos import model_server_config_pb2
from tests.pipeline import toys


@pytest.fixture
def root(tmp_path):
    for folder in ("b/1", "a/17", "empty/.staging-3"):
        (tmp_path / "serving" / folder).mkdir(parents=True)
    return Root(tmp_path)


def _push(toy, version, *settings):
    dag = toy.dag(*settings)
    model, evaluation = dag.steps["train"], dag.steps["judge"]
    serving = str(toy.root.serving)
    dag.step(
        toys.push,
        step_name="pusher",
        model=model,
        evaluation=evaluation,
        serving=serving,
        version=version,
    )
    return toy.carry_out(dag)


def test_models_with_a_version_are_pushed_and_others_are_not(root):
    assert pushed.pushed_models(root) == ["a", "b"]


def test_the_servers_config_names_every_pushed_model_or_those_asked_for(root):
    for models, names in (([], ["a", "b"]), (["b"], ["b"])):
        text = pushed.write_model_config(root, models).read_text()
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
        assert [one.name for one in config.model_config_list.config] == names
        assert config.model_config_list.config[-1].base_path == str(root.serving / "b")


def test_a_model_that_is_not_pushed_is_refused(root, tmp_path):
    with pytest.raises(UsageError, match=r"Model 'empty': not among the pushed ones"):
        pushed.write_model_config(root, ["empty"])
    with pytest.raises(UsageError, match=r"expected a pushed model\. Received: none"):
        pushed.write_model_config(Root(tmp_path / "new"), [])


def test_the_model_that_serves_is_the_newest_that_was_not_withdrawn(toy):
    first = _push(toy, 1)
    second = _push(toy, 2, "train.epochs=2")
    model, evaluation = pushed.last_push(toy.store, "toy")
    assert model == second.artifacts["train"].path
    assert evaluation == second.artifacts["judge"].path
    (toy.root.serving / "toy" / "2").rmdir()
    assert pushed.last_push(toy.store, "toy")[0] == first.artifacts["train"].path
    with pytest.raises(UsageError, match=r"Model 'other': expected one that a run has pushed"):
        pushed.last_push(toy.store, "other")


def test_a_version_whose_record_was_repaired_away_is_of_unknown_making(toy):
    _push(toy, 1)
    second = _push(toy, 2, "train.epochs=2")
    record = second.artifacts["pusher"].path / "pushed.json"
    record.write_text("{")
    verify(toy.store, toy.root, repair=True)
    assert not record.exists()
    with toy.store.session() as session:
        assert pushed.last_pusher(session, toy.store, "toy") is None  # not that of version 1
    pushed.check_whole(toy.store, toy.root, ["toy"])


def test_a_model_leads_to_the_data_that_it_was_trained_on(toy):
    run = _push(toy, 1)
    training = pushed.training_of(toy.store, "toy")
    names = ("train", "read", "count")
    found = (training.model, training.examples, training.statistics)
    assert found == tuple(run.artifacts[name].path for name in names)
    assert training.schema is None


def test_a_model_leads_to_the_schema_of_its_data_not_to_that_of_its_requests(toy):
    first = _push(toy, 1)
    statistics = Source(str(first.artifacts["count"].path), Statistics)
    dag = toy.dag()
    learnt = dag.steps["count"]
    schema = dag.step(toys.infer, statistics=learnt)
    dag.step(toys.compare, statistics=learnt, schema=schema)
    run = toy.carry_out(dag)
    later = Dag("toy")
    asked = later.step(toys.count, step_name="asked", examples=Source(str(toy.data), Examples))
    other = later.step(toys.infer, step_name="other", statistics=asked)
    later.step(toys.compare, step_name="skew", statistics=asked, schema=other, training=statistics)
    toy.carry_out(later)
    training = pushed.training_of(toy.store, "toy")
    assert training.statistics == run.artifacts["count"].path
    assert training.schema == run.artifacts["infer"].path


def test_requests_are_logged_where_it_is_asked_for(root, tmp_path):
    text = pushed.write_model_config(root, ["a"], tmp_path / "logs", 0.25).read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    logging = config.model_config_list.config[0].logging_config
    assert logging.log_collector_config.type == "tfrecord"
    assert logging.log_collector_config.filename_prefix == str(tmp_path / "logs" / "a")
    assert logging.sampling_config.sampling_rate == 0.25


def test_a_file_named_by_a_number_and_a_version_beyond_64_bits_are_none(root):
    (root.serving / "empty" / "7").write_text("a file")
    (root.serving / "empty" / str(2**63)).mkdir()
    assert pushed.pushed_models(root) == ["a", "b"]
