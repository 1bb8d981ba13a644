"""Options and spec of the kind `table`: how columns become inputs. No TensorFlow.

A network gets two inputs: `numeric`, the scaled numbers and the missing indicators; and
`categorical`, one id per categorical input. Ids of all inputs share one range, in which the part of
each input begins at its `offset`.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.errors import DataError, OptionError
from millrace.components.features.hook_spec import Hook
from millrace.components.features.layout import LayoutColumn, RecordLayout
from millrace.components.options.ranges import Count
from millrace.serving.errors import few

Problem = Literal["classification", "regression"]
Scaling = Literal["z_score", "min_max", "none"]
CellDtype = Literal["bytes", "int64", "float32"]

MISSING, UNKNOWN, FIRST = 0, 1, 2  # ids of a categorical input, before its offset


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """How columns become numbers.

    Attributes:
        label: the column to predict, to the ingest as well, which leaves out rows without it.
            None: the one called label, target, class, species, price, y or similar, else the last
            one of the source.
        problem: None: classification if the label is text or has few distinct whole numbers, else
            regression.
        exclude: columns that the model must not see.
        include: columns that it sees although they look like identifiers, row numbers or names.
        categorical: columns of numbers that stand for categories, such as codes. Text always does.
        scaling: of numbers: `z_score` to mean 0 and deviation 1, `min_max` to 0..1, by the
            train split; `none`. Unless it is none, a network learns the label of a regression by
            its z-score too, and still answers in the label's own units.
        missing_indicators: whether a column of numbers with cells missing in the train split gets
            another input that says so.
        vocabulary_size: the most values that a categorical column knows, by frequency.
        minimum_count: how often a value must occur in the train split to be known.
        buckets: columns of numbers that become a categorical input as well, by quantile.
        bucket_count: quantiles of each.
        crosses: combinations of categorical columns or `buckets`, such as `season:hour`.
        cross_size: ids of each cross; further combinations share them by a hash.
        preprocess: `package.module:function`, your own TensorFlow function from columns by name,
            string or float32 [batch], to columns, old and new ones; the other options then refer
            to these. Missing cells are "" and NaN.
    """

    label: str | None = None
    problem: Problem | None = None
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    scaling: Scaling = "z_score"
    missing_indicators: bool = True
    vocabulary_size: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    minimum_count: Count = 1
    buckets: tuple[str, ...] = ()
    bucket_count: Annotated[int, Field(ge=2, le=1000)] = 10
    crosses: tuple[str, ...] = ()
    cross_size: Annotated[int, Field(ge=2, le=1_000_000)] = 100
    preprocess: str = ""
    kind: Literal["table"] = "table"


@dataclasses.dataclass(frozen=True)
class RawColumn:
    """A column as the model takes it.

    Attributes:
        name: of the raw feature, and of the model's input.
        dtype: of the raw feature. The input is a string for bytes, else a float32: integers
            beyond 2**24 are rounded, both in training and in serving.
    """

    name: str
    dtype: CellDtype


@dataclasses.dataclass(frozen=True)
class Number:
    """A column as one of the `numeric` inputs: `(x - center) / scale`.

    Attributes:
        name: of the column.
        center, scale: by the train split.
        default: replaces a missing cell: the mean on the train split.
        indicator: whether another input is 1 where the cell is missing, else 0.
    """

    name: str
    center: float
    scale: float
    default: float
    indicator: bool = False


@dataclasses.dataclass(frozen=True)
class Category:
    """A column as one of the `categorical` inputs: id 0 missing, 1 unknown, then `vocabulary`.

    Attributes:
        name: of the column.
        vocabulary: known values, sorted; numbers as text.
    """

    name: str
    vocabulary: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many ids there are."""
        return FIRST + len(self.vocabulary)


@dataclasses.dataclass(frozen=True)
class Buckets:
    """A column of numbers as one of the `categorical` inputs: id 0 missing, 1 not used.

    Attributes:
        name: of the column.
        boundaries: ascending; id 2 is below the first, and each one reached adds 1.
    """

    name: str
    boundaries: tuple[float, ...]

    @property
    def size(self) -> int:
        """How many ids there are."""
        return FIRST + len(self.boundaries) + 1


@dataclasses.dataclass(frozen=True)
class Cross:
    """Several categorical inputs as one more of them.

    Attributes:
        columns: names of `Category` or `Buckets`.
        size: how many ids there are.
    """

    columns: tuple[str, ...]
    size: int

    @property
    def name(self) -> str:
        """As the option writes it."""
        return ":".join(self.columns)


Discrete = Category | Buckets


@dataclasses.dataclass(frozen=True)
class TableSpec:
    """A table with one column to predict.

    Attributes:
        target: the column to predict.
        problem: classification or regression.
        classes: names of a classification; a label is an index into them.
        raw: the columns that the model takes, ordered by name.
        numbers: of the `numeric` input, in this order, then their indicators.
        discrete, crosses: of the `categorical` input, in this order.
        target_mean: of the label on the train split, for regression: what a model has to beat.
        target_deviation: of the same; 0 where a network learns the label as it is.
        target_low: the least of the same, if it is known.
        hook: the user's preprocessing; `numbers` and `discrete` then refer to its result.
    """

    target: str
    problem: Problem
    raw: tuple[RawColumn, ...]
    classes: tuple[str, ...] = ()
    numbers: tuple[Number, ...] = ()
    discrete: tuple[Annotated[Discrete, Field(union_mode="smart")], ...] = ()
    crosses: tuple[Cross, ...] = ()
    target_mean: float = 0.0
    target_deviation: float = 0.0
    target_low: float | None = None
    hook: Hook | None = None
    kind: Literal["table"] = "table"

    def __post_init__(self) -> None:
        if self.problem == "classification" and len(self.classes) < 2:
            raise DataError(
                f"Label {self.target!r}: expected two or more classes in the train split. "
                f"Received: {few(map(repr, self.classes)) or 'none'}. Choose another column "
                "by analyze.features.label, or set analyze.features.problem=regression."
            )

    @property
    def task(self) -> Problem:
        """What a model of this kind does."""
        return self.problem

    @property
    def label(self) -> str:
        """The raw feature that holds the truth."""
        return self.target

    @property
    def layout(self) -> RecordLayout:
        """The transformed record; an input without numbers or categories is left out."""
        inputs = []
        if self.numbers:
            inputs.append(LayoutColumn("numeric", "float32", (self.numeric_width,)))
        if self.sizes:
            inputs.append(LayoutColumn("categorical", "int32", (len(self.sizes),)))
        is_class = self.problem == "classification"
        return RecordLayout(
            tuple(inputs), LayoutColumn("label", "int32" if is_class else "float32")
        )

    @property
    def numeric_width(self) -> int:
        """Numbers and indicators."""
        return len(self.numbers) + sum(number.indicator for number in self.numbers)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many ids each categorical input has."""
        return tuple(each.size for each in (*self.discrete, *self.crosses))

    @property
    def offsets(self) -> tuple[int, ...]:
        """The first id of each categorical input."""
        return tuple(itertools.accumulate(self.sizes, initial=0))[:-1]


def parse_crosses(crosses: Sequence[str], discrete: Sequence[str], size: int) -> tuple[Cross, ...]:
    """The crosses written as `one:two`, each of two or more of the `discrete` columns.

    Raises:
        OptionError: a cross has only one column, or one that is not among them.
    """
    found = []
    for text in crosses:
        names = _split(text, discrete)
        if len(names) < 2:
            raise OptionError(
                "analyze.features.crosses: expected categorical columns or buckets, joined by a "
                f"colon, of {few(discrete) or 'which there are none'}. Received: {text!r}. "
                "Name others, or add them to analyze.features.categorical or .buckets."
            )
        found.append(Cross(names, size))
    return tuple(found)


def _split(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """The names joined in `text`, which may contain colons themselves; empty if one is unknown.

    Of several readings the one whose first name is the longest, and so on.
    """
    names = sorted(known, key=len, reverse=True)
    first: dict[int, str] = {}  # by the place from which on the text is names: the first of them
    for start in range(len(text), -1, -1):
        for name in names:
            end = start + len(name)
            is_last = end == len(text) or (text[end : end + 1] == ":" and end + 1 in first)
            if is_last and text.startswith(name, start):
                first[start] = name
                break
    found, place = list[str](), 0
    while place in first:
        found.append(first[place])
        place += len(first[place]) + 1
    return tuple(found)
