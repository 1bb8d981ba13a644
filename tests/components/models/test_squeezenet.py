"""SqueezeNet 1.1: its published size, and weights read layer by layer."""

import h5py
import numpy as np
import pytest
from etils.epath import Path

from millrace.components.errors import ModelError
from millrace.components.models import squeezenet

FILE = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture(scope="module")
def network():
    return squeezenet.build((227, 227, 3))


def test_it_has_its_published_parameters_and_maps(network):
    assert network.count_params() == 722_496
    assert network.output.shape == (None, 13, 13, 512)
    assert len([layer for layer in network.layers if layer.weights]) == 25


def test_the_imagenet_weights_are_given_to_every_layer(network, shared_data):
    file = shared_data / "squeezenet_weights" / FILE
    squeezenet.load_weights(network, Path(file))
    with h5py.File(file) as found:
        expected = found["fire2/expand3x3/uniform4"][()]
        bias = found["fire9/squeeze1x1/fire9/squeeze1x1_b"][()]
    kernel = network.get_layer("fire2_expand3x3").get_weights()[0]
    np.testing.assert_array_equal(kernel, expected)
    np.testing.assert_array_equal(network.get_layer("fire9_squeeze1x1").get_weights()[1], bias)


def test_a_file_of_another_network_is_refused_by_its_first_odd_layer(network, tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["conv1/kernel"] = np.zeros((5, 5, 3, 64), np.float32)
    with pytest.raises(ModelError) as caught:
        squeezenet.load_weights(network, Path(tmp_path / "w.h5"))
    assert str(caught.value) == (
        f"{tmp_path}/w.h5, conv1: expected a kernel and a bias of shapes "
        "[(3, 3, 3, 64), (64,)]. Received: [(5, 5, 3, 64)]. Use "
        f"{FILE} from https://github.com/rcmalli/keras-squeezenet/releases/download/v1.0/{FILE}."
    )
