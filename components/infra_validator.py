"""Serves a candidate on the real serving path, sends requests, and says whether to push it."""

import dataclasses
import itertools
import logging
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path as LocalPath
from typing import Literal

from etils.epath import Path

from millrace.components.artifacts import Examples, InfraBlessing, Model
from millrace.components.errors import DataError
from millrace.components.files.folders import copy_tree
from millrace.components.options.ranges import Count, NotNegative, Positive

_log = logging.getLogger(__name__)
_BINARY = "tensorflow_model_server"
_PREFERRED = ("eval", "test", "train")  # the splits to take requests from, in this order
_NAME, _VERSION = "candidate", 1
_TAIL = 2000  # characters of the server's log in the reasons


@dataclasses.dataclass(frozen=True)
class _Trial:
    """How the candidate is served and called."""

    engine: Literal["embedded", "binary", "image"]
    binary: str
    tolerance: float
    timeout: float
    request_timeout: float


def infra_validator(
    model: Model,
    examples: Examples,
    out: Path,
    *,
    engine: Literal["auto", "embedded", "binary", "image"] = "auto",
    binary: str = "tensorflow_model_server",
    requests: Count = 20,
    tolerance: NotNegative = 1e-4,
    timeout: Positive = 120.0,
    request_timeout: Positive = 30.0,
) -> InfraBlessing:
    """Serve the model on the real serving path, send it requests, and bless it if they succeed.

    Over a socket, Predict is sent raw input, Classify and Regress serialised Examples, and status
    and metadata are requested. The answers must be finite and equal those of the same SavedModel
    in this process. `server.log` has the output of the server.

    Args:
        model: the candidate; it is served from a copy.
        examples: raw records (for series, windows); those of the split eval are sent, else of
            test, else of train.
        out: the folder for the verdict.
        engine: `embedded` is the project's own server, `binary` TensorFlow Serving's program,
            `image` its image; `auto` uses the binary if it is on the PATH, else `embedded`.
        binary: the program's name or path; if it is not the default, `auto` uses it.
        requests: how many records to send.
        tolerance: how much numbers may differ; relative to the largest if that is above 1 in size.
        timeout: seconds within which the server must be ready.
        request_timeout: seconds that a request may take.

    Raises:
        DataError: there is no record to send.
    """
    split, records = _records(examples, requests)
    trial = _Trial(_engine(engine, binary), binary, tolerance, timeout, request_timeout)
    _log.info(
        "serving the candidate (%s), sending %d records of split %r",
        trial.engine,
        len(records),
        split,
    )
    objections, remarks = _try(model, records, trial, out)
    remarks = [
        f"served by engine {trial.engine!r}, {len(records)} rows of split {split!r}",
        *remarks,
    ]
    _log.info(
        "%s: %s", "not blessed" if objections else "blessed", "; ".join(objections or remarks)
    )
    return InfraBlessing(out).write_verdict(not objections, [*objections, *remarks])


def _records(examples: Examples, requests: int) -> tuple[str, list[bytes]]:
    """Returns the split to use, and its first records."""
    from millrace.components.files.tfrecord import read_records

    found = [split for split in _PREFERRED if split in examples.splits] or examples.splits
    for split in found:
        records = itertools.chain.from_iterable(map(read_records, examples.files(split)))
        if first := list(itertools.islice(records, requests)):
            return split, first
    raise DataError(
        f"{examples.path}: expected at least one record to send. Received: none in the splits "
        f"{', '.join(found) or '(no splits)'}. Add examples."
    )


def _engine(engine: str, binary: str) -> Literal["embedded", "binary", "image"]:
    """Returns the engine to use; `auto` means the binary if it exists or one was given."""
    if engine == "auto":
        return "binary" if shutil.which(binary) or binary != _BINARY else "embedded"
    return engine  # type: ignore[return-value]  # not `auto`


def _try(
    model: Model, records: list[bytes], trial: _Trial, out: Path
) -> tuple[list[str], list[str]]:
    """Serve a copy of the model and test it; returns objections and remarks."""
    from millrace.serving.errors import RpcError, ServingError

    with tempfile.TemporaryDirectory(prefix="infra_validator_") as name:
        folder = LocalPath(name)
        log = folder / "server.log"
        log.touch()
        copy_tree(model.saved_model, Path(folder / _NAME / str(_VERSION)))
        try:
            objections, remarks = _check(folder / _NAME, log, records, trial)
        except RpcError as error:
            objections, remarks = [f"{error.code}: {error.details}"], []
        except ServingError as error:  # it cannot be loaded, or the server does not start
            objections, remarks = [str(error)], []
        text = log.read_text(errors="replace")
        (out / "server.log").write_text(text)
    if objections and text and text[-_TAIL:] not in objections[0]:
        remarks = [*remarks, f"server.log ends: {text[-_TAIL:]}"]
    return objections, remarks


def _check(
    versions: LocalPath, log: LocalPath, records: list[bytes], trial: _Trial
) -> tuple[list[str], list[str]]:
    """Raises the errors of `millrace.serving.launch` and `millrace.serving.client`."""
    from millrace.components.inference import serving_checks
    from millrace.serving.client import Client
    from millrace.serving.launch import launch
    from millrace.serving.model import LoadedModel

    with LoadedModel(Path(versions / str(_VERSION))) as loaded, ThreadPoolExecutor(1) as beside:
        warmed_up = beside.submit(loaded.warm_up)  # while the server does the same
        with (
            launch(
                versions,
                _NAME,
                engine=trial.engine,
                binary=trial.binary,
                timeout=trial.timeout,
                log=log,
            ) as server,
            Client(server.target, timeout=trial.request_timeout) as client,
        ):
            warmed_up.result()
            served = serving_checks.Served(client, _NAME, _VERSION, loaded, trial.tolerance)
            findings = serving_checks.check_all(served, records)
    return list(findings.objections), list(findings.remarks)
