"""Models like those in TensorFlow Serving's own tests: `y = x / 2 + 2`, built in many ways.

Signatures, tensor names and shapes are those of tensorflow_serving/servables/tensorflow/testdata,
which a client sees in a model's metadata.
"""

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from millrace.serving.tflite import FILE
from tests.serving.test_tflite import with_signatures

v1 = tf.compat.v1
VERSION = 123
FOLDER = f"{VERSION:08}"
ROW = [None, 1]


def tf1(base, bias=2.0):
    """Graph mode: placeholders, variables, an asset, a main op; `classify` has scores only."""
    path = base / FOLDER
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        slope, offset, other = (v1.Variable(value) for value in (0.5, bias, bias + 1))
        examples = v1.placeholder(tf.string, name="tf_example")
        features = {
            "x": tf.io.FixedLenFeature([1], tf.float32),
            "x2": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0]),
        }
        parsed = tf.io.parse_example(tf.reshape(examples, [-1]), features)
        x, x2 = (tf.ensure_shape(parsed[name], ROW) for name in ("x", "x2"))
        x, x2 = tf.identity(x, "x"), tf.identity(x2, "x2")
        y, y2 = tf.identity(slope * x + offset, "y"), tf.identity(slope * x + other, "y2")
        y3 = tf.identity(slope * x2 + other, "y3")
        asset = base / "words.txt"
        asset.write_text("one\ntwo\n")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, tf.constant(str(asset)))
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        info = v1.saved_model.build_tensor_info

        def signature(inputs, outputs, method):
            return v1.saved_model.build_signature_def(
                {name: info(tensor) for name, tensor in inputs.items()},
                {name: info(tensor) for name, tensor in outputs.items()},
                f"tensorflow/serving/{method}",
            )

        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={
                "serving_default": signature({"x": x}, {"y": y}, "predict"),
                "regress_x_to_y": signature({"inputs": examples}, {"outputs": y}, "regress"),
                "regress_x_to_y2": signature({"inputs": examples}, {"outputs": y2}, "regress"),
                "regress_x2_to_y3": signature({"inputs": x2}, {"outputs": y3}, "regress"),
                "classify_x_to_y": signature({"inputs": examples}, {"scores": y}, "classify"),
            },
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=tf.group(v1.tables_initializer()),
        )
        builder.save()
    return base


class _Tf2(tf.Module):
    def __init__(self):
        super().__init__()
        self.slope, self.offset = tf.Variable(0.5), tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([1], tf.float32, "x")])
    def predict(self, x):
        return {"y": self.slope * x + self.offset}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress(self, inputs):
        return {"outputs": self._of(inputs)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify(self, inputs):
        return {"scores": self._of(inputs)}

    def _of(self, inputs):
        features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
        return self.slope * tf.io.parse_example(inputs, features)["x"] + self.offset


def tf2(base):
    """Native TF2: every signature has the method name of Predict and its own input."""
    module = _Tf2()
    signatures = {
        "serving_default": module.predict,
        "regress_x_to_y": module.regress,
        "classify_x_to_y": module.classify,
    }
    tf.saved_model.save(module, str(base / FOLDER), signatures=signatures)
    return base


def one_signature(base):
    """`y = 3 * 2 * x`, saved with a concrete function."""
    root = tf.train.Checkpoint()
    root.v1, root.v2 = tf.Variable(3.0), tf.Variable(2.0)
    root.f = tf.function(lambda x: {"y": root.v1 * root.v2 * x})
    concrete = root.f.get_concrete_function(tf.TensorSpec(None, tf.float32))
    tf.saved_model.save(root, str(base / FOLDER), concrete)
    return base


def several_signatures(base):
    """`serving_default` always answers 1, `custom_signature_key` 2."""
    root = tf.train.Checkpoint()
    spec = [tf.TensorSpec(None, tf.float32)]
    root.f = tf.function(lambda x: {"y": 1.0}, input_signature=spec)
    root.g = tf.function(lambda x: {"y": 2.0}, input_signature=spec)
    signatures = {"serving_default": root.f, "custom_signature_key": root.g}
    tf.saved_model.save(root, str(base / FOLDER), signatures=signatures)
    return base


def keras3(base):
    """A Keras 3 Sequential, built under a strategy, with names for inputs and outputs."""
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        model = keras.Sequential([keras.Input((1,), name="x"), keras.layers.Dense(1, name="y")])
    model.get_layer("y").set_weights([np.array([[0.5]]), np.array([2.0])])
    model.export(str(base / FOLDER), verbose=False)
    return base


def keras2(base):
    """The layout of Keras 2: the output has the layer's name, and there is a file for Keras."""
    module = tf.Module()
    module.kernel, module.bias = tf.Variable([[0.5]]), tf.Variable([2.0])
    spec = [tf.TensorSpec([None, 1], tf.float32, "x")]
    call = tf.function(lambda x: {"y": x @ module.kernel + module.bias}, input_signature=spec)
    tf.saved_model.save(module, str(base / FOLDER), call)
    (base / FOLDER / "keras_metadata.pb").write_bytes(b"\n\x04root")
    return base


def tflite(base, *, signatures=False):
    """Only `model.tflite`, without signatures, so that tensors are named by themselves."""
    (base / FOLDER).mkdir(parents=True)
    taken, given = ("input", "output") if signatures else ("x", "y")
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, [None], taken)
        y = tf.identity(0.5 * x + 2.0, given)
        content = v1.lite.TFLiteConverter.from_session(session, [x], [y]).convert()
    if signatures:
        found = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
        for tensors, alias, tensor in ((found.inputs, "x", x), (found.outputs, "y", y)):
            tensors[alias].name, tensors[alias].dtype = tensor.name, tensor.dtype.as_datatype_enum
        content = with_signatures(content, serving_default=found)
    (base / FOLDER / FILE).write_bytes(content)
    return base
