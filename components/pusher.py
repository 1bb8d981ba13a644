"""Hand a blessed model to the model servers: a new version folder under the serving root."""

import logging
from collections.abc import Collection, Mapping

from etils.epath import Path

from millrace.components.artifacts import Evaluation, InfraBlessing, Model, PushedModel
from millrace.components.files.names import ModelName
from millrace.components.files.paths import AnyPlace
from millrace.components.options.ranges import Count
from millrace.components.pushing import labels
from millrace.components.pushing.remote_versions import RemoteVersions
from millrace.components.pushing.versions import Versions
from millrace.serving import remote

_log = logging.getLogger(__name__)


def pusher(
    model: Model,
    evaluation: Evaluation | None,
    infra: InfraBlessing | None,
    out: Path,
    *,
    model_name: ModelName,
    serving_root: AnyPlace,
    keep: Count = 3,
    allow_unblessed: bool = False,
) -> PushedModel:
    """Push the model to the serving root, if it is blessed.

    The SavedModel is copied beside its place and comes into view by one rename, whole,
    under a version that is the time in Unix seconds and above every other. A push that was
    killed leaves nothing visible; a push repeated finds the same model in the newest
    version and leaves it at that, and so does an equal export, whose files never are the same.
    In an object store, the version comes into view with its last file.

    Args:
        model: what to push.
        evaluation: its evaluator's verdict; without one it does not matter.
        infra: its infra validator's verdict; likewise.
        out: where the record of the push goes.
        model_name: under which name it is served.
        serving_root: the folder that holds one folder per served model; a path or a URL.
        keep: how many versions stay, the new one included; older ones are deleted, but for those
            that a label names.
        allow_unblessed: push it even if it was not blessed.

    Raises:
        OptionError: `model_name` is not usable.
        DataError: the labels of the model's versions are broken.
    """
    versions = _versions(serving_root, model_name)
    pushed = PushedModel(out)
    objections = objections_to(evaluation, infra)
    if objections and not allow_unblessed:
        reason = f"not pushed: {'; '.join(objections)}"
        _log.info("%s %s", model_name, reason)
        return pushed.write_push(model=model_name, version=0, folder="", reason=reason)
    labels.of(versions.folder)  # what is broken is refused before a version is there
    folder, is_new = versions.push(model.saved_model)
    version = int(folder.name)
    reason = "pushed" if is_new else "the newest version holds the same model already"
    if objections:
        reason += f", although {'; '.join(objections)}"
    _log.info("%s version %d: %s, in %s", model_name, version, reason, remote.url(folder))
    versions.sweep()
    removed = versions.prune(keep)
    if removed:
        _log.info("%s: deleted old versions %s", model_name, ", ".join(map(str, removed)))
    return pushed.write_push(
        model=model_name, version=version, folder=remote.url(folder), reason=reason
    )


def rollback(serving_root: str, model_name: str) -> tuple[int, int]:
    """Withdraw the newest version of a served model.

    The version moves to `<serving root>/<model_name>/.withdrawn/` by one rename; model
    servers then load the version before it. It is not lost: moved back, it is served again.

    Returns:
        The version withdrawn, and the version that is served now.

    Raises:
        OptionError: `model_name` is not a model's name.
        DataError: there is no such model, or no version to go back to.
    """
    return _versions(serving_root, model_name).withdraw()


def relabel(
    serving_root: str, model_name: str, assign: Mapping[str, int], remove: Collection[str] = ()
) -> dict[str, int]:
    """Give versions of a served model labels, by which callers may ask for them; returns all then.

    Args:
        serving_root: the folder that holds one folder per served model.
        model_name: of the model.
        assign: versions by label; a label that another version had moves.
        remove: labels to take away.

    Raises:
        OptionError: a label or version is wrong; nothing was changed.
        DataError: there is no such model, or its labels are broken.
    """
    return _versions(serving_root, model_name).relabel(assign, remove)


def _versions(serving_root: str, model_name: str) -> Versions | RemoteVersions:
    kind = RemoteVersions if remote.is_remote(serving_root) else Versions
    return kind(serving_root, model_name)


def objections_to(evaluation: Evaluation | None, infra: InfraBlessing | None) -> list[str]:
    """Why a model with these verdicts is not blessed; nothing of one that is."""
    found = []
    if evaluation is not None and not evaluation.blessed:
        found += [f"the evaluator did not bless it ({'; '.join(evaluation.reasons)})"]
    if infra is not None and not infra.blessed:
        found += [f"the infra validator did not bless it ({'; '.join(infra.reasons)})"]
    return found
