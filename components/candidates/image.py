"""The networks that are worth trying for pictures."""

import itertools

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models.image_options import Cnn, Patches
from millrace.components.training.schedule_options import Cosine

_WORK = 8e12  # multiplications of a training, two minutes of two cores
_LEAST, _MOST = 3, 30  # epochs
_LARGE = 96  # pixels a side, from which the first maps are few
_FINE: tuple[int, ...] = (16, 32, 64, 128)
_COARSE: tuple[int, ...] = (32, 64, 128)


def of(spec: ImageSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` pictures to train on.

    A convolutional network is trained for as many epochs as its work allows.
    """
    side = min(spec.height, spec.width)
    filters = _FINE if side >= _LARGE else _COARSE
    if side < 2 ** len(filters):
        filters = filters[:1]
    epochs = int(_WORK / (3 * rows * _multiplications(spec, filters)))
    cnn = Cnn(
        filters=filters,
        padding="same",
        head="global_average",
        batch_normalization=True,
        batch_momentum=0.9,
        dropout=0.2,
    )
    return (
        Candidate("patches", Patches()),
        Candidate(
            "cnn",
            cnn,
            epochs=max(_LEAST, min(_MOST, epochs)),
            learning_rate=0.004,
            schedule=Cosine(warmup=0.5),
        ),
    )


def _multiplications(spec: ImageSpec, filters: tuple[int, ...]) -> int:
    """Of a picture on its way through convolutions of 3x3, each followed by pooling."""
    pairs = enumerate(itertools.pairwise((spec.channels, *filters)))
    return sum(9 * (spec.height * spec.width >> 2 * at) * one * other for at, (one, other) in pairs)
