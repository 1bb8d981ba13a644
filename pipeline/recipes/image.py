"""Recipes for images, and where their images come from."""

from etils.epath import Path

from millrace.components.convolutions import convolutions
from millrace.components.example_gen.image import image_example_gen
from millrace.components.example_gen.pixels import pixels_example_gen
from millrace.components.example_gen.samples import digits_images, sample_picture
from millrace.components.example_gen.tfds import tfds_example_gen
from millrace.components.example_gen.tfrecords import import_example_gen
from millrace.components.features.image_spec import ImageOptions
from millrace.components.files import archives
from millrace.components.files.picture_names import is_picture
from millrace.pipeline.dag import Dag, Source, Step
from millrace.pipeline.errors import UsageError
from millrace.pipeline.recipes.own import OwnWiring
from millrace.pipeline.recipes.row import Ingest, Recipe

_PIXELS = (".csv", ".npz")


def _digits(dag: Dag, data: str | None) -> Step:
    source = Source(data) if data else dag.step(digits_images)
    return dag.step(image_example_gen, source=source)


def _anything(dag: Dag, data: str | None) -> Step:
    """Ingest of anybody's labelled images: class folders, an archive of them, TFRecords, a CSV or
    an `.npz` of pixels, or `tfds:NAME`.
    """
    if not data:
        raise UsageError(
            f"Recipe {dag.name}: expected --data DIR, a folder with one folder of images per "
            "class or an archive of it, a folder of TFRecords, a CSV or .npz of pixels, or "
            "`tfds:NAME`. Received: no --data."
        )
    if data.startswith("tfds:"):
        return dag.step(tfds_example_gen, dataset=data.removeprefix("tfds:"))
    return _files(dag, data)


def _files(dag: Dag, data: str) -> Step:
    """Ingest of the user's own files."""
    folder = Path(data).expanduser()
    source = Source(str(folder))
    if any(True for pattern in ("*tfrecord*", "*/*tfrecord*") for _ in folder.glob(pattern)):
        return dag.step(import_example_gen, source=source)
    # Where a data set has no eval split of its own, nobody shall stop early on its test split.
    if _holds_pixels(folder):
        return dag.step(pixels_example_gen, source=source, eval_from_train=0.1)
    return dag.step(image_example_gen, source=source, eval_from_train=0.1)


def _holds_pixels(path: Path) -> bool:
    """Whether `path` is a CSV or `.npz` file, a folder of them and of no folders, or an archive
    of a CSV and of no images.
    """
    if path.suffix.lower() in _PIXELS:
        return True
    if archives.is_archive(path.name) and path.is_file():
        names = archives.first_names(path)
        return any(name.lower().endswith(_PIXELS) for name in names) and not any(
            map(is_picture, names)
        )
    entries = list(path.iterdir()) if path.is_dir() else []
    names = [entry.name for entry in entries]
    packed = [entry for entry in entries if archives.is_archive(entry.name) and entry.is_file()]
    names += [name for archive in packed for name in archives.first_names(archive)]
    return any(name.lower().endswith(_PIXELS) for name in names) and not any(
        [*(entry.is_dir() for entry in entries), *map(is_picture, names)]
    )


def _tfds(dataset: str) -> Ingest:
    """Ingest of the TensorFlow Datasets set `dataset`, or of what `--data` holds instead.

    `--data` may be a TFDS data folder, a folder of the set's own downloaded files, a folder
    of images in class folders or an archive of it, a CSV or `.npz` of pixels, or `tfds:NAME` of
    another set.
    """

    def ingest(dag: Dag, data: str | None) -> Step:
        if data is None:
            return dag.step(tfds_example_gen, dataset=dataset)
        if data.startswith("tfds:"):
            return dag.step(tfds_example_gen, dataset=data.removeprefix("tfds:"))
        folder = Path(data).expanduser()
        if (folder / dataset).exists() or (folder / "downloads").exists():
            return dag.step(tfds_example_gen, dataset=dataset, data_dir=str(folder.resolve()))
        if _holds_pixels(folder) or _holds_folders(folder):
            return _files(dag, data)
        return dag.step(tfds_example_gen, dataset=dataset, manual_dir=str(folder.resolve()))

    return ingest


def _holds_folders(path: Path) -> bool:
    """Whether `path` is a folder of folders, or an archive."""
    if path.is_file():
        return archives.is_archive(path.name)
    return path.is_dir() and any(entry.is_dir() for entry in path.iterdir())


def _convolutions(dag: Dag, data: str | None, serving_root: Path) -> None:
    """A picture under hand-made filters of 3x3 and pooling; nothing is trained."""
    picture = Source(str(Path(data).expanduser())) if data else dag.step(sample_picture)
    dag.step(convolutions, source=picture)


WIRINGS = (
    OwnWiring(
        "convolutions",
        _convolutions,
        "image",
        "inside: a photo of scikit-learn, or --data: a picture",
    ),
)

_SMALL_CNN = ("trainer.model=cnn", "trainer.model.filters=32,64", "trainer.model.padding=same")
_COURSE_CNN = ("trainer.model=cnn", "trainer.model.filters=64,64", "trainer.model.dense=128")
_COURSE_BLOCKS = (
    "trainer.model=cnn",
    "trainer.model.filters=16,32,64",
    "trainer.model.dense=512",
    "trainer.optimizer=rmsprop",
    "trainer.learning_rate=0.001",
)
_COURSE_AUGMENTATION = (
    "trainer.augment.flip=horizontal",
    "trainer.augment.rotation=40",
    "trainer.augment.width_shift=0.2",
    "trainer.augment.height_shift=0.2",
    "trainer.augment.shear=0.2",
    "trainer.augment.zoom=0.2",
)

ROWS = (
    Recipe(
        "digits",
        "image",
        "inside: the 1,797 digit scans of scikit-learn",
        "handwritten digits of 8x8 pixels; the main job, in a minute",
        _digits,
        ("trainer.epochs=15", *_SMALL_CNN),
    ),
    Recipe(
        "fashion-mnist-dense",
        "image",
        "TFDS fashion_mnist, or --data",
        "clothes of 28x28 pixels by Flatten, Dense 128, Dense 10",
        _tfds("fashion_mnist"),
        (
            "analyze.features.scale=standardise",
            "trainer.epochs=5",
            "trainer.model=dense",
            "trainer.batch_size=128",
        ),
    ),
    Recipe(
        "fashion-mnist-cnn",
        "image",
        "TFDS fashion_mnist, or --data",
        "clothes of 28x28 pixels by two convolutions of 64 filters",
        _tfds("fashion_mnist"),
        ("trainer.epochs=5", *_COURSE_CNN),
    ),
    Recipe(
        "mnist",
        "image",
        "TFDS mnist, or --data",
        "digits of 28x28 pixels; stops by itself at 99 % training accuracy",
        _tfds("mnist"),
        ("trainer.epochs=10", "trainer.model=dense", "trainer.stop_at.accuracy=0.99"),
    ),
    Recipe(
        "horses-or-humans",
        "image",
        "TFDS horses_or_humans, or --data",
        "pictures of 300x300 by three convolutions of 16, 32 and 64 filters and Dense 512",
        _tfds("horses_or_humans"),
        ("trainer.epochs=15", *_COURSE_BLOCKS),
        ImageOptions(height=300, width=300, channels=3),
    ),
    Recipe(
        "horses-or-humans-compact",
        "image",
        "TFDS horses_or_humans, or --data",
        "five convolutions; 150x150 by --set analyze.features.height=150 (and width)",
        _tfds("horses_or_humans"),
        ("trainer.epochs=15", *_COURSE_BLOCKS, "trainer.model.filters=16,32,64,64,64"),
        ImageOptions(height=300, width=300, channels=3),
    ),
    Recipe(
        "cats-vs-dogs",
        "image",
        "TFDS cats_vs_dogs, or --data",
        "photos of 150x150 by three convolutions of 16, 32 and 64 filters and Dense 512",
        _tfds("cats_vs_dogs"),
        ("trainer.epochs=15", *_COURSE_BLOCKS),
        ImageOptions(height=150, width=150, channels=3),
    ),
    Recipe(
        "cats-vs-dogs-augmented",
        "image",
        "TFDS cats_vs_dogs, or --data",
        "the same with four convolutions, turned, shifted, sheared, zoomed and mirrored",
        _tfds("cats_vs_dogs"),
        (
            "trainer.epochs=60",
            *_COURSE_BLOCKS,
            "trainer.model.filters=32,64,128,128",
            "trainer.learning_rate=0.0001",
            *_COURSE_AUGMENTATION,
        ),
        ImageOptions(height=150, width=150, channels=3),
    ),
    Recipe(
        "cats-vs-dogs-transfer",
        "image",
        "TFDS cats_vs_dogs, or --data",
        "SqueezeNet's features and one unit; weights by --set trainer.model.weights=FILE",
        _tfds("cats_vs_dogs"),
        (
            "trainer.epochs=20",
            "trainer.model=transfer",
            "trainer.model.backbone=squeezenet",
            "trainer.model.l2=1",
            "trainer.learning_rate=0.003",
            "trainer.schedule=cosine",
            "evaluator.at_least.accuracy=0.95",
        ),
        ImageOptions(height=227, width=227, channels=3),
    ),
    Recipe(
        "rock-paper-scissors",
        "image",
        "TFDS rock_paper_scissors, or --data",
        "hands of 150x150 pixels, three classes, augmented",
        _tfds("rock_paper_scissors"),
        (
            "trainer.epochs=25",
            "trainer.model=cnn",
            "trainer.model.filters=64,64,128,128",
            "trainer.model.dense=512",
            "trainer.model.dropout=0.5",
            "trainer.optimizer=rmsprop",
            *_COURSE_AUGMENTATION,
        ),
        ImageOptions(height=150, width=150, channels=3),
    ),
    Recipe(
        "sign-language",
        "image",
        "--data: a folder of images per class, or a CSV of pixels",
        "signs of a hand, digits or letters, in 64x64 pixels",
        _anything,
        (
            "trainer.epochs=15",
            "trainer.model=cnn",
            "trainer.model.filters=32,64,128,128",
            "trainer.model.padding=same",
            "trainer.model.dense=256",
            "trainer.model.dropout=0.5",
            "trainer.model.batch_normalization=true",
            "trainer.augment.rotation=10",
            "trainer.augment.width_shift=0.1",
            "trainer.augment.height_shift=0.1",
            "trainer.augment.zoom=0.1",
            "trainer.monitor=val_accuracy",
            "trainer.keep=best",
            "evaluator.at_least.accuracy=0.9",
        ),
        ImageOptions(height=64, width=64),
    ),
    Recipe(
        "cifar-small-cnn",
        "image",
        "TFDS cifar10, or --data",
        "ten kinds of things in 32x32 pixels by one convolution of 16 filters and Dense 64",
        _tfds("cifar10"),
        (
            "trainer.epochs=10",
            "trainer.model=cnn",
            "trainer.model.filters=16",
            "trainer.model.pool_size=3",
            "trainer.model.dense=64",
        ),
        ImageOptions(height=32, width=32, channels=3),
    ),
    Recipe(
        "image-classifier",
        "image",
        "--data: class folders or an archive, TFRecords, a CSV or .npz of pixels, or tfds:NAME",
        "anybody's images; size and channels are chosen from the data",
        _anything,
        (
            "trainer.epochs=30",
            "trainer.model=auto",
            "trainer.threshold=auto",
            "trainer.augment.rotation=10",
            "trainer.augment.zoom=0.1",
            "trainer.early_stopping.patience=10",
            "trainer.monitor=val_accuracy",
            "trainer.keep=best",
        ),
    ),
)
