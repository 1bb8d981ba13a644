"""Labels of a model's versions as they are changed; `serving.labels` says how they are kept."""

from collections.abc import Collection, Mapping

from etils.epath import Path

from millrace.components.errors import DataError, OptionError
from millrace.serving import labels


def of(folder: Path) -> dict[str, int]:
    """The version that each label of the model in `folder` names.

    Raises:
        DataError: the file that says so is broken.
    """
    try:
        return labels.read(folder)
    except ValueError as error:
        raise DataError(str(error)) from None


def changed(
    folder: Path, there: Collection[int], assign: Mapping[str, int], remove: Collection[str]
) -> dict[str, int]:
    """Give the labels `assign` to versions, and take the labels `remove` away; returns all then.

    Args:
        folder: of the model.
        there: its versions that can be served.
        assign: versions by label.
        remove: labels, known ones.

    Raises:
        OptionError: a word cannot be a label, is none of the model's, or the version is not there;
            nothing was changed.
        DataError: the file of labels is broken.
    """
    known = of(folder)
    for label, number in assign.items():
        try:
            labels.word(label)
        except ValueError as error:
            raise OptionError(f"Model {folder.name!r}: {error}") from None
        if number not in there:
            raise OptionError(
                f"Model {folder.name!r}: label {label}: expected a version that is there: "
                f"{', '.join(map(str, sorted(there, reverse=True))) or 'none is'}. Received: "
                f"{number}. Choose another, or push it again: `millrace push {folder.name} "
                f"{number}`."
            )
    for label in remove:
        if label not in known:
            raise OptionError(
                f"Model {folder.name!r}: expected one of its labels to remove: "
                f"{', '.join(known) or 'it has none'}. Received: {label!r}. Correct it."
            )
    kept = {label: number for label, number in known.items() if label not in remove}
    found = {**kept, **assign}
    if found != known:
        labels.write(folder, found)
    return dict(sorted(found.items()))
