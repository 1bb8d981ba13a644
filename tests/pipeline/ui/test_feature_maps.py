"""The maps of one picture, drawn in a process of its own."""

import io

import numpy as np
import pytest
from etils.epath import Path
from PIL import Image

from millrace.components.artifacts import Analysis, TrainedModel
from millrace.components.features import spec as specs
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models import image, keras_file
from millrace.components.models.image_options import Augment, Cnn
from millrace.pipeline.errors import PipelineError, UsageError
from millrace.pipeline.ui import feature_maps
from millrace.pipeline.ui.feature_maps import Wanted

SPEC = ImageSpec(("ant", "bee"), 8, 8, 1)
PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)


def write_model(model):
    built = image.build(
        Cnn(filters=(2,), padding="same"), Augment(), SPEC, units=2, activation="softmax"
    )
    keras_file.save(built.inference, model.keras_file)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    analysis = Analysis(folder / "analysis")
    analysis.path.mkdir()
    specs.write(SPEC, analysis.file)
    write_model(TrainedModel(folder))
    return {"model": str(folder), "analysis": str(analysis.path)}


def picture():
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    return file.getvalue()


def in_this_process(wanted, folder):
    """The captions, and the picture as the network takes it."""
    folder.mkdir()
    feature_maps._put(wanted, folder)
    captions = feature_maps._draw(Path(folder))
    return captions, np.asarray(Image.open(folder / "maps" / "00-pictures.png"))


def test_a_file_is_drawn_as_the_pixels_in_it(folders, tmp_path):
    for content, is_file in ((picture(), True), (PIXELS.tobytes(), False)):
        wanted = Wanted(**folders, picture=content, is_file=is_file, name="it")
        captions, taken = in_this_process(wanted, tmp_path / str(is_file))
        assert list(captions.values()) == [
            "The picture, as the network takes it",
            "scale: its map of 8 by 8",
            "block1_conv1: the average of its 2 maps of 8 by 8, then each",
            "block1_pool: the average of its 2 maps of 4 by 4, then each",
        ]
        np.testing.assert_array_equal(taken, PIXELS)


def test_a_process_of_its_own_refuses_what_is_no_picture_by_its_name(folders):
    wanted = Wanted(**folders, picture=b"none", is_file=True, name="notes.txt")
    with pytest.raises(UsageError, match=r"notes\.txt: expected a picture .* Received: .*Choose"):
        feature_maps.drawn(wanted)


def test_a_process_that_takes_too_long_is_ended(folders):
    wanted = Wanted(**folders, picture=b"", is_file=True, name="it")
    with pytest.raises(PipelineError, match=r"expected them within 0\.1 s"):
        feature_maps.drawn(wanted, patience=0.1)
