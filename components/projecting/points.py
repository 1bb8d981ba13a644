"""Points from a trained model: the vectors of its embeddings, and how it represents examples."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from millrace.components.artifacts import Examples
from millrace.components.errors import DataError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.spec import Spec
from millrace.components.features.text_spec import TextSpec
from millrace.components.models.networks import SCORES
from millrace.components.training import dataset, objective

_UNKNOWN, _PADDING = "[UNK]", "[PAD]"


@dataclasses.dataclass(frozen=True)
class Points:
    """Points with a name for each.

    Attributes:
        name: of the layer, and of the files.
        vectors: float32 [points, dimensions].
        names: of the points, such as the token or the class.
        pictures: uint8 [points, height, width, channels], or None.
    """

    name: str
    vectors: np.ndarray
    names: list[str]
    pictures: np.ndarray | None = None


def tokens(spec: Spec) -> list[str] | None:
    """The token of each id, padding and unknown ones first; None for data without tokens."""
    if not isinstance(spec, TextSpec | LanguageSpec):
        return None
    return [_PADDING, _UNKNOWN, *spec.vocabulary]


def embeddings(model: keras.Model, spec: Spec, limit: int) -> Iterator[Points]:
    """The first `limit` tokens, the most frequent ones, in each embedding of tokens."""
    names = tokens(spec)
    if names is None:
        return
    for layer in model.layers:
        if isinstance(layer, keras.layers.Embedding) and layer.input_dim == len(names):
            vectors = keras.ops.convert_to_numpy(layer.embeddings)[:limit]
            yield Points(layer.name, vectors.astype(np.float32), names[:limit])


def activations(
    model: keras.Model, spec: Spec, examples: Examples, split: str, limit: int
) -> Points:
    """The output of the last layer but one for the first `limit` examples of `split`, with classes.

    Raises:
        DataError: the split has no examples.
    """
    count = examples.counts.get(split, 0)
    if not count:
        raise DataError(
            f"{examples.path}: expected examples in the split {split!r}. "
            f"Received: {dict(examples.counts)}. Set projector.split to one of these."
        )
    last = model.get_layer(SCORES)
    before = keras.Model(model.inputs, last.input)
    files, seen = examples.files(split), objective.of(spec, objective.AUTO, "probabilities")
    inputs = dataset.evaluation(files, spec.layout, seen, count)
    labels = dataset.targets(files, spec.layout)
    vectors, names, pictures = [], [], []
    for (batch, _), label in zip(inputs, labels, strict=True):
        vectors.append(_rows(before(batch, training=False)))
        names += [spec.classes[index] for index in label.numpy()]
        pictures += _pictures(batch, spec)
        if len(names) >= limit:
            break
    return Points(
        name=f"{split}-examples",
        vectors=np.concatenate(vectors)[:limit],
        names=names[:limit],
        pictures=np.stack(pictures[:limit]) if pictures else None,
    )


def _rows(tensor: Any) -> np.ndarray:
    array = keras.ops.convert_to_numpy(tensor).astype(np.float32)
    return array.reshape(len(array), -1)


def _pictures(batch: Any, spec: Spec) -> list[np.ndarray]:
    return list(batch.numpy()) if isinstance(spec, ImageSpec) else []
