"""Boosted trees for tables: grown by scikit-learn, then written into a layer of the network.

The trees ask for float32 numbers and small codes of categories, so that the layer, which has
nothing of scikit-learn, sends a row the same way.
"""

import logging
from typing import Any, cast

import keras
import numpy as np

from millrace.components.features.table_spec import TableSpec
from millrace.components.models.table_layers import BoostedTrees, Forest
from millrace.components.models.table_options import Trees
from millrace.components.training import table_columns
from millrace.components.training.plan import TrainingPlan

logger = logging.getLogger("millrace.components.trainer")

_CODES = 255  # of a category, as many as scikit-learn's histograms tell apart
_TOLERANCE = 1e-4  # of the validation loss: trees that tell all rows apart would go on for ever
_ABSENT = -16.0  # the logit of a class without a row
_NOTHING = np.array(  # a tree of one leaf, as scikit-learn has them
    [(0.0, 0, 0, 0, 0, 0, True, False, 0)],
    [
        *(("value", "f8"), ("feature_idx", "i8"), ("num_threshold", "f8"), ("depth", "u4")),
        *(("missing_go_to_left", "u1"), ("left", "u4"), ("is_leaf", "?"), ("is_categorical", "?")),
        ("bitset_idx", "u4"),
    ],
)
_LOSSES = {"mean_absolute_error": "absolute_error"}


def solve(model: keras.Model, plan: TrainingPlan, options: Trees) -> None:
    """Grow the trees of `model`; validation says how many.

    In one thread, so that sums come out alike whatever the number of processors.
    """
    from threadpoolctl import threadpool_limits  # of scikit-learn

    spec = cast(TableSpec, plan.spec)
    layer = next(each for each in model.layers if isinstance(each, BoostedTrees))
    from_zero = options.link == "log"
    train = table_columns.read(plan, plan.train)
    codes = _codes(train.ids, spec)
    validation = None
    if plan.validation:
        held = table_columns.read(plan, plan.validation)
        known = np.isfinite(held.labels)
        if plan.objective.classes:
            known = np.isin(held.labels, train.labels)
        if known.any():
            target = table_columns.in_unit(held.labels[known], spec, from_zero=from_zero)
            validation = _table(held.numbers, held.ids, codes)[known], target
    columns = _table(train.numbers, train.ids, codes)
    target = table_columns.in_unit(train.labels, spec, from_zero=from_zero)
    with threadpool_limits(1):
        grown = _grown(plan, options, columns, target, validation)
    layer.grow(forest(grown, layer.outputs, codes))
    logger.info("trees: %d, of %d rounds grown", len(layer.forest.root), grown.n_iter_)


def _codes(ids: np.ndarray, spec: TableSpec) -> np.ndarray:
    """A code for each id, int32 [ids], from 0 on for each column; the last one stands for others.

    These are the ids that training has not, and the rarest of a column with too many.
    """
    width = 1 + min(_CODES - 1, max(spec.sizes, default=0))
    codes = np.full(sum(spec.sizes), width - 1, np.int32)
    for column in ids.T:
        values, counts = np.unique(column, return_counts=True)
        kept = np.sort(values[np.argsort(-counts, kind="stable")[: width - 1]])
        codes[kept] = np.arange(len(kept))
    return codes


def _table(numbers: np.ndarray, ids: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """What scikit-learn takes, float64 [rows, columns]: codes, NaN for other ids, then numbers."""
    others = codes.max(initial=0)
    coded = codes[ids].astype(np.float64) if ids.size else ids.astype(np.float64)
    return np.concatenate([np.where(coded == others, np.nan, coded), numbers], axis=1)


def _grown(
    plan: TrainingPlan,
    options: Trees,
    columns: np.ndarray,
    target: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray] | None,
) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    categories = len(cast(TableSpec, plan.spec).sizes)
    settings: dict[str, Any] = {
        "learning_rate": options.learning_rate,
        "max_iter": options.max_iter,
        "max_leaf_nodes": options.max_leaf_nodes,
        "min_samples_leaf": options.min_samples_leaf,
        "l2_regularization": options.l2_regularization,
        "max_features": options.max_features,
        "categorical_features": np.arange(columns.shape[1]) < categories,
        "early_stopping": validation is not None,
        "n_iter_no_change": options.n_iter_no_change,
        "tol": _TOLERANCE,
        "random_state": plan.seed,
    }
    if validation is None:
        settings["max_iter"] = min(options.max_iter, round(10 / options.learning_rate))
    held = {} if validation is None else {"X_val": validation[0], "y_val": validation[1]}
    if plan.objective.classes:
        weight = "balanced" if plan.balanced else None
        return HistGradientBoostingClassifier(class_weight=weight, **settings).fit(
            columns, target, **held
        )
    loss = _LOSSES.get(plan.objective.loss, "squared_error")
    if options.link == "log":
        loss = "poisson"
    return HistGradientBoostingRegressor(loss=loss, **settings).fit(columns, target, **held)


def forest(grown: Any, outputs: int, codes: np.ndarray) -> Forest:
    """The trees of `grown` as a layer has them, up to the round that validation liked best.

    Args:
        grown: scikit-learn's, fitted on columns of codes, then of float32 numbers.
        outputs: of the network: 1, or one for each class, also for those that no row has.
        codes: of each id; the highest stands for ids without one.
    """
    per_round = grown.n_trees_per_iteration_
    present = [0] if outputs == 1 else [int(each) for each in grown.classes_]
    places = present[-per_round:]  # of two classes only the second has trees
    nodes = _Nodes(width=int(codes.max(initial=0)) + 1)
    for trees in grown._predictors[: _best(grown)]:
        by_output = dict(zip(places, trees, strict=True))
        for output in range(outputs):
            nodes.add(by_output.get(output))
    base = np.full(outputs, _ABSENT, np.float32)
    base[present] = 0.0
    base[places] = grown._baseline_prediction.ravel()
    return nodes.forest(base, codes)


def _best(grown: Any) -> int:
    """Rounds, one at least: as many as there are without validation."""
    if not grown.do_early_stopping_:
        return int(grown.n_iter_)
    return max(1, int(np.argmax(grown.validation_score_)))  # the first score is that of no tree


class _Nodes:
    """The nodes of trees, one tree after another, the children of each node side by side."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._columns: dict[str, list[np.ndarray]] = {
            name: [] for name in ("feature", "threshold", "subset", "child", "value")
        }
        self._roots: list[int] = []
        self._members: list[np.ndarray] = []
        self._count = self._depth = 0

    def add(self, tree: Any) -> None:
        """Add a tree of scikit-learn's; None adds nothing to a sum."""
        first = self._count
        self._roots.append(first)
        found = _NOTHING if tree is None else tree.nodes
        order, child = _by_depth(found)
        nodes = found[order]
        leaf = nodes["is_leaf"].astype(bool)
        subset = np.full(len(nodes), -1, np.int32)
        for place in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf):
            subset[place] = len(self._members)
            bits = tree.raw_left_cat_bitsets[nodes["bitset_idx"][place]]
            self._members.append(self._second(bits, bool(nodes["missing_go_to_left"][place])))
        threshold = np.where(leaf | (subset >= 0), np.inf, nodes["num_threshold"])
        for name, array in (
            ("feature", np.where(leaf, 0, nodes["feature_idx"]).astype(np.int32)),
            ("threshold", _rounded_down(threshold)),
            ("subset", subset),
            ("child", first + child),
            ("value", np.where(leaf, nodes["value"], 0.0).astype(np.float32)),
        ):
            self._columns[name].append(array)
        self._count += len(nodes)
        self._depth = max(self._depth, int(nodes["depth"].max()))

    def _second(self, left: np.ndarray, others_left: bool) -> np.ndarray:
        """Which codes go to the second child, of 8 words whose bits go to the first."""
        bits = np.unpackbits(left.astype("<u4").view(np.uint8), bitorder="little")
        second = 1 - bits[: self._width]
        second[-1] = not others_left
        return second

    def forest(self, base: np.ndarray, codes: np.ndarray) -> Forest:
        """All of them."""
        joined = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        members = np.array(self._members, np.uint8).reshape(-1, self._width)
        return Forest(
            **joined,
            root=np.array(self._roots, np.int32),
            members=members,
            codes=codes,
            base=base,
            depth=np.array(self._depth, np.int32),
        )


def _by_depth(nodes: np.ndarray) -> tuple[list[int], np.ndarray]:
    """The places of a tree's nodes, root first and siblings together, and each one's first child.

    A leaf is its own.
    """
    order, child = [0], [0]
    for number, place in enumerate(order):  # which grows meanwhile
        node = nodes[place]
        if not node["is_leaf"]:
            child[number] = len(order)
            order += [int(node["left"]), int(node["right"])]
            child += [len(order) - 2, len(order) - 1]
    return order, np.array(child, np.int32)


def _rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """As float32, so that a float32 is above the one if it is above the other."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
