"""The options of the models that forecast; no Keras, so that reading them is cheap.

Each takes windows in the data's own units and answers in them.
"""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.models.layer_options import Counts, Dense, FullyConnected
from millrace.components.options.ranges import Count, Positive


@dataclasses.dataclass(frozen=True)
class Naive:
    """The last value again. Nothing is trained."""

    kind: Literal["naive"] = "naive"


@dataclasses.dataclass(frozen=True)
class SeasonalNaive:
    """The value a season before. Nothing is trained.

    Attributes:
        season: rows. None: the season that `analyze` found.
    """

    season: Count | None = None
    kind: Literal["seasonal_naive"] = "seasonal_naive"


@dataclasses.dataclass(frozen=True)
class MovingAverage:
    """The mean of the last values. Nothing is trained.

    Attributes:
        window: rows. None: the number that `analyze` found.
    """

    window: Count | None = None
    kind: Literal["moving_average"] = "moving_average"


@dataclasses.dataclass(frozen=True)
class DifferencedMovingAverage:
    """The smoothed value a season before, plus the mean recent change since. Nothing is trained.

    Attributes:
        season: rows. None: the season that `analyze` found.
        window: changes that are averaged, in rows.
        smoothing: values averaged around the one a season before; 1 is that value alone.
    """

    season: Count | None = None
    window: Count = 30
    smoothing: Count = 11
    kind: Literal["differenced_moving_average"] = "differenced_moving_average"


@dataclasses.dataclass(frozen=True)
class Recurrent(FullyConnected):
    """Stacked recurrent layers, then fully connected ones.

    The dropout applies to the recurrent layers' outputs as well; the activation does not.

    Attributes:
        cell: Keras's `SimpleRNN`, `LSTM` or `GRU`.
        units: of each recurrent layer.
        bidirectional: read the window both ways, which doubles each layer's outputs.
        dense: width of each fully connected layer; may be empty.
    """

    cell: Literal["simple", "lstm", "gru"] = "lstm"
    units: Annotated[Counts, Field(min_length=1)] = (32,)
    bidirectional: bool = False
    dense: Counts = ()


@dataclasses.dataclass(frozen=True)
class SeriesRnn(Recurrent):
    """The window row by row through recurrent and fully connected layers."""

    kind: Literal["series_rnn"] = "series_rnn"


@dataclasses.dataclass(frozen=True)
class ConvRnn(Recurrent):
    """A causal convolution over the window, then recurrent and fully connected layers.

    The activation applies to the convolution too.

    Attributes:
        filters, kernel_size, strides: of the convolution, in rows.
    """

    filters: Count = 64
    kernel_size: Count = 5
    strides: Count = 1
    units: Annotated[Counts, Field(min_length=1)] = (64, 64)
    dense: Counts = (30, 10)
    kind: Literal["conv_rnn"] = "conv_rnn"


@dataclasses.dataclass(frozen=True)
class Linear:
    """A weighted sum of the window's last rows, whose weights are computed: ridge regression.

    The ridge draws the weights towards a simple forecast, and how strongly is chosen by the
    validation split; see `training.ridge`. Where the loss is the absolute error, answers that lie
    off to one side beyond chance are moved to the median.

    Attributes:
        rows: of the window's end that it looks at. None: all.
        log: forecast the targets' logarithms; they must be positive in the train split. A swing
            that grows with the level is then one that does not.
        own_level: see each target less its last value, which is added to the answer: a series that
            has moved to another level is forecast as before (Zeng et al., "Are Transformers
            Effective for Time Series Forecasting?", 2023: NLinear).
        towards: the forecast that the weights are drawn to: `last`, the last value again (without
            `own_level`, the mean); `season`, the value a season before; `smoothing`, the
            exponential smoothing of level, trend and season that suits the train split best.
        strength: of the ridge, times the number of windows and the mean square of what they are
            made of. None: chosen.
    """

    rows: Count | None = None
    log: bool = False
    own_level: bool = True
    towards: Literal["last", "season", "smoothing"] = "last"
    strength: Positive | None = None
    kind: Literal["linear"] = "linear"


BaselineModel = Naive | SeasonalNaive | MovingAverage | DifferencedMovingAverage
SeriesModel = BaselineModel | Linear | Dense | SeriesRnn | ConvRnn

MODELS: tuple[type, ...] = (
    Naive,
    SeasonalNaive,
    MovingAverage,
    DifferencedMovingAverage,
    Linear,
    Dense,
    SeriesRnn,
    ConvRnn,
)
