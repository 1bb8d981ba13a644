"""The networks that are worth trying for tables."""

import math

from millrace.components.candidates.candidate import Candidate
from millrace.components.features.table_spec import TableSpec
from millrace.components.models.table_options import Link, Resnet, TableLinear, Trees
from millrace.components.training.options import Optimizer
from millrace.components.training.schedule_options import Cosine

_FEW = 3000  # rows, below which a network learns them by heart unless it is held back more
_STEPS = 4000  # of a network, about
_WIDE = 2000  # features, of which a linear network is still computed
_IN_MEMORY = 2**28  # numbers of all rows, of which trees are grown
_SKEWED = 0.25  # of its mean: a deviation from which on a label's logarithm is tried


def of(spec: TableSpec, rows: int) -> tuple[Candidate, ...]:
    """For `rows` rows to train on."""
    columns = spec.numeric_width + len(spec.sizes)
    found = []
    if rows * columns <= _IN_MEMORY:
        found += _trees(spec)
    found.append(_network(spec, rows, "identity"))
    if _has_log(spec):
        found.append(_network(spec, rows, "log"))
    width = spec.numeric_width + sum(spec.sizes)
    if width <= _WIDE and rows * width <= _IN_MEMORY:
        found.append(Candidate("linear", TableLinear()))
    return tuple(found)


def _trees(spec: TableSpec) -> list[Candidate]:
    """Large trees and small ones, whose splits each look at some of the columns."""
    rounds = max(50, 1000 // max(1, len(spec.classes) - 1))
    large = Trees(max_iter=rounds, max_leaf_nodes=63, l2_regularization=1.0, max_features=0.3)
    small = Trees(
        max_iter=rounds,
        max_leaf_nodes=16,
        min_samples_leaf=5,
        l2_regularization=1.0,
        max_features=0.5,
    )
    found = [Candidate("trees", large), Candidate("small_trees", small)]
    if _has_log(spec):
        found.append(Candidate("log_trees", Trees(max_features=0.5, link="log")))
    return found


def _network(spec: TableSpec, rows: int, link: Link) -> Candidate:
    few = rows < _FEW
    batch = min(256, max(16, 2 ** round(math.log2(max(1, rows / 60)))))
    return Candidate(
        "log_resnet" if link == "log" else "resnet",
        Resnet(link=link, dropout=0.2 if few else 0.1),
        epochs=min(100, max(10, _STEPS * batch // rows)),
        batch_size=batch,
        learning_rate=0.002,
        optimizer=Optimizer("adamw", weight_decay=1.0 if few else 0.3),
        schedule=Cosine(),
        patience=0,  # the schedule is to reach its end
    )


def _has_log(spec: TableSpec) -> bool:
    """Whether the label is a number that is never negative and differs by orders of magnitude."""
    return (
        spec.target_low is not None
        and spec.target_low >= 0
        and spec.target_deviation > _SKEWED * spec.target_mean
    )
