"""What the engine reads from the signatures of the steps after training, and at what cost."""

import subprocess
import sys
import typing

import pytest
from pydantic import TypeAdapter, ValidationError

from millrace.components.artifacts import Evaluation, InferenceResult, InfraBlessing, PushedModel
from millrace.components.bulk_inferrer import bulk_inferrer
from millrace.components.evaluator import evaluator
from millrace.components.infra_validator import infra_validator
from millrace.components.pusher import pusher

HEAVY = ("tensorflow", "keras", "apache_beam", "matplotlib", "sklearn", "grpc")


@pytest.mark.parametrize(
    "module",
    [
        "millrace.components.bulk_inferrer",
        "millrace.components.evaluator",
        "millrace.components.infra_validator",
        "millrace.components.pusher",
    ],
)
def test_a_component_is_imported_without_heavy_libraries(module):
    code = f"import sys, {module}; sys.exit(', '.join(sys.modules.keys() & set({HEAVY!r})) or 0)"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_their_annotations_resolve():
    returned = {
        evaluator: Evaluation,
        infra_validator: InfraBlessing,
        pusher: PushedModel,
        bulk_inferrer: InferenceResult,
    }
    for step, artifact in returned.items():
        assert typing.get_type_hints(step)["return"] is artifact


@pytest.mark.parametrize(
    ("step", "option", "good", "bad"),
    [
        (pusher, "keep", 1, 0),
        (infra_validator, "requests", 1, 0),
        (infra_validator, "tolerance", 0.0, -1e-9),
        (infra_validator, "timeout", 0.1, 0.0),
        (infra_validator, "engine", "auto", "rocket"),
        (evaluator, "top_k", 1, 0),
        (evaluator, "mistakes", 0, -1),
        (evaluator, "batch_size", 1, 0),
        (evaluator, "max_rejected", 1.0, 1.1),
        (bulk_inferrer, "files_per_shard", 1, 0),
        (bulk_inferrer, "format", "csv", "xml"),
    ],
)
def test_an_option_out_of_bounds_is_refused(step, option, good, bad):
    adapter = TypeAdapter(typing.get_type_hints(step, include_extras=True)[option])
    assert adapter.validate_python(good) == good
    with pytest.raises(ValidationError):
        adapter.validate_python(bad)
