"""From a trained model and its records to a picture per layer."""

import numpy as np
import pytest
from PIL import Image

from millrace.components.artifacts import TrainedModel
from millrace.components.errors import DataError, OptionError
from millrace.components.feature_maps import feature_maps
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models import image, keras_file
from millrace.components.models.image_options import Augment, Cnn
from tests.components import transformed


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    spec = ImageSpec(transformed.NAMES, 12, 12, 3)
    model = image.build(
        Cnn(filters=(4, 20), padding="same"), Augment(), spec, units=3, activation="softmax"
    )
    found = TrainedModel(tmp_path_factory.mktemp("model"))
    keras_file.save(model.inference, found.keras_file)
    return found


@pytest.fixture
def data(tmp_path):
    return transformed.write(tmp_path / "data", side=12, channels=3, train=4, evaluated=4)


def size(path):
    with Image.open(path) as picture:
        return picture.size


def test_each_layer_with_maps_gets_a_file_in_its_order(trained, data, tmp_path):
    examples, analysis = data
    plots = feature_maps(trained, examples, analysis, tmp_path, pictures=2)
    assert [file.name for file in plots.files] == [
        "00-pictures.png",
        "01-scale.png",
        "02-block1_conv1.png",
        "03-block1_pool.png",
        "04-block2_conv1.png",
        "05-block2_pool.png",
    ]
    assert plots.properties() == {"plots": 6}
    assert size(plots.files[2]) == (5 * 50, 2 * 50)
    assert size(plots.files[4]) == (17 * 50, 2 * 50)
    end = "a row for each picture"
    assert plots.captions["02-block1_conv1.png"] == (
        f"block1_conv1: the average of its 4 maps of 12 by 12, then each, {end}"
    )
    assert plots.captions["04-block2_conv1.png"] == (
        f"block2_conv1: the average of its 20 maps of 6 by 6, then the first 16, {end}"
    )
    shown = np.asarray(Image.open(plots.files[0]))
    (first, _), (second, _) = transformed.pictures(2, 3, (12, 12, 3), seed=1)
    np.testing.assert_array_equal(shown, np.concatenate([first, second], axis=1))


def test_layers_can_be_named(trained, data, tmp_path):
    examples, analysis = data
    plots = feature_maps(trained, examples, analysis, tmp_path, layers=("block2_pool",), maps=3)
    assert [file.name for file in plots.files] == ["00-pictures.png", "01-block2_pool.png"]
    assert size(plots.files[1]) == (4 * (48 + 2), 3 * 50)


def test_no_pictures_are_refused(trained, tmp_path):
    examples, analysis = transformed.write(tmp_path / "none", side=12, train=0, evaluated=0)
    with pytest.raises(DataError, match=r"expected pictures to show\. Received: none"):
        feature_maps(trained, examples, analysis, tmp_path)


def test_a_split_that_is_not_there_gives_way_to_the_first(trained, data, tmp_path):
    examples, analysis = data
    plots = feature_maps(trained, examples, analysis, tmp_path, split="test", pictures=1)
    (first, _) = next(transformed.pictures(1, 3, (12, 12, 3), seed=0))
    np.testing.assert_array_equal(np.asarray(Image.open(plots.files[0])), first)


def test_a_layer_that_is_not_there_is_refused(trained, data, tmp_path):
    examples, analysis = data
    with pytest.raises(OptionError, match=r"feature_maps\.layers: expected layers with maps: "):
        feature_maps(trained, examples, analysis, tmp_path, layers=("dense1",))
