"""An exported text classifier answers as the training path does, on every level of tokens."""

import numpy as np
import pytest
import tensorflow as tf
from etils.epath import Path
from tensorflow.core.protobuf import saved_model_pb2

from millrace.components.exporting import saved_model
from millrace.components.exporting.text import endpoints, reference
from millrace.components.features.text_spec import TextSpec
from millrace.components.models.text import build
from millrace.components.models.text_options import Bag, Embedding, Letters, TextConv, TextRnn
from millrace.serving.example import decode, encode
from millrace.serving.model import LoadedModel

TEXTS = ["The cat, the DOG!", "", "naïve café <br /> dog—cat", "\u2581\x00 ß", "cat " * 50]
ROWS = [decode(encode({"text": text, "text/class/text": "ham"})) for text in TEXTS]
KINDS = [
    ("word", ("the", "cat", "dog"), Embedding(dense=(4,), dropout=0.2)),
    ("subword", ("\u2581", "\u2581c", "at", "t", "\u2581dog", "a"), TextRnn(units=(3,))),
    ("character", tuple("abcdt \u00e9"), TextConv(filters=(3,), kernel_size=2)),
    ("word", ("the", "dog"), Bag()),
    ("word", ("the", "dog"), Letters(most=9)),
]


def ops_of(folder):
    """The names of all operations in the SavedModel `folder`."""
    proto = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph = proto.meta_graphs[0].graph_def
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    return {node.op for nodes in bodies for node in nodes}


@pytest.mark.parametrize(("level", "vocabulary", "options"), KINDS, ids=lambda each: str(each)[:9])
def test_the_served_answers_are_those_of_the_training_path(level, vocabulary, options, tmp_path):
    letters = 0 if level == "character" else 30
    classes = ("ham", "spam", "x")
    spec = TextSpec(classes, vocabulary, 12, level=level, strip_html=True, letters=letters)
    model = build(options, spec, units=3, activation="softmax").inference
    folder = Path(tmp_path) / "model"
    saved_model.write(endpoints(model, spec), folder)
    expected = reference(model, spec, ROWS).numbers
    inputs = np.array([text.encode() for text in TEXTS], object)
    examples = np.array([encode({"text": text}) for text in TEXTS], object)
    with LoadedModel(folder) as served:
        predicted = served.predict({"text": inputs})
        classified = served.predict({"inputs": examples}, signature="classify")
        assert served.predict({"text": inputs[:0]})["scores"].shape == (0, 3)
    ops = ops_of(folder)
    assert {op for op in ops if not hasattr(tf.raw_ops, op)} == set()  # none but TensorFlow's own
    assert not ops & {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
    np.testing.assert_allclose(predicted["scores"], expected["serving_default/scores"], atol=1e-6)
    np.testing.assert_allclose(classified["scores"], expected["classify/scores"], atol=1e-6)
    assert predicted["classes"][0].tolist() == [b"ham", b"spam", b"x"]
    assert np.isfinite(predicted["scores"]).all()
