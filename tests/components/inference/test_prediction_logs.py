"""Logs written for many rows at once are, byte for byte, protobuf's messages of each."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from millrace.components.files import columns
from millrace.components.inference import requests
from millrace.components.inference.prediction_logs import logs
from millrace.serving import wire
from millrace.serving.example import decode, encode
from millrace.serving.protos import prediction_log_pb2
from millrace.serving.signature import PREDICT, Signature, TensorInfo

INPUTS = {
    "price": TensorInfo("price:0", "float32", (None,)),
    "prices": TensorInfo("prices:0", "float64", (None, 2)),
    "count": TensorInfo("count:0", "int64", (None,)),
    "name": TensorInfo("name:0", "string", (None,)),
    "length": TensorInfo("length:0", "int32", ()),
}
SIGNATURE = Signature("serving_default", PREDICT, INPUTS, {}, {}, None)
FLOATS = st.floats(width=32)
ROW = st.fixed_dictionaries(
    {},
    optional={
        "price": FLOATS,
        "prices": st.tuples(FLOATS, FLOATS).map(np.float32),
        "count": st.integers(-(2**63), 2**63 - 1),
        "name": st.binary(max_size=300),
    },
)
DTYPES = ["float32", "float64", "float16", "int64", "int32", "uint8", "bool"]


def outputs_of(rows):
    shapes = st.sampled_from([(), (1,), (3,), (2, 70), (0,)])
    numbers = st.tuples(st.sampled_from(DTYPES), shapes).flatmap(
        lambda each: hnp.arrays(each[0], (rows, *each[1]))
    )
    texts = st.sampled_from([(), (2,)]).flatmap(
        lambda shape: hnp.arrays(object, (rows, *shape), elements=st.binary(max_size=200))
    )
    names = st.sampled_from(["class", "classes", "score", "scores", "s", "é", ""])
    return st.dictionaries(names, numbers | texts, max_size=4)


def message(row, outputs):
    """The log of one row as protobuf writes it."""
    log = prediction_log_pb2.PredictionLog()
    request, response = log.predict_log.request, log.predict_log.response
    request.model_spec.signature_name = response.model_spec.signature_name = "serving_default"
    for name, array in requests.inputs(SIGNATURE, [row]).items():
        request.inputs[name].CopyFrom(wire.to_proto(array, name=name))
    for name, array in outputs.items():
        response.outputs[name].CopyFrom(wire.to_proto(array[None], name=name, typed=True))
    return log.SerializeToString(deterministic=True)


@given(rows=st.lists(ROW, min_size=1, max_size=4), data=st.data())
def test_logs_are_the_messages_of_each_row(rows, data):
    outputs = data.draw(outputs_of(len(rows)))
    decoded = [decode(encode(row)) for row in rows]
    found = list(logs(columns.of_rows(decoded, "f"), outputs, SIGNATURE))
    assert found == [
        message(row, {name: array[number, ...] for name, array in outputs.items()})
        for number, row in enumerate(decoded)
    ]
