"""A split of a table in memory, for what is computed from all its rows at once."""

import dataclasses

import numpy as np

from millrace.components.features.table_spec import TableSpec
from millrace.components.training import dataset
from millrace.components.training.plan import Split, TrainingPlan


@dataclasses.dataclass(frozen=True)
class Columns:
    """The transformed rows of a split.

    Attributes:
        numbers: float32 [rows, numbers].
        ids: of categories, int32 [rows, inputs]; those of all inputs share one range.
        labels: float32 or int32 [rows].
    """

    numbers: np.ndarray
    ids: np.ndarray
    labels: np.ndarray


def read(plan: TrainingPlan, split: Split) -> Columns:
    """The rows of `split`."""
    layout = plan.spec.layout
    names = [column.name for column in layout.inputs]
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for inputs, _ in dataset.evaluation(split.files, layout, plan.objective, split.count):
        given = inputs if isinstance(inputs, dict) else {names[0]: inputs}
        for name, values in given.items():
            found[name].append(values.numpy())
    labels = np.concatenate([batch.numpy() for batch in dataset.targets(split.files, layout)])
    whole = {name: np.concatenate(parts) for name, parts in found.items()}
    return Columns(
        whole.get("numeric", np.zeros((len(labels), 0), np.float32)),
        whole.get("categorical", np.zeros((len(labels), 0), np.int32)),
        labels,
    )


def in_unit(labels: np.ndarray, spec: TableSpec, *, from_zero: bool = False) -> np.ndarray:
    """Labels, float64 [rows], as a network has them before its last layer: by their z-score.

    With `from_zero` they are divided by their deviation alone. Classes stay as they are.
    """
    if not spec.target_deviation:
        return labels.astype(np.float64)
    center = 0.0 if from_zero else spec.target_mean
    return (labels.astype(np.float64) - center) / spec.target_deviation
