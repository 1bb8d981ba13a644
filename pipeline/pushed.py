"""The pushed models under a root, and what each was made from."""

import dataclasses
import pathlib
from collections.abc import Sequence

from etils.epath import Path
from google.protobuf import text_format
from sqlalchemy.orm import Session

from millrace.components.artifacts import PushedModel
from millrace.components.pushing import labels
from millrace.pipeline import damage, lineage
from millrace.pipeline.errors import UsageError
from millrace.pipeline.options import nearest
from millrace.pipeline.records import ArtifactRecord, ExecutionRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.serving import remote, versions
from millrace.serving.protos import model_server_config_pb2


def pushed_models(root: Root) -> list[str]:
    """Names of the models in the serving folder that have a version."""
    if root.is_remote:
        names = {name.partition("/")[0] for name in remote.files(root.serving)}
        return sorted(name for name in names if versions.on_disk(root.serving / name))
    return sorted(
        folder.name
        for folder in root.serving.glob("*")
        if folder.is_dir() and versions.on_disk(folder)
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
        DataError: one of the two is damaged.
    """
    with store.session() as session:
        execution = last_pusher(session, store, model)
        inputs = execution.inputs if execution is not None else {}
    if inputs:
        for name in ("model", "evaluation"):
            damage.require_whole(inputs[name])
        return inputs["model"].fetch(), inputs["evaluation"].fetch()
    raise UsageError(
        f"Model {model!r}: expected one that a run has pushed. Received: none such in the store. "
        "`millrace runs` lists the runs."
    )


def last_pusher(session: Session, store: Store, model: str) -> ExecutionRecord | None:
    """The execution that pushed what now serves as `model`, judged by an Evaluation; or none."""
    for record in store.outputs(session, model, "pusher"):
        try:
            maker, push = record.maker, PushedModel(record.fetch())
        except FileNotFoundError:  # of an object store; others are found out below
            continue
        # One that was repaired away is no longer there, and an older one has pushed another model.
        is_served = push.is_intact() and push.version_path is not None
        if maker is not None and is_served and "evaluation" in maker.inputs:
            return maker
    return None


def check_whole(store: Store, root: Root, models: Sequence[str]) -> None:
    """Refuse pushed models whose newest version is not as it was pushed.

    A version that no run in `store` has pushed is not known here.

    Raises:
        DataError: names the first file that is damaged.
    """
    store.mark_dead(root)
    with store.session() as session:
        pushes = list(store.of_type(session, PushedModel.__name__))
    for model in models:
        newest = max(versions.on_disk(root.serving / model) or {}, default=0)
        wanted = {"model": model, "version": newest}
        for record in pushes:
            if record.properties == wanted and root.contains(record.uri):
                damage.require_whole(record, "version")


@dataclasses.dataclass(frozen=True)
class Training:
    """What a pushed model came from: the folders of the Model and of what it was trained on.

    `examples` are records in the form in which the model is asked. `statistics` and `schema`
    are what was found out about them, None where nothing was.
    """

    model: Path
    examples: Path
    statistics: Path | None
    schema: Path | None


def training_of(store: Store, model: str) -> Training:
    """The training data of the model that serves as `model`, by lineage.

    Raises:
        UsageError: no run has pushed one.
        DataError: something of it is damaged.
    """
    folder, _ = last_push(store, model)
    with store.session() as session:
        export = _maker(lineage.find_artifact(session, remote.origin(folder)))
        examples = export.inputs["examples"]
        described = _reader(examples, "examples", "Statistics")
        statistics = described.output if described else None
        judged = _reader(statistics, "statistics", "Anomalies") if statistics else None
        schema = judged.inputs.get("schema") if judged else None
    for record in (examples, statistics, schema):
        if record is not None:
            damage.require_whole(record)
    return Training(
        folder,
        examples.fetch(),
        statistics.fetch() if statistics else None,
        schema.fetch() if schema else None,
    )


def _maker(artifact: ArtifactRecord) -> ExecutionRecord:
    """The execution that first wrote `artifact`."""
    return next(event.execution for event in artifact.events if event.role == "output")


def _reader(artifact: ArtifactRecord, name: str, made: str) -> ExecutionRecord | None:
    """The last execution that read `artifact` as its input `name` and wrote one of type `made`."""
    readers = [event.execution for event in artifact.events if event.name == name]
    found = [one for one in readers if one.output is not None and one.output.type == made]
    return max(found, key=lambda one: one.id, default=None)


def write_labelled_config(root: Root) -> Path:
    """Write `models.config` among the pushed models, for TensorFlow Serving: all, with labels.

    It serves every version that is there, since a label may only name one that is loaded.

    Raises:
        DataError: the labels of a model are broken.
    """
    config = model_server_config_pb2.ModelServerConfig()
    for name in pushed_models(root):
        one = _add_model(config, root, name)
        one.model_version_policy.all.SetInParent()
        there = versions.on_disk(root.serving / name) or {}
        for label, number in labels.of(root.serving / name).items():
            if number in there:
                one.version_labels[label] = number
    file, text = root.serving / "models.config", text_format.MessageToString(config)
    if root.is_remote:
        remote.write(file, text.encode())
    else:
        file.write_text(text)
    return file


def write_model_config(
    root: Root, models: Sequence[str], log: pathlib.Path | None = None, log_rate: float = 1.0
) -> Path:
    """Write `models.config` in the root, a text-format ModelServerConfig of `models`.

    With `log`, the share `log_rate` of the requests is logged in that folder.

    Raises:
        UsageError: a model has not been pushed, or none has.
    """
    for model in models:
        check_pushed(root, model)
    names = models or pushed_models(root)
    if not names:
        raise UsageError(
            f"{remote.url(root.serving)}: expected a pushed model. Received: none. Push one by "
            "`millrace run`."
        )
    config = model_server_config_pb2.ModelServerConfig()
    for name in names:
        one = _add_model(config, root, name)
        if log:
            one.logging_config.log_collector_config.type = "tfrecord"
            one.logging_config.log_collector_config.filename_prefix = str(log.absolute() / name)
            one.logging_config.sampling_config.sampling_rate = log_rate
    root.path.mkdir(parents=True, exist_ok=True)  # in the scratch folder, which may be empty
    file = root.path / "models.config"
    file.write_text(text_format.MessageToString(config))
    return file


def _add_model(
    config: model_server_config_pb2.ModelServerConfig, root: Root, name: str
) -> model_server_config_pb2.ModelConfig:
    base_path = remote.url(root.serving / name)
    return config.model_config_list.config.add(
        name=name, base_path=base_path, model_platform="tensorflow"
    )
