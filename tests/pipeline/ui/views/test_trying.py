"""Try it: an image uploaded, a class read, a version rolled back, on a real model server."""

import io
import json
import subprocess
import sys
import urllib.request
import uuid

import grpc
import pytest
import tensorflow as tf
from google.protobuf import json_format
from PIL import Image
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from millrace.pipeline.ui.views import trying
from tests.pipeline.ui.conftest import served


class Light(tf.Module):
    """Tells a light picture from a dark one, or the other way round."""

    def __init__(self, names):
        super().__init__()
        self.names = names

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def judge(self, image_bytes):
        def light_of(encoded):
            return tf.reduce_mean(tf.cast(tf.io.decode_png(encoded, channels=1), tf.float32)) / 255

        light = tf.map_fn(light_of, image_bytes, tf.float32)
        scores = tf.stack([light, 1 - light], axis=1)
        classes = tf.tile([self.names], [tf.shape(scores)[0], 1])
        best = tf.argmax(scores, axis=1)
        return {
            "class": tf.gather(self.names, best),
            "classes": classes,
            "score": tf.reduce_max(scores, axis=1),
            "scores": scores,
        }


@pytest.fixture
def looking(toy):
    """The pages of a root with two versions of the model `look`; the newest has it wrong."""
    for version, names in ((1, ["light", "dark"]), (2, ["dark", "light"])):
        module = Light(names)
        folder = str(toy.root.serving / "look" / str(version))
        tf.saved_model.save(module, folder, signatures={"serving_default": module.judge})
    with served(toy.root) as pages:
        yield pages


def picture(light):
    file = io.BytesIO()
    Image.new("L", (4, 4), light).save(file, "PNG")
    return file.getvalue()


def ask(pages, name, path="try", **fields):
    """Send the form as a browser does, with the file `name`; the JSON that answers it."""
    page = pages.get("models/look/try")
    secret = page.partition('name="form_secret" value="')[2].partition('"')[0]
    parts = [("form_secret", secret), *fields.items()]
    mark = uuid.uuid4().hex
    body = b"".join(
        f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in parts
    )
    if name:
        head = f'name="image"; filename="{name}"\r\nContent-Type: image/png'
        body += f"--{mark}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode()
        body += picture(230) + b"\r\n"
    status, _, text = pages.ask(
        "POST",
        f"/mill/models/look/{path}",
        body + f"--{mark}--\r\n".encode(),
        Origin=pages.origin,
        Accept="application/json",
        **{"Content-Type": f"multipart/form-data; boundary={mark}"},
    )
    return status, json.loads(text) if text.startswith("{") else text


def test_an_image_is_judged_and_after_a_rollback_by_the_version_before(looking):
    assert looking.json("models/look/try")["server"] == {"state": "none"}
    status, shown = ask(looking, "../../se ven.png")
    assert status == 200
    (found,) = shown["answers"]
    (one,) = found["answers"]
    assert (found["version"], one["class"], one["input"]) == (2, "dark", "se_ven.png")
    assert one["scores"][0] == {"name": "dark", "score": pytest.approx(230 / 255)}
    assert one["picture"].startswith("data:image/png;base64,")
    assert shown["server"]["state"] == "ready"
    assert looking.json("models/look/try")["form"]["kind"] == "image"

    both = ask(looking, "x.png", version=1)[1]["answers"]
    assert [(each["version"], each["answers"][0]["class"]) for each in both] == [(1, "light")]

    _check_calls(found["calls"], shown["server"]["target"])

    looking.post("models/look/rollback", page="models/look", version=2)
    (found,) = ask(looking, "x.png")[1]["answers"]
    assert (found["version"], found["answers"][0]["class"]) == (1, "light")
    status, shown = ask(looking, "x.png", version=2)
    assert (status, shown["answers"]) == (200, [])
    assert "expected a version that is there: 1. Received: 2." in shown["error"]
    status, shown = ask(looking, "")
    assert shown["error"].startswith(
        "expected what the model takes: image_bytes. Received: nothing"
    )


def _check_calls(calls, target):
    """Each call gives the same answer when it is made again."""
    done = subprocess.run(
        [sys.executable, "-c", calls["python"]], check=True, capture_output=True, text=True
    )
    assert "class [b'dark']" in done.stdout
    command, _, rest = calls["curl"].partition("\n")
    address = f"http://{command.split()[-2].removeprefix('http://')}"
    body = rest.partition("\nJSON")[0].encode()
    with urllib.request.urlopen(address, body, timeout=20) as answer:
        assert json.load(answer)["outputs"]["class"] == ["dark"]
    command, _, rest = calls["grpcurl"].partition("\n")
    assert command.split()[1:6] == [
        *("-plaintext", "-d", "@", target),
        "tensorflow.serving.PredictionService/Predict",
    ]
    request = json_format.Parse(rest.partition("\nJSON")[0], predict_pb2.PredictRequest())
    with grpc.insecure_channel(target) as channel:
        answer = PredictionServiceStub(channel).Predict(request, timeout=20)
    assert list(answer.outputs["class"].string_val) == [b"dark"]


def test_a_model_that_cannot_be_loaded_is_said_on_the_page(toy):
    folder = toy.root.serving / "look" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"none")
    with served(toy.root) as pages:
        status, headers = pages.post("models/look/try/load", page="models/look/try")[:2]
        assert (status, headers["Location"]) == (303, "/mill/models/look/try")
        assert pages.json("models/look/try")["server"]["state"] == "loading"
        status, shown = ask(pages, "x.png")
        assert "expected a version that a model server can load" in shown["error"]
        assert pages.json("models/look/try")["server"]["state"] == "failed"
        assert "a model server can load" in pages.get("models/look/try")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("seven.png", "seven.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\y z.png", "y_z.png"),
        (".bashrc", "bashrc"),
        ("$(id).png", "_id_.png"),
        ("..", "upload"),
        ("ä" * 300 + ".csv", "_.csv"),
    ],
)
def test_the_name_of_an_upload_is_one_of_plain_letters(given, kept):
    assert trying._name(given) == kept
