"""Steps that a run may have beside the usual ones, and which data and networks each is for."""

from collections.abc import Sequence
from typing import Any

from millrace.components.models.auto_options import Auto
from millrace.components.models.layer_options import Dense
from millrace.components.models.series_options import (
    DifferencedMovingAverage,
    MovingAverage,
    Naive,
    SeasonalNaive,
)
from millrace.pipeline.dag import Dag
from millrace.pipeline.errors import UsageError
from millrace.pipeline.options import nearest

EXTRAS = {
    "rate_finder": "find the learning rate first",
    "tuner": "search for the trainer's settings first",
    "feature_maps": "draw what each layer makes of a few pictures",
    "projector": "write embeddings for TensorBoard's projector",
}
"""What each does."""

_WEIGHTLESS = (Naive, SeasonalNaive, MovingAverage, DifferencedMovingAverage)


def check_known(names: Sequence[str]) -> None:
    """Refuse a name that is not among `EXTRAS`.

    Raises:
        UsageError: one is not; offers the nearest.
    """
    for name in names:
        if name not in EXTRAS:
            raise UsageError(f"--with {name}: no such step. {nearest(name, EXTRAS)}")


def check_fit(dag: Dag, names: Sequence[str]) -> None:
    """Refuse extra steps that have nothing to do, before any step runs.

    Whether a table is of classes may show only when it is analysed: `projector` says so itself.

    Args:
        dag: of a recipe, with all its settings.
        names: of `EXTRAS`.

    Raises:
        UsageError: one is for other data, or another network.
    """
    if not names:  # a recipe of one's own may have other steps
        return
    features = dag.find("analyze").options["features"]
    model = dag.find("trainer").options["model"]
    for name in names:
        wanted, received, advice = _misfit(name, features, model)
        if wanted:
            raise UsageError(
                f"--with {name}: expected {wanted}. Received: {received}. "
                f"Leave --with {name} out{advice}."
            )


def _misfit(name: str, features: Any, model: Any) -> tuple[str, str, str]:
    """What the step `name` needs, got, and what else helps; empty where it fits."""
    is_regression = getattr(features, "problem", None) == "regression"
    match name:
        case "feature_maps" if features.kind != "image":
            also = ", or take projector" if features.kind in ("text", "language") else ""
            return "a recipe of images", f"one of the kind {features.kind}", also
        case "projector" if features.kind == "series" or is_regression:
            task = "a regression" if is_regression else "one of the kind series"
            return "a recipe of classes, or of texts", task, ""
        case "rate_finder" if isinstance(model, Auto):
            also = ", or set trainer.model to one"
            return "one network", "trainer.model=auto, which tries several, each by its rate", also
        case "rate_finder" | "tuner" if isinstance(model, _WEIGHTLESS):
            also = f", or set trainer.model to a network that has some, such as {Dense().kind}"
            return "a network with weights to train", f"trainer.model={model.kind}", also
    return "", "", ""
