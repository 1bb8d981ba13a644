"""A network at a temperature: the same order of classes, another confidence."""

import keras
import numpy as np
import pytest
from etils.epath import Path

from millrace.components.models import keras_file
from millrace.components.models.temperature import Temperature, warmed

LOGITS = np.random.default_rng(3).normal(0, 4, (50, 3)).astype(np.float32)


def network(units, activation, *, as_dense):
    """A network whose logits are the first `units` of its inputs."""
    inputs = keras.Input((3,), name="x")
    last = keras.layers.Dense(units, activation=None if not as_dense else activation, name="scores")
    answers = last(inputs)
    if not as_dense:
        answers = keras.layers.Activation(activation, name="scores_of")(answers)
    model = keras.Model(inputs, answers)
    last.set_weights([np.eye(3, units, dtype=np.float32), np.zeros(units, np.float32)])
    return model


def expected(units, activation, heat):
    cold = LOGITS[:, :units].astype(np.float64) / heat
    if activation == "linear":
        return cold
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-cold))
    powers = np.exp(cold - cold.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("as_dense", [True, False])
@pytest.mark.parametrize(
    ("units", "activation"), [(3, "softmax"), (3, "linear"), (1, "sigmoid"), (1, "linear")]
)
@pytest.mark.parametrize("heat", [0.5, 2.5])
def test_the_logits_are_divided_whatever_the_network_ends_in(
    units, activation, heat, as_dense, tmp_path
):
    model = warmed(network(units, activation, as_dense=as_dense), heat)
    file = Path(tmp_path) / "model.keras"
    keras_file.save(model, file)
    loaded = keras_file.load(file)
    for each in (model, loaded):
        assert each.layers[-1].activation is keras.activations.get(activation)
        assert isinstance(each.layers[-1], Temperature) is not as_dense
        found = each.predict(LOGITS, verbose=0)
        np.testing.assert_allclose(found, expected(units, activation, heat), atol=5e-4)
        if units == 3:
            assert (found.argmax(axis=1) == LOGITS.argmax(axis=1)).all()


@pytest.mark.parametrize("heat", [0.05, 20.0])
def test_certainty_stays_finite(heat):
    layer = Temperature(heat, "softmax")
    assert np.isfinite(layer(np.float32([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])).numpy()).all()
    layer = Temperature(heat, "sigmoid")
    found = layer(np.float32([[0.0], [0.5], [1.0]])).numpy()[:, 0]
    assert np.isfinite(found).all()
    assert found[0] < found[1] == 0.5 < found[2]
