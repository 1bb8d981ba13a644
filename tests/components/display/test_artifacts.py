"""What a notebook shows of each artifact."""

import base64
import io
import json

import numpy as np
import pytest
from etils.epath import Path
from PIL import ExifTags, Image
from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.artifacts import (
    Anomalies,
    Evaluation,
    Examples,
    Hyperparameters,
    InferenceResult,
    Model,
    PushedModel,
    RawFiles,
    Rejected,
    Schema,
    Statistics,
    TrainedModel,
)
from millrace.components.display.artifacts import body
from millrace.components.errors import DataError
from millrace.components.files import columns
from millrace.components.files.tfrecord import write_records
from millrace.components.schema import text as schemas
from millrace.components.statistics.dataset import fold
from millrace.components.statistics.proto import Detail, to_proto
from millrace.serving.example import encode


@pytest.fixture
def folder(tmp_path):
    return Path(tmp_path)


def _png(colour):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def _examples(folder, *rows, rejected=()):
    examples = Examples(folder)
    examples.split_path("train").mkdir()
    write_records(examples.shard("train", 0, 1), map(encode, rows))
    return examples.write_summary({"train": len(rows), "eval": 0}, rejected)


def test_an_artifact_says_its_type_and_place_and_escapes_what_it_holds(folder):
    shown = _examples(folder, {"text": "<script>alert(1)</script>"})._repr_html_()
    assert f"<b>Examples</b> <code>{folder}</code>" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<script" not in shown


def test_examples_are_counted_and_the_first_records_stand_side_by_side(folder):
    rows = [{"price": float(n), "rooms": n, "series": np.arange(20.0)} for n in range(6)]
    shown = body(_examples(folder, *rows, rejected=[Rejected("a.csv", "no <number>", "line 3")]))
    assert "<tr><td>train</td><td>6</td></tr>" in shown
    assert "<tr><td>price</td><td>0</td><td>1</td><td>2</td><td>3</td></tr>" in shown
    assert shown.count("<path") == 4
    assert "1 set aside" in shown
    assert "<td>a.csv</td><td>line 3</td><td>no &lt;number&gt;</td>" in shown


def test_pictures_are_thumbnails_and_other_bytes_are_counted(folder):
    shown = body(_examples(folder, {"image/encoded": _png("red"), "raw": b"\xff\xfe\x00"}))
    assert shown.count('src="data:image/png;base64,') == 1
    assert "<td>3 bytes</td>" in shown


def test_a_photo_taken_sideways_is_shown_upright(folder):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned by 90 degrees
    file = io.BytesIO()
    Image.new("RGB", (16, 8)).save(file, "JPEG", exif=exif)
    shown = body(_examples(folder, {"image/encoded": file.getvalue()}))
    _, _, data = shown.partition("base64,")
    with Image.open(io.BytesIO(base64.b64decode(data.partition('"')[0]))) as thumbnail:
        assert thumbnail.size == (32, 64)


def test_statistics_have_a_row_per_feature_with_a_histogram(folder):
    statistics = Statistics(folder)
    statistics.split_path("train").mkdir()
    records = [encode({"price": float(n), "town": "<Cork>"}) for n in range(4)]
    message = to_proto("train", fold(columns.batches(records, "f"), "f"), Detail())
    statistics.file("train").write_bytes(message.SerializeToString())
    shown = body(statistics)
    assert "<td>price</td><td>FLOAT</td><td>4</td><td>0</td><td>1.5</td><td>0</td>" in shown
    assert "<title>0 to 0.3: 1</title>" in shown
    assert "<title>&lt;Cork&gt;: 4</title>" in shown
    assert shown.endswith("<td>&lt;Cork&gt; (4)</td></tr></table>")


def _evaluation(folder, **more):
    content = {"metrics": {"accuracy": 0.5, "loss": 2.0}, **more}
    (folder / "metrics.json").write_text(json.dumps(content))
    return Evaluation(folder).write_verdict(blessed=True, reasons=["better than <naive>"])


def test_an_evaluation_has_its_verdict_its_figures_and_what_they_were(folder):
    (folder / "confusion.png").write_bytes(_png("blue"))
    more = {"baseline": {"metrics": {"accuracy": 0.75}}, "intervals": {"accuracy": [0.41, 0.59]}}
    shown = body(_evaluation(folder, **more), width=420)
    assert '<p class="yes">blessed: better than &lt;naive&gt;</p>' in shown
    assert "<tr><td>accuracy</td><td>0.5</td><td>0.41 to 0.59</td><td>0.75</td></tr>" in shown
    assert "<tr><td>loss</td><td>2</td><td></td><td></td></tr>" in shown
    assert '<img alt="confusion" style="max-width:420px"' in shown


def test_a_training_has_its_curves_and_its_figures(folder):
    (folder / "history.csv").write_text("epoch,loss,val_loss\n1,2.0,3.0\n2,1.0,2.5\n")
    shown = body(TrainedModel(folder))
    assert shown.count('stroke-width="1.8"') == 2
    assert "<tr><td>2</td><td>1</td><td>2.5</td></tr>" in shown


def test_a_damaged_history_is_named_and_shown_as_the_error(folder):
    (folder / "history.csv").write_text("epoch,loss\n1,l0w\n")
    with pytest.raises(DataError, match=r"history\.csv: expected a CSV of numbers.*'l0w'"):
        body(TrainedModel(folder))
    assert "expected a CSV of numbers" in TrainedModel(folder)._repr_html_()


def test_a_model_has_its_signatures_and_its_size(folder):
    tensor = {"dtype": "string", "shape": [None]}
    score = {"dtype": "float32", "shape": [None, 3]}
    description = {
        "task": "classification",
        "classes": ["a", "b", "c"],
        "parameters": 12345,
        "signatures": {"serving_default": {"inputs": {"text": tensor}, "outputs": {"s": score}}},
    }
    (folder / "model.json").write_text(json.dumps(description))
    (folder / "Format-Serving").mkdir()
    (folder / "Format-Serving" / "saved_model.pb").write_bytes(b"12345")
    shown = body(Model(folder))
    assert "<td>3 classes</td><td>a, b, c</td>" in shown
    assert "<td>parameters</td><td>12,345</td>" in shown
    assert "<td>SavedModel</td><td>5 bytes</td>" in shown
    assert "<td>text: string [batch] → s: float32 [batch, 3]</td>" in shown


def test_a_schema_has_a_row_per_feature(folder):
    schema = schema_pb2.Schema()
    feature = schema.feature.add(name="town", type=schema_pb2.BYTES)
    feature.presence.min_fraction = 0.5
    feature.string_domain.value.extend(["Cork", "Galway"])
    schemas.write(schema, Schema(folder).file)
    assert (
        "<td>town</td><td>BYTES</td><td>in 0.5 of the records or more</td>"
        "<td>string_domain value: &quot;Cork&quot; value: &quot;Galway&quot;</td>"
    ) in body(Schema(folder))


def test_anomalies_are_listed_and_none_are_said_to_be_none(folder):
    anomalies = Anomalies(folder)
    anomalies.write([], [])
    assert body(anomalies) == "<p>None.</p>"
    found = {"split": "eval", "feature": "town", "kind": "NEW", "description": "<b>"}
    anomalies.write([found], [])
    assert "<td>eval</td><td>town</td><td>NEW</td><td>&lt;b&gt;</td>" in body(anomalies)


def test_predictions_begin_with_the_first_rows(folder):
    rows = [{"filename": f"{n}.png", "class": "<cat>"} for n in range(20)]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shown = body(InferenceResult(folder))
    assert shown.count("<tr>") == 10
    assert "<td>0.png</td><td>{&quot;class&quot;: &quot;&lt;cat&gt;&quot;}</td>" in shown


def test_other_artifacts_tell_what_they_know_and_hold(folder):
    (folder / "a.png").write_bytes(_png("red"))
    assert body(RawFiles(folder)) == (
        f"<table><tr><td>a.png</td><td>{len(_png('red'))} bytes</td></tr></table>"
    )
    (folder / "a.png").unlink()
    pushed = PushedModel(folder).write_push(model="m", version=0, folder="", reason="not blessed")
    assert "<td>pushed</td><td>not blessed</td>" in body(pushed)
    best = {"settings": {"rate": "0.1"}, "objective": "loss", "value": 0.5, "trial": 3}
    assert "<td>trial</td><td>3</td>" in body(Hyperparameters(folder).write_best(best))
