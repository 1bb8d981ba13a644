"""What is predicted, in which order and form, and what is set aside."""

import csv
import dataclasses
import io
import json
import re
import shutil

import numpy as np
import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from millrace.components.artifacts import Evaluation, Examples, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.bulk_inferrer import bulk_inferrer
from millrace.components.errors import DataError, ModelError, OptionError
from millrace.components.files import arrow_examples
from millrace.components.files.printable import one_line
from millrace.components.files.tfrecord import read_records, write_records
from millrace.components.inference import predictions
from millrace.serving import example
from tests.components import classifiers
from tests.components.example_gen.conftest import spoil


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures in folders, names out of order, with what browsers leave among them."""
    root = tmp_path_factory.mktemp("pictures")
    (root / "b" / "deep").mkdir(parents=True)
    (root / ".git").mkdir()
    for name, mean in {"z.png": 40, "b/deep/2.png": 120, "b/10.png": 200, "a,é\n.png": 130}.items():
        (root / name).write_bytes(classifiers.png(mean))
    for name in (".DS_Store", "Thumbs.db", ".git/config", "b/desktop.ini"):
        (root / name).write_bytes(b"not a picture")
    return RawFiles(Path(root))


@pytest.fixture
def infer(tmp_path, grey_model):
    def run(examples=None, source=None, *, evaluation=None, model=grey_model, **options):
        out = Path(tmp_path / "out")
        out.mkdir(exist_ok=True)
        return bulk_inferrer(
            model, evaluation, examples, source, out, run_on=BeamOptions(), **options
        )

    return run


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    splits = {
        "eval": [classifiers.record(40, "dark", "e0.png")],
        "test": [classifiers.record(30 * n, "grey", f"t{n}.png") for n in range(7)],
    }
    return classifiers.write_examples(tmp_path_factory.mktemp("examples"), splits)


def lines(result, name="predictions.jsonl"):
    return [json.loads(line) for line in (result.path / name).read_text().splitlines()]


def listing(result):
    return sorted(entry.name for entry in result.path.iterdir())


def test_a_folder_is_predicted_in_the_order_of_its_names(infer, folder):
    result = infer(source=folder, files_per_shard=3, batch_size=2)
    found = lines(result)
    assert [row["filename"] for row in found] == ["a,é\n.png", "b/10.png", "b/deep/2.png", "z.png"]
    assert [row["class"] for row in found] == ["grey", "bright", "grey", "dark"]
    assert {row["split"] for row in found} == {"unlabelled"}
    expected = classifiers.expected_scores([130])[0]
    assert list(found[0]["scores"]) == ["dark", "grey", "bright"]
    assert list(found[0]["scores"].values()) == pytest.approx(expected.tolist(), abs=1e-6)
    assert found[0]["score"] == pytest.approx(expected.max(), abs=1e-6)
    assert set(found[0]) == {"filename", "split", "class", "score", "scores"}
    assert listing(result) == [
        "prediction_logs-00000-of-00002.gz",
        "prediction_logs-00001-of-00002.gz",
        "predictions.jsonl",
        "rejected.jsonl",
        "summary.json",
    ]


def test_a_csv_file_has_one_column_per_value_and_quotes_what_must_be(infer, folder):
    result = infer(source=folder, format="csv", files_per_shard=1, prediction_logs=False)
    text = (result.path / "predictions.csv").read_bytes().decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == [
        "filename",
        "split",
        "class",
        "score",
        "scores/dark",
        "scores/grey",
        "scores/bright",
    ]
    assert [row[0] for row in rows] == ["a,é\n.png", "b/10.png", "b/deep/2.png", "z.png"]
    assert [float(value) for value in rows[3][4:]] == pytest.approx(
        classifiers.expected_scores([40])[0].tolist(), abs=1e-6
    )
    assert not any(name.startswith("prediction_logs") for name in listing(result))


def test_examples_are_predicted_in_the_order_of_their_records(infer, examples):
    result = infer(examples, batch_size=3)
    found = [(row["split"], row["filename"]) for row in lines(result)]
    first, second = [f"t{n}.png" for n in (0, 2, 4, 6)], [f"t{n}.png" for n in (1, 3, 5)]
    assert found == [("eval", "e0.png"), *(("test", name) for name in first + second)]
    summary = json.loads((result.path / "summary.json").read_text())
    assert (summary["counts"], summary["rejected"]) == ({"eval": 1, "test": 7}, 0)


def test_predictions_can_be_added_to_the_examples(infer, examples):
    result = infer(examples, format="examples", splits=("test",), prediction_logs=False)
    assert listing(result) == ["Split-test", "examples.json", "rejected.jsonl", "summary.json"]
    predicted = Examples(result.path)
    assert predicted.counts == {"test": 7}
    assert [file.name for file in predicted.files("test")] == [
        "data_tfrecord-00000-of-00002.gz",
        "data_tfrecord-00001-of-00002.gz",
    ]
    before = [example.decode(each) for each in read_records(examples.files("test")[1])]
    after = [example.decode(each) for each in read_records(predicted.files("test")[1])]
    for old, new in zip(before, after, strict=True):
        assert {name: new[name] for name in old} == old
    assert after[2]["prediction/class"] == [b"grey"]
    np.testing.assert_allclose(
        after[2]["prediction/scores"], classifiers.expected_scores([150])[0], atol=1e-6
    )


def test_a_record_that_names_its_source_keeps_it_among_others_that_do_not(infer, tmp_path):
    examples = Examples(Path(tmp_path) / "named")
    examples.split_path("test").mkdir(parents=True)
    names = [{}, {"filename": "own"}, {}, {"filename": ["two", "names"]}]
    pictures = [{"image/encoded": classifiers.png(grey), **name} for grey, name in enumerate(names)]
    write_records(examples.shard("test", 0, 1), map(example.encode, pictures))
    result = infer(examples, format="examples", prediction_logs=False)
    (file,) = Examples(result.path).files("test")
    found = [example.decode(record) for record in read_records(file)]
    shard = examples.files("test")[0].name
    sources = [[shard.encode()], [b"own"], [shard.encode()], [b"two", b"names"]]
    assert [each["filename"] for each in found] == sources
    encoded = [each["image/encoded"] for each in found]
    assert encoded == [[each["image/encoded"]] for each in pictures]
    for record, features in zip(read_records(file), found, strict=True):
        assert record == example.encode(features)


def test_prediction_logs_are_readable_by_tensorflow_servings_own_messages(infer, examples):
    from tensorflow import make_ndarray
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    result = infer(examples, splits=("eval",))
    (record,) = [
        each
        for file in sorted(result.path.glob("prediction_logs-*"))
        for each in read_records(file)
    ]
    log = PredictionLog.FromString(record).predict_log
    assert log.request.model_spec.signature_name == "serving_default"
    assert make_ndarray(log.request.inputs["image_bytes"]).tolist() == [classifiers.png(40)]
    assert make_ndarray(log.response.outputs["class"]).tolist() == [b"dark"]
    assert make_ndarray(log.response.outputs["scores"]).shape == (1, 3)


def test_two_runs_write_the_same_bytes(infer, examples, tmp_path):
    first = {file.name: file.read_bytes() for file in infer(examples).path.iterdir()}
    (tmp_path / "out").rename(tmp_path / "before")
    assert {file.name: file.read_bytes() for file in infer(examples).path.iterdir()} == first


def test_what_is_no_image_is_set_aside_and_named(infer, tmp_path):
    root = tmp_path / "mixed"
    root.mkdir()
    for number in range(9):
        (root / f"{number}.png").write_bytes(classifiers.png(40))
    (root / "4.png").write_bytes(b"")
    (root / "notes.txt").write_text("notes")
    (root / "notes.bin").write_text("notes")
    result = infer(source=RawFiles(Path(root)), max_rejected=0.2)
    assert len(lines(result)) == 8
    assert [(item["source"], item["reason"]) for item in lines(result, "rejected.jsonl")] == [
        ("4.png", "empty file"),
        ("notes.bin", "not an image in a format that Pillow knows"),
    ]
    assert json.loads((result.path / "summary.json").read_text())["ignored"] == 1
    (tmp_path / "out").rename(tmp_path / "before")
    with pytest.raises(DataError, match=r"^bulk_inferrer: .* Received: 2 of 10 .*\n  4\.png: "):
        infer(source=RawFiles(Path(root)), max_rejected=0.1)


def test_a_single_file_is_predicted(infer, folder):
    result = infer(source=RawFiles(folder.path / "z.png"))
    assert [row["filename"] for row in lines(result)] == ["z.png"]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_files_is_refused(infer, tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=rf"{name}: expected one file or more .* Received: none\."):
        infer(source=RawFiles(Path(tmp_path / name)))


def test_a_folder_of_files_that_cannot_be_read_is_refused_with_their_reason(infer, tmp_path):
    root = tmp_path / "odd"
    root.mkdir()
    aside = spoil(root, ".png")
    first = f"{len(aside)} that cannot, such as {one_line(aside[0].source)}: {aside[0].reason}."
    with pytest.raises(DataError, match=rf"odd: expected a file .* Received: {re.escape(first)}"):
        infer(source=RawFiles(Path(root)))


def test_exactly_one_input_is_wanted(infer, examples, folder):
    with pytest.raises(OptionError, match=r"expected `examples` or `source`\. Received: neither\."):
        infer()
    with pytest.raises(OptionError, match=r"Received: both\. Wire one of them\."):
        infer(examples, folder)


def test_an_unknown_split_is_refused(infer, examples):
    with pytest.raises(OptionError, match=r"splits: expected some of eval, test\. Received: dev\."):
        infer(examples, splits=("dev",))


def test_an_unblessed_model_is_refused_unless_allowed(infer, examples, tmp_path):
    (tmp_path / "evaluation").mkdir()
    evaluation = Evaluation(Path(tmp_path / "evaluation")).write_verdict(
        blessed=False, reasons=["too bad"]
    )
    with pytest.raises(
        ModelError, match=r"expected one that its evaluator blessed\. .*\(too bad\)\. Train a "
    ):
        infer(examples, evaluation=evaluation)
    result = infer(examples, evaluation=evaluation, allow_unblessed=True)
    assert len(lines(result)) == 8


OUTPUTS = st.fixed_dictionaries(
    {
        "number": st.floats(-9, 9, width=32).map(np.float32),
        "window": st.lists(st.floats(-9, 9, width=32), min_size=4, max_size=4).map(
            lambda values: np.array(values, np.float32).reshape(2, 2)
        ),
        "words": st.lists(st.binary(max_size=4), min_size=2, max_size=2).map(
            lambda values: np.array(values, object)
        ),
    }
)


@given(OUTPUTS)
def test_any_models_outputs_have_all_three_forms(outputs):
    batch = {name: np.array([value], value.dtype) for name, value in outputs.items()}
    as_json = json.loads(json.dumps(next(predictions.as_json(batch))))
    assert as_json["window"] == outputs["window"].tolist()
    assert as_json["words"] == [word.decode(errors="replace") for word in outputs["words"]]
    (columns,) = predictions.as_columns(batch)
    names = {"number", *(f"window/{i}/{j}" for i in (0, 1) for j in (0, 1)), "words/0", "words/1"}
    assert set(columns) == names
    assert columns["window/1/0"] == outputs["window"][1, 0]
    (record,) = arrow_examples.as_bytes(arrow_examples.records(predictions.as_features(batch)))
    features = example.decode(record)
    np.testing.assert_array_equal(features["prediction/window"], outputs["window"].ravel())
    assert features["prediction/words"] == outputs["words"].tolist()


def test_what_is_no_readable_file_is_set_aside_and_never_opened(infer, tmp_path):
    root = tmp_path / "odd"
    root.mkdir()
    (root / "a.png").write_bytes(classifiers.png(40))
    aside = spoil(root, ".png")
    result = infer(source=RawFiles(Path(root)), max_rejected=0.7)
    assert [row["filename"] for row in lines(result)] == ["a.png"]
    assert lines(result, "rejected.jsonl") == [dataclasses.asdict(item) for item in aside]


@pytest.mark.parametrize("form", ["TIFF", "AVIF", "JPEG2000", "PPM", "WEBP"])
def test_a_picture_that_tensorflow_does_not_decode_is_predicted_as_the_ingest_reads_it(
    infer, tmp_path, form
):
    root = tmp_path / "pictures"
    root.mkdir()
    picture = Image.open(io.BytesIO(classifiers.png(40)))
    frames = (
        {"save_all": True, "append_images": [ImageOps.invert(picture)]} if form == "WEBP" else {}
    )
    picture.save(root / "a", form, **frames)
    (root / "b.png").write_bytes(classifiers.png(40))
    (root / "readme.txt").write_text("Two pictures.")
    first, second = lines(infer(source=RawFiles(Path(root))))
    assert first["scores"] == pytest.approx(second["scores"], abs=0.05)


def test_an_archive_of_pictures_is_predicted_as_its_folder(infer, folder, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "pictures"), "zip", folder.path)
    result = infer(source=RawFiles(Path(archive)))
    assert sorted(row["filename"] for row in lines(result)) == sorted(
        ["a,é\n.png", "b/10.png", "b/deep/2.png", "z.png"]
    )
    assert not (result.path / ".unpacked").exists()


def test_a_folder_of_nothing_but_notes_is_refused(infer, tmp_path):
    root = tmp_path / "notes"
    root.mkdir()
    (root / "readme.txt").write_text("No picture.")
    with pytest.raises(DataError, match=r"notes: expected pictures\. Received: none\."):
        infer(source=RawFiles(Path(root)))
