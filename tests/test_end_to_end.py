"""From digit scans to answers over gRPC: the real command, the real server, a real socket."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from millrace.components.artifacts import (
    Evaluation,
    Examples,
    PushedModel,
    Statistics,
    TrainedModel,
)
from millrace.components.files.tfrecord import read_records
from millrace.serving.client import Client
from millrace.serving.example import decode
from millrace.serving.launch import launch
from tests.command import children, is_alive, millrace, processes, started
from tests.serving.conftest import until

STEPS = [
    "digits_images",
    "image_example_gen",
    "statistics_gen",
    "schema_gen",
    "example_validator",
    "analyze",
    "transform",
    "trainer",
    "export",
    "evaluator",
    "infra_validator",
    "pusher",
]
FROM_TRAINER = STEPS[STEPS.index("trainer") :]


def _run(root, *more):
    done = millrace("run", "digits", "--root", root, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _statuses(told):
    return {step["step"]: step["status"] for step in told["steps"]}


def _outputs(told):
    """The folder of each step that was run or reused."""
    return {step["step"]: Path(step["output"]) for step in told["steps"] if step["output"]}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("digits") / "root"


@pytest.fixture(scope="module")
def first(root):
    """The main job, once."""
    return _run(root)


@pytest.fixture(scope="module")
def server(first, root):
    """The embedded server on the model that the main job pushed."""
    with launch(root / "serving" / "digits", "digits") as started:
        yield started


@pytest.fixture(scope="module")
def test_images(first):
    """The raw records of the test split."""
    examples = Examples(_outputs(first)["image_example_gen"])
    return [decode(one) for file in examples.files("test") for one in read_records(file)]


def _served(server, images):
    with Client(server.target) as client:
        return client.predict("digits", {"image_bytes": images})


def test_the_main_job_runs_every_step_and_pushes_a_blessed_model(first):
    assert _statuses(first) == dict.fromkeys(STEPS, "ran")
    assert first["status"] == "done"
    assert first["blessed"] is True
    assert first["metrics"]["accuracy"] > 0.95
    assert Path(first["pushed"], "saved_model.pb").is_file()


def test_all_scans_are_in_the_records_of_the_three_splits(first):
    counts = Examples(_outputs(first)["image_example_gen"]).counts
    assert set(counts) == {"train", "eval", "test"}
    assert sum(counts.values()) == 1797


def test_the_statistics_open_as_tensorflow_metadata(first):
    file = Statistics(_outputs(first)["statistics_gen"]).file("train")
    found = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read_bytes())
    names = {feature.path.step[0] for feature in found.datasets[0].features}
    assert {"image/encoded", "image/height", "image/class/text"} <= names


def test_the_served_accuracy_is_the_evaluators_exactly(first, server, test_images):
    answers = _served(server, [one["image/encoded"][0] for one in test_images])
    truth = np.array([one["image/class/text"][0] for one in test_images])
    evaluated = Evaluation(_outputs(first)["evaluator"]).metrics["accuracy"]
    assert float(np.mean(answers["class"] == truth)) == pytest.approx(evaluated, abs=1e-9)


def test_the_served_answer_to_raw_bytes_is_the_trainers_to_the_transformed_record(
    first, server, test_images
):
    import keras

    outputs = _outputs(first)
    transformed = Examples(outputs["transform"])
    rows = [decode(one) for file in transformed.files("test") for one in read_records(file)]
    pixels = {row["image/filename"][0]: np.frombuffer(row["image"][0], np.uint8) for row in rows}
    assert set(pixels) == {one["image/filename"][0] for one in test_images}
    model = keras.saving.load_model(TrainedModel(outputs["trainer"]).keras_file)
    ordered = np.stack([pixels[one["image/filename"][0]] for one in test_images])
    trained = model.predict(ordered.reshape(-1, *model.input_shape[1:]), verbose=0)
    served = _served(server, [one["image/encoded"][0] for one in test_images])["scores"]
    assert float(np.abs(served - trained).max()) < 1e-5


def test_stock_tensorflow_serving_stubs_get_the_same_answer(server, test_images):
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    image = test_images[0]["image/encoded"][0]
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "digits"
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([image]))
    with grpc.insecure_channel(server.target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.Predict(request, timeout=30)
    ours = _served(server, [image])
    assert tf.make_ndarray(answer.outputs["class"]).tolist() == ours["class"].tolist()
    assert tf.make_ndarray(answer.outputs["scores"]).tolist() == ours["scores"].tolist()


def test_predict_starts_a_server_and_answers_beside_the_truth(root, first):
    done = millrace("predict", "digits", "--sample", 4, "--root", root)
    assert done.returncode == 0, done.stderr
    header, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert header == ["input", "answer", "score", "truth", "verdict"]
    assert len(rows) == 4
    assert {row[4] for row in rows} <= {"right", "WRONG"}


def test_predict_asks_a_server_that_is_up_about_files(root, first, server, tmp_path, test_images):
    image = tmp_path / "digit.png"
    image.write_bytes(test_images[0]["image/encoded"][0])
    done = millrace(
        "predict", "digits", "--image", image, image, "--target", server.target, "--json"
    )
    told = json.loads(done.stdout)
    assert [one["input"] for one in told["predictions"]] == [str(image)] * 2
    scores = told["predictions"][0]["scores"]
    assert set(scores) == set("0123456789")
    assert sum(scores.values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.timeout(900)
def test_a_second_run_is_cached_a_changed_option_explained_and_a_push_rolled_back(root, first):
    second = _run(root)
    assert _statuses(second) == dict.fromkeys(STEPS, "cached")
    assert _outputs(second) == _outputs(first)
    assert second["pushed"] == first["pushed"]

    third = _run(root, "--set", "trainer.epochs=14")
    ran = [step for step, status in _statuses(third).items() if status == "ran"]
    assert ran == FROM_TRAINER
    explained = millrace("explain", "latest", "--root", root, "--json")
    reasons = {row["step"]: row["because"] for row in json.loads(explained.stdout)}
    assert reasons["trainer"] == "option epochs changed from 15 to 14"
    assert reasons["export"] == "input model changed"
    assert Path(third["pushed"]).name > Path(first["pushed"]).name

    done = millrace("rollback", "digits", "--root", root)
    assert f"version {Path(third['pushed']).name} withdrawn" in done.stdout
    assert not Path(third["pushed"]).exists()
    assert Path(first["pushed"]).exists()

    after = _run(root, "--set", "trainer.epochs=14")
    assert _statuses(after)["pusher"] == "cached"
    assert after["pushed"] is None


def test_a_curated_schema_finds_a_class_that_it_does_not_know(root, first, tmp_path):
    schema = (_outputs(first)["schema_gen"] / "schema.pbtxt").read_text()
    curated = tmp_path / "schema.pbtxt"
    curated.write_text(schema.replace('value: "7"', 'value: "seven"'))
    stop = ("--to", "example_validator", "--fail-on-anomaly")
    done = millrace("run", "digits", "--schema", curated, *stop, "--root", root)
    assert done.returncode == 3
    assert "anomaly train image/class/text:" in done.stdout
    assert "Stopped by --fail-on-anomaly." in done.stdout


def test_extra_steps_find_a_rate_and_draw_what_was_learnt(root, first):
    extras = ("--with", "rate_finder", "--with", "feature_maps", "--with", "projector")
    ends = ("--to", "feature_maps", "--to", "projector")
    told = _run(root, *extras, "--set", "trainer.epochs=1", *ends)
    outputs = _outputs(told)
    assert 1e-5 < json.loads((outputs["rate_finder"] / "rate.json").read_text())["rate"] < 1
    assert (outputs["rate_finder"] / "sweep.png").exists()
    assert (outputs["feature_maps"] / "00-pictures.png").exists()
    assert (outputs["projector"] / "projector_config.pbtxt").exists()


def test_infer_predicts_a_folder_with_the_model_that_was_pushed(root, first):
    sevens = _outputs(first)["digits_images"] / "7"
    done = millrace("infer", "digits", "--data", sevens, "--root", root, "--json")
    assert done.returncode == 0, done.stderr
    (step,) = json.loads(done.stdout)["steps"]
    lines = Path(step["output"], "predictions.jsonl").read_text().splitlines()
    answers = [json.loads(line)["class"] for line in lines]
    assert len(answers) == len(list(sevens.iterdir()))
    assert answers.count("7") / len(answers) > 0.95
    assert list(Path(step["output"]).glob("prediction_logs-*.gz"))


WARM = "-m millrace.serving.warm"
BEAM = ("--", "--direct_running_mode=multi_processing", "--direct_num_workers=2")


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGKILL", -9)])
def test_no_process_of_a_step_outlives_a_run_that_is_stopped(root, first, name, code):
    steps = {
        "millrace.serving.server": ("infra_validator", "--no-warm"),
        "millrace.components.exporting.answers": ("export", "--no-warm"),
        "millrace.components.tuning.trial": ("tuner", "--with", "tuner"),
        "apache_beam.runners.worker.sdk_worker_main": ("statistics_gen", *BEAM),
    }
    for module, (step, *more) in steps.items():
        process = started("run", "digits", "--root", root, "--only", step, "--force", step, *more)
        lifeline = f"millrace.serving.lifeline module {module}"

        def of_the_step(pid=process.pid, lifeline=lifeline):
            """Not git, which a run asks for the commit as it begins."""
            return {one: args for one, args in children(pid).items() if lifeline in args}

        until(of_the_step, seconds=180)
        found = children(process.pid)
        process.send_signal(getattr(signal, name))
        process.communicate(timeout=60)
        assert process.returncode == code
        until(lambda pids=found: not any(map(is_alive, pids)), seconds=60)


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGKILL", -9)])
def test_no_process_that_is_forked_for_a_step_outlives_a_run_that_is_stopped(
    root, first, name, code
):
    process = started(
        *("run", "digits", "--root", root, "--only", "infra_validator"),
        *("--force", "infra_validator"),
    )
    warm, forked = set(), set()

    def has_forked():
        found = processes()
        warm.update(pid for pid, parent, args in found if parent == process.pid and WARM in args)
        forked.update(pid for pid, parent, _ in found if parent in warm)
        return forked

    until(has_forked, seconds=180)
    process.send_signal(getattr(signal, name))
    process.communicate(timeout=60)
    assert process.returncode == code
    until(lambda: not any(map(is_alive, warm | forked)), seconds=60)


def test_lineage_leads_from_the_pushed_model_to_the_scans(root, first):
    shown = millrace("lineage", _outputs(first)["pusher"], "--root", root).stdout
    assert shown.startswith("PushedModel #")
    assert "image_example_gen of" in shown
    below = millrace("lineage", "digits_images", "--down", "--root", root).stdout
    assert below.startswith("RawFiles #")
    assert "pusher of" in below


def test_show_lists_the_run_and_its_report_can_be_opened(root, first):
    shown = millrace("show", first["run"], "--root", root).stdout
    report = next(line.split(maxsplit=1)[1] for line in shown.splitlines() if "report" in line)
    page = Path(report).read_text()
    assert "blessed" in page
    assert "data:image/png;base64," in page


def test_the_pushed_model_record_names_the_version_folder(first):
    pushed = PushedModel(_outputs(first)["pusher"])
    assert str(pushed.push["folder"]) == first["pushed"]
