"""A SavedModel of the same weights is the same, whatever addresses its variables had."""

import random

import tensorflow as tf
from etils.epath import Path

from millrace.components.exporting import saved_model

ROW = tf.TensorSpec([None], tf.float32, name="x")


def test_variables_are_written_in_the_order_of_their_use(tmp_path):
    made = [tf.Variable(float(number)) for number in range(20)]
    order = random.Random(7).sample(range(20), 20)

    def total(x):
        for number in order:
            x += made[number]
        return {"y": x}

    saved_model.write({"serving_default": (total, (ROW,))}, Path(tmp_path))
    weights = tf.train.load_checkpoint(str(tmp_path / "variables" / "variables"))
    written = [
        weights.get_tensor(f"_all_variables/{place}/.ATTRIBUTES/VARIABLE_VALUE")
        for place in range(20)
    ]
    assert written == order
