"""The image rows: what `--data` may be, and the parameters of the networks they name."""

import zipfile

import pytest
from etils.epath import Path

from millrace.components.features.image_spec import ImageSpec
from millrace.components.models import image as images
from millrace.components.training import objective
from millrace.pipeline.recipes.catalog import find
from millrace.pipeline.recipes.image import ROWS

NEW = (
    "horses-or-humans",
    "horses-or-humans-compact",
    "cats-vs-dogs",
    "cats-vs-dogs-augmented",
    "cats-vs-dogs-transfer",
    "rock-paper-scissors",
    "cifar-small-cnn",
)


def wire(recipe, data=None, *settings):
    dag = find(recipe).wire(recipe, data, Path("serving"))
    dag.configure(settings)
    return dag


def ingest(recipe, data=None):
    return next(iter(wire(recipe, data).steps.values()))


def parameters(recipe, classes, *settings):
    """Of each layer that has any, of the network that the recipe builds."""
    dag = wire(recipe, "tfds:x", *settings)
    features, options = dag.find("analyze").options["features"], dag.find("trainer").options
    names = tuple(map(str, range(classes)))
    spec = ImageSpec(names, features.height, features.width or features.height, features.channels)
    target = objective.of(spec, options["loss"], options["output"])
    model = images.build(
        options["model"],
        options["augment"],
        spec,
        units=target.units,
        activation=target.activation,
    ).inference
    return [layer.count_params() for layer in model.layers if layer.count_params()]


def test_horses_or_humans_has_its_published_parameters():
    assert parameters("horses-or-humans", 2) == [448, 4_640, 18_496, 40_141_312, 513]


@pytest.mark.parametrize(("side", "dense"), [(300, 1_606_144), (150, 131_584)])
def test_the_compact_variant_has_five_blocks_at_either_size(side, dense):
    settings = [f"analyze.features.{name}={side}" for name in ("height", "width")]
    assert parameters("horses-or-humans-compact", 2, *settings) == [
        *(448, 4_640, 18_496, 36_928, 36_928, dense, 513)
    ]


def test_the_small_cnn_of_cifar_has_its_published_parameters():
    assert parameters("cifar-small-cnn", 10) == [448, 102_464, 650]


def test_the_transfer_row_trains_513_of_its_parameters():
    assert parameters("cats-vs-dogs-transfer", 2, "trainer.model.weights=none") == [722_496, 513]


@pytest.mark.parametrize("recipe", NEW)
def test_a_course_row_comes_from_tfds_where_no_data_is_given(recipe):
    step = ingest(recipe)
    assert step.name == "tfds_example_gen"
    assert step.options["dataset"] == {
        "horses-or-humans-compact": "horses_or_humans",
        "cats-vs-dogs-augmented": "cats_vs_dogs",
        "cats-vs-dogs-transfer": "cats_vs_dogs",
        "cifar-small-cnn": "cifar10",
    }.get(recipe, recipe.replace("-", "_"))


@pytest.mark.parametrize("recipe", [*NEW, "sign-language", "image-classifier"])
def test_folders_pixels_and_another_set_take_its_place(recipe, tmp_path):
    for name in ("folders/ant/1.png", "folders/bee/1.png", "pixels/train.csv", "pixels/test.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert ingest(recipe, str(tmp_path / "folders")).name == "image_example_gen"
    assert ingest(recipe, str(tmp_path / "pixels")).name == "pixels_example_gen"
    assert ingest(recipe, str(tmp_path / "pixels/train.csv")).name == "pixels_example_gen"
    assert ingest(recipe, "tfds:cmaterdb").options["dataset"] == "cmaterdb"
    assert ingest(recipe, str(tmp_path / "folders")).options["eval_from_train"] == 0.1


@pytest.mark.parametrize("recipe", [*NEW, "image-classifier"])
def test_archives_and_arrays_go_where_their_content_does(recipe, tmp_path):
    folder = tmp_path / "packed"
    folder.mkdir()
    (folder / "sampleSubmission.csv").touch()
    for name, member in {"train": "train/cat.0.jpg", "pixels": "train.csv"}.items():
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr(member, b"")
    (tmp_path / "mnist.npz").touch()
    assert ingest(recipe, str(folder / "train.zip")).name == "image_example_gen"
    kind = "image" if recipe == "image-classifier" else "tfds"  # which unpacks its own downloads
    assert ingest(recipe, str(folder)).name == f"{kind}_example_gen"
    assert ingest(recipe, str(folder / "pixels.zip")).name == "pixels_example_gen"
    assert ingest(recipe, str(tmp_path / "mnist.npz")).name == "pixels_example_gen"


def test_every_row_says_what_it_is_in_a_line():
    assert all(row.kind == "image" and row.summary and row.data for row in ROWS)
