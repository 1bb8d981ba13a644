"""A small SavedModel that classifies grey PNGs by their mean, and Examples for it.

A picture of mean `m` in 0 ... 255 gets logits `-(m - centre)^2 / 1000`, one centre per class.
Its signatures are those of an exported image classifier.
"""

import io
import json

import numpy as np
import tensorflow as tf
from etils.epath import Path
from PIL import Image
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from millrace.components.artifacts import Examples, Model
from millrace.components.files.tfrecord import write_records
from millrace.serving import example

CLASSES = ("dark", "grey", "bright")
CENTRES = (40.0, 120.0, 200.0)
SCALE = 1000.0


class _ByMean(tf.Module):
    def __init__(self, classes, centres):
        super().__init__()
        self.classes = tf.constant([name.encode() for name in classes])
        self.centres = tf.Variable(centres)

    def scores(self, image_bytes):
        def mean(encoded):
            image = tf.io.decode_image(encoded, channels=1, expand_animations=False)
            return tf.reduce_mean(tf.cast(image, tf.float32))

        means = tf.map_fn(mean, image_bytes, fn_output_signature=tf.float32)
        return tf.nn.softmax(-tf.square(means[:, None] - self.centres[None]) / SCALE)

    def named(self, scores):
        return tf.repeat(self.classes[None], tf.shape(scores)[0], axis=0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serve(self, image_bytes):
        scores = self.scores(image_bytes)
        return {
            "class": tf.gather(self.classes, tf.argmax(scores, axis=1)),
            "score": tf.reduce_max(scores, axis=1),
            "scores": scores,
            "classes": self.named(scores),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(self, inputs):
        parsed = tf.io.parse_example(
            inputs, {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
        )
        scores = self.scores(parsed["image/encoded"])
        return {"classes": self.named(scores), "scores": scores}


def save(folder, classes=CLASSES, centres=CENTRES):
    """Write the model below `folder`; returns the artifact."""
    model = Model(Path(folder))
    module = _ByMean(classes, centres)
    signatures = {"serving_default": module.serve, "classification": module.classify}
    tf.saved_model.save(module, str(model.saved_model), signatures)
    file = model.saved_model / "saved_model.pb"
    label = {"task": "classification", "label": "image/class/text"}
    (model.path / "model.json").write_text(json.dumps(label))
    proto = SavedModel.FromString(file.read_bytes())
    defs = proto.meta_graphs[0].signature_def
    defs["classification"].method_name = "tensorflow/serving/classify"
    file.write_bytes(proto.SerializeToString())
    return model


def png(mean, size=4):
    """A grey picture as PNG bytes."""
    file = io.BytesIO()
    Image.fromarray(np.full((size, size), mean, np.uint8)).save(file, "PNG")
    return file.getvalue()


def expected_scores(means, centres=CENTRES):
    """What the model says of pictures of these means, float64 [pictures, classes]."""
    logits = -((np.array(means, float)[:, None] - np.array(centres)) ** 2) / SCALE
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def record(mean, label, filename, **more):
    """One raw record."""
    features = {
        "image/encoded": png(mean),
        "image/class/text": label,
        "image/filename": filename,
    }
    return features | more


def write_examples(folder, splits, shards=2):
    """Write `splits`, name to list of feature mappings, in `shards` files each."""
    examples = Examples(Path(folder))
    for split, rows in splits.items():
        examples.split_path(split).mkdir(parents=True)
        for shard in range(shards):
            records = [example.encode(row) for row in rows[shard::shards]]
            write_records(examples.shard(split, shard, shards), records)
    return examples.write_summary({split: len(rows) for split, rows in splits.items()})
