"""The options of the models that forecast; no Keras, so that reading them is cheap.

Every one gets windows in the data's own units and answers in them.
"""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from components.models.options import Activation, Count, Counts, Dense, Initializer, Penalty, Share


@dataclasses.dataclass(frozen=True)
class Naive:
    """The last value again. Nothing is trained."""

    kind: Literal["naive"] = "naive"


@dataclasses.dataclass(frozen=True)
class SeasonalNaive:
    """The value a season before. Nothing is trained.

    Attributes:
        season: rows; none is the season that `analyze` settled.
    """

    season: Count | None = None
    kind: Literal["seasonal_naive"] = "seasonal_naive"


@dataclasses.dataclass(frozen=True)
class MovingAverage:
    """The mean of the last values. Nothing is trained.

    Attributes:
        window: rows; none is the number that `analyze` settled.
    """

    window: Count | None = None
    kind: Literal["moving_average"] = "moving_average"


@dataclasses.dataclass(frozen=True)
class DifferencedMovingAverage:
    """The smoothed value a season before, plus the mean recent change since. Nothing is trained.

    Attributes:
        season: rows; none is the season that `analyze` settled.
        window: changes that are averaged, in rows.
        smoothing: values averaged around the one a season before; 1 takes it as it is.
    """

    season: Count | None = None
    window: Count = 30
    smoothing: Count = 11
    kind: Literal["differenced_moving_average"] = "differenced_moving_average"


@dataclasses.dataclass(frozen=True)
class SeriesRnn:
    """Recurrent layers, one upon the other, then fully connected ones.

    Attributes:
        cell: Keras's `SimpleRNN`, `LSTM` or `GRU`.
        units: of each recurrent layer.
        bidirectional: read the window both ways; doubles each layer's outputs.
        dense: width of each fully connected layer; may be empty.
        activation: of the fully connected layers.
        dropout: share of a recurrent layer's outputs, and of a fully connected one's, dropped
            in training.
        batch_normalization: between a fully connected layer and its activation.
        l1, l2: penalties on the kernels of the fully connected layers.
        kernel_initializer: of the fully connected layers' kernels.
    """

    cell: Literal["simple", "lstm", "gru"] = "lstm"
    units: Annotated[Counts, Field(min_length=1)] = (32,)
    bidirectional: bool = False
    dense: Counts = ()
    activation: Activation = "relu"
    dropout: Share = 0.0
    batch_normalization: bool = False
    l1: Penalty = 0.0
    l2: Penalty = 0.0
    kernel_initializer: Initializer = "glorot_uniform"
    kind: Literal["series_rnn"] = "series_rnn"


@dataclasses.dataclass(frozen=True)
class ConvRnn:
    """A causal convolution over the window, then recurrent and fully connected layers.

    Attributes:
        filters, kernel_size, strides: of the convolution, in rows.
        cell, units, bidirectional, dense, activation, dropout, batch_normalization, l1, l2,
            kernel_initializer: as those of `series_rnn`; the activation is the convolution's too.
    """

    filters: Count = 64
    kernel_size: Count = 5
    strides: Count = 1
    cell: Literal["simple", "lstm", "gru"] = "lstm"
    units: Annotated[Counts, Field(min_length=1)] = (64, 64)
    bidirectional: bool = False
    dense: Counts = (30, 10)
    activation: Activation = "relu"
    dropout: Share = 0.0
    batch_normalization: bool = False
    l1: Penalty = 0.0
    l2: Penalty = 0.0
    kernel_initializer: Initializer = "glorot_uniform"
    kind: Literal["conv_rnn"] = "conv_rnn"


Baseline = Naive | SeasonalNaive | MovingAverage | DifferencedMovingAverage
SeriesModel = Baseline | Dense | SeriesRnn | ConvRnn

MODELS: tuple[type, ...] = (
    Naive,
    SeasonalNaive,
    MovingAverage,
    DifferencedMovingAverage,
    Dense,
    SeriesRnn,
    ConvRnn,
)
