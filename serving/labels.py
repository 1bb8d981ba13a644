"""The labels of a model's versions that lie beside them: `<base path>/.labels.json`.

`{"stable": 1764451200}`: callers who ask for the label `stable` get that version. `millrace label`
writes the file, and this server reads it whenever it looks for versions. TensorFlow Serving takes
labels from its configuration alone, whose labels win here, too.
"""

import json
import pathlib
import re
import uuid

from etils.epath import Path

from millrace.serving import regular_file, remote, versions

FILE = ".labels.json"
MOST = 64  # letters of a label
_PLAIN = re.compile(r"\w[\w.-]*")


def is_word(text: str) -> bool:
    """Whether `text` can be a label, in a command line and in an address as it is."""
    return len(text) <= MOST and _PLAIN.fullmatch(text) is not None


def word(text: str) -> str:
    """`text`, if it can be a label.

    Raises:
        ValueError: it cannot; says what can.
    """
    if not is_word(text):
        raise ValueError(
            f"label {text[: MOST + 1]!r}: expected a word of letters, digits, `_`, `.` and `-`, "
            f"at most {MOST}, that begins with one of the first three. Received: another text. "
            "Choose another."
        )
    return text


def read(base_path: Path) -> dict[str, int]:
    """The version that each label names; empty where none were given.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds something else.
        RemoteError: its object store cannot be reached.
    """
    file = base_path / FILE
    try:
        found = json.loads(regular_file.read_text(file))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise _strange(file, str(error)) from error
    if not isinstance(found, dict):
        raise _strange(file, type(found).__name__)
    for label, number in found.items():
        if type(number) is not int or not 0 <= number <= versions.LARGEST:
            raise _strange(file, f"{label!r}: {number!r}")
    return {word(label): number for label, number in found.items()}


def write(base_path: Path, labels: dict[str, int]) -> None:
    """Make `labels` those of the model, at once and whole.

    Raises:
        OSError: the file cannot be written.
        RemoteError: its object store cannot be reached, or does not allow it.
    """
    text = json.dumps(dict(sorted(labels.items())))
    if remote.is_remote(base_path):
        remote.write(base_path / FILE, text.encode())
        return
    staged = pathlib.Path(base_path, f"{FILE}.{uuid.uuid4().hex}")
    try:
        staged.write_text(text)
        staged.replace(pathlib.Path(base_path, FILE))
    finally:
        staged.unlink(missing_ok=True)


def _strange(file: Path, received: str) -> ValueError:
    return ValueError(
        f"{remote.url(file)}: expected versions by label. Received: {received}. Remove the file, "
        "and label the versions again by `millrace label`."
    )
