"""Millrace: pipelines from data to a served model, on Beam, Keras and TensorFlow Serving.

Everything public is imported from here, or by name from `millrace.steps` and `millrace.inputs`;
docs/python.md tells what each is for. A name is imported from its module when it is first used:
`import millrace` alone takes milliseconds.
"""
# Every module's package, of both distributions; the client's wheel holds this file and the
# client's modules alone. `__all__`, the imports below it (for type checkers and editors: these
# never run) and `_PLACES` name the same; a test compares them. source_code follows such an import
# only where a person's code takes that name.

import importlib
from typing import TYPE_CHECKING, Any

__all__ = [
    "Analysis",
    "Anomalies",
    "Answers",
    "Artifact",
    "AsyncClient",
    "BeamOptions",
    "Client",
    "ClientError",
    "Dag",
    "DataError",
    "Evaluation",
    "Examples",
    "Hyperparameters",
    "ImageOptions",
    "ImageSpec",
    "InferenceResult",
    "InfraBlessing",
    "LanguageOptions",
    "LanguageSpec",
    "LaunchError",
    "LearningRate",
    "MillraceError",
    "Model",
    "ModelError",
    "OptionError",
    "Plots",
    "Previous",
    "Projection",
    "PushedModel",
    "RawFiles",
    "Recipe",
    "RestClient",
    "RpcError",
    "Run",
    "RunError",
    "RunStep",
    "Schema",
    "SeriesOptions",
    "SeriesSpec",
    "Source",
    "Statistics",
    "Step",
    "StoreError",
    "TableOptions",
    "TableSpec",
    "TextOptions",
    "TextSpec",
    "Tls",
    "TrainedModel",
    "UsageError",
    "WiringError",
    "inputs",
    "open_run",
    "predict",
    "run",
    "runs",
    "serve",
    "step",
    "steps",
    "tunable",
]

if TYPE_CHECKING:
    from millrace import steps
    from millrace.components.artifacts import (
        Analysis,
        Anomalies,
        Artifact,
        Evaluation,
        Examples,
        Hyperparameters,
        InferenceResult,
        InfraBlessing,
        LearningRate,
        Model,
        Plots,
        Projection,
        PushedModel,
        RawFiles,
        Schema,
        Statistics,
        TrainedModel,
    )
    from millrace.components.beam.options import BeamOptions
    from millrace.components.errors import DataError, ModelError, OptionError
    from millrace.components.features.image_spec import ImageOptions, ImageSpec
    from millrace.components.features.language_spec import LanguageOptions, LanguageSpec
    from millrace.components.features.series_spec import SeriesOptions, SeriesSpec
    from millrace.components.features.table_spec import TableOptions, TableSpec
    from millrace.components.features.text_spec import TextOptions, TextSpec
    from millrace.components.tuning.hyperparameters import tunable
    from millrace.pipeline.api import predict, run, serve, step
    from millrace.pipeline.dag import Dag, Previous, Source, Step
    from millrace.pipeline.errors import RunError, StoreError, UsageError, WiringError
    from millrace.pipeline.predictions import Answers
    from millrace.pipeline.recipes.row import Recipe
    from millrace.pipeline.runs import Run, RunStep, open_run, runs
    from millrace.serving import inputs
    from millrace.serving.client import AsyncClient, Client, RestClient, Tls
    from millrace.serving.errors import ClientError, LaunchError, MillraceError, RpcError

_PLACES = {
    name: module
    for module, names in {
        "millrace.components.artifacts": (
            "Analysis Anomalies Artifact Evaluation Examples Hyperparameters InferenceResult "
            "InfraBlessing LearningRate Model Plots Projection PushedModel RawFiles Schema "
            "Statistics TrainedModel"
        ),
        "millrace.components.beam.options": "BeamOptions",
        "millrace.components.errors": "DataError ModelError OptionError",
        "millrace.components.features.image_spec": "ImageOptions ImageSpec",
        "millrace.components.features.language_spec": "LanguageOptions LanguageSpec",
        "millrace.components.features.series_spec": "SeriesOptions SeriesSpec",
        "millrace.components.features.table_spec": "TableOptions TableSpec",
        "millrace.components.features.text_spec": "TextOptions TextSpec",
        "millrace.components.tuning.hyperparameters": "tunable",
        "millrace.pipeline.api": "predict run serve step",
        "millrace.pipeline.dag": "Dag Previous Source Step",
        "millrace.pipeline.errors": "RunError StoreError UsageError WiringError",
        "millrace.pipeline.predictions": "Answers",
        "millrace.pipeline.recipes.row": "Recipe",
        "millrace.pipeline.runs": "Run RunStep open_run runs",
        "millrace.serving.client": "AsyncClient Client RestClient Tls",
        "millrace.serving.errors": "ClientError LaunchError MillraceError RpcError",
    }.items()
    for name in names.split()
}
_MODULES = {"inputs": "millrace.serving.inputs", "steps": "millrace.steps"}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name) or _MODULES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(place)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(__name__):
            raise
        raise ImportError(
            f"millrace.{name}: expected the whole of millrace. Received: its client alone. "
            "`pip install tf-millrace`"
        ) from None
    return module if name in _MODULES else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
