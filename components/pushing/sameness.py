"""Whether two SavedModels are the same model: what a server answers by, not how it was written.

`fingerprint.pb` is random, and the rest is in another order each time. So graphs are compared by
`graphs`, weights by `checkpoint`, and all other files (assets, warm-up requests) byte by byte.
"""

from etils.epath import Path
from google.protobuf.message import DecodeError

from millrace.components.errors import DataError
from millrace.components.files.folders import digests
from millrace.components.pushing import checkpoint, graphs
from millrace.serving.protos.checkpoint_pb2 import SavedModel

_GRAPH = "saved_model.pb"
_RANDOM = "fingerprint.pb"
_VARIABLES = "variables/"


def same(one: Path, other: Path) -> bool:
    """Whether the SavedModels in two folders are the same model.

    Where a form of SavedModel is not known, only the same bytes are the same.

    Raises:
        FileNotFoundError: one of them vanishes meanwhile.
    """
    files, others = digests(one), digests(other)
    if files == others:
        return True
    if _beside(files) != _beside(others):
        return False
    try:
        return _model(one, files) == _model(other, others)
    except (DataError, DecodeError, FileNotFoundError, LookupError, ValueError):
        return False


def _beside(files: dict[str, str]) -> dict[str, str]:
    """The digests of the files that are read as they are."""
    ours = (_GRAPH, _RANDOM)
    return {
        name: digest
        for name, digest in files.items()
        if name not in ours and not name.startswith(_VARIABLES)
    }


def _model(folder: Path, files: dict[str, str]) -> list[str]:
    """What each graph of the SavedModel does, with its weights."""
    has_weights = any(name.startswith(_VARIABLES) for name in files)
    tensors = checkpoint.tensors(folder / "variables" / "variables") if has_weights else {}
    model = SavedModel.FromString((folder / _GRAPH).read_bytes())
    return [str(model.saved_model_schema_version)] + [
        graphs.canonical(meta_graph, tensors) for meta_graph in model.meta_graphs
    ]
