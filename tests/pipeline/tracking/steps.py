"""Three steps that write in a moment what an MLflow server is told of."""

import json
import logging

from etils.epath import Path

from millrace.components.artifacts import Evaluation, Model, TrainedModel

PICTURE = bytes.fromhex("89504e470d0a1a0a")


def learn(out: Path, *, epochs: int = 2, note: str = "") -> TrainedModel:
    """A history of two epochs."""
    logging.getLogger("millrace.components").info("learning")
    lines = [f"{epoch},{1 / epoch},{2 / epoch}" for epoch in range(1, epochs + 1)]
    (out / "history.csv").write_text("\n".join(["epoch,loss,val_loss", *lines, ""]))
    return TrainedModel(out)


def export(model: TrainedModel, out: Path) -> Model:
    """A SavedModel, by its look."""
    made = Model(out)
    made.saved_model.mkdir()
    (made.saved_model / "saved_model.pb").write_bytes(b"graph")
    return made


def judge(model: Model, out: Path, *, fail: bool = False) -> Evaluation:
    """A figure with its interval, and a picture."""
    if fail:
        raise ZeroDivisionError("judging")
    figures = {"metrics": {"accuracy": 0.75}, "intervals": {"accuracy": [0.5, 0.875]}}
    (out / "metrics.json").write_text(json.dumps(figures))
    (out / "slices.png").write_bytes(PICTURE)
    (out / "plots").mkdir()
    (out / "plots" / "confusion.png").write_bytes(PICTURE)
    return Evaluation(out).write_verdict(not fail, ["told so"])
