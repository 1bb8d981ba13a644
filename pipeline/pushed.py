"""The pushed models under a root, as a model server is told of them."""

from collections.abc import Sequence

from etils.epath import Path
from google.protobuf import text_format

from components.model_artifacts import PushedModel
from pipeline.errors import UsageError
from pipeline.options import nearest
from pipeline.root import Root
from pipeline.store import Store
from serving.protos import model_server_config_pb2


def pushed_models(root: Root) -> list[str]:
    """Names of the models in the serving folder that have a version."""
    folders = [folder for folder in root.serving.glob("*") if folder.is_dir()]
    return sorted(
        folder.name for folder in folders if any(v.name.isdecimal() for v in folder.iterdir())
    )


def check_pushed(root: Root, model: str) -> None:
    """Refuse a model that has not been pushed.

    Raises:
        UsageError: there is none of that name; offers the nearest.
    """
    known = pushed_models(root)
    if model not in known:
        raise UsageError(f"Model {model!r}: not among the pushed ones. {nearest(model, known)}")


def last_push(store: Store, model: str) -> tuple[Path, Path]:
    """The folders of the Model that serves as `model`, and of its Evaluation.

    It is the one pushed last whose version has not been withdrawn since.

    Raises:
        UsageError: no run has pushed one.
    """
    with store.session() as session:
        for record in store.outputs(session, model, "pusher"):
            makers = [event.execution for event in record.events if event.role == "output"]
            inputs = makers[0].inputs
            if PushedModel(Path(record.uri)).version_path and "evaluation" in inputs:
                return Path(inputs["model"].uri), Path(inputs["evaluation"].uri)
    raise UsageError(
        f"Model {model!r}: expected one that a run has pushed. Received: none such in the store. "
        "`millrace runs` lists the runs."
    )


def write_model_config(root: Root, models: Sequence[str]) -> Path:
    """Write `models.config` in the root, a text-format ModelServerConfig of `models`.

    Raises:
        UsageError: a model has not been pushed, or none has.
    """
    for model in models:
        check_pushed(root, model)
    names = models or pushed_models(root)
    if not names:
        raise UsageError(
            f"{root.serving}: expected a pushed model. Received: none. `millrace run` a recipe."
        )
    config = model_server_config_pb2.ModelServerConfig()
    for name in names:
        config.model_config_list.config.add(
            name=name, base_path=str(root.serving / name), model_platform="tensorflow"
        )
    file = root.path / "models.config"
    file.write_text(text_format.MessageToString(config))
    return file
