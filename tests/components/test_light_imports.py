"""The engine reads these modules' signatures: importing them must cost next to nothing."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "apache_beam", "matplotlib", "sklearn", "grpc")


@pytest.mark.parametrize(
    "module",
    [
        "components.bulk_inferrer",
        "components.evaluator",
        "components.infra_validator",
        "components.pusher",
    ],
)
def test_a_component_is_imported_without_heavy_libraries(module):
    code = f"import sys, {module}; sys.exit(', '.join(sys.modules.keys() & set({HEAVY!r})) or 0)"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_their_annotations_resolve():
    import typing

    from components.artifacts import Evaluation, InferenceResult, InfraBlessing, PushedModel
    from components.bulk_inferrer import bulk_inferrer
    from components.evaluator import evaluator
    from components.infra_validator import infra_validator
    from components.pusher import pusher

    returned = {
        evaluator: Evaluation,
        infra_validator: InfraBlessing,
        pusher: PushedModel,
        bulk_inferrer: InferenceResult,
    }
    for step, artifact in returned.items():
        assert typing.get_type_hints(step)["return"] is artifact
