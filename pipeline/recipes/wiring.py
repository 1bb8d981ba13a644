"""The whole pipeline at a glance: from examples to a pushed model, and from a model to answers."""

from collections.abc import Sequence
from typing import Any

from etils.epath import Path

from millrace.components.analyze import analyze
from millrace.components.artifacts import (
    Analysis,
    Evaluation,
    Examples,
    InfraBlessing,
    Model,
    Schema,
    Statistics,
)
from millrace.components.bulk_inferrer import bulk_inferrer
from millrace.components.evaluator import evaluator
from millrace.components.example_gen.request_logs import request_log_example_gen
from millrace.components.example_gen.unlabelled import takes_rows, unlabelled_example_gen
from millrace.components.example_validator import example_validator
from millrace.components.export import export
from millrace.components.feature_maps import feature_maps
from millrace.components.features.series_spec import SeriesOptions
from millrace.components.features.spec import FeatureOptions
from millrace.components.infra_validator import infra_validator
from millrace.components.options.component_spec import ComponentSpec
from millrace.components.projector import projector
from millrace.components.pusher import pusher
from millrace.components.rate_finder import rate_finder
from millrace.components.schema_gen import import_schema, schema_gen, serving_schema
from millrace.components.statistics_gen import statistics_gen
from millrace.components.trainer import trainer
from millrace.components.transform import transform
from millrace.components.tuner import tuner
from millrace.pipeline.dag import Dag, OptionsOf, Previous, Source, Step
from millrace.pipeline.pushed import Training
from millrace.serving import remote

Origin = tuple[Analysis | None, Examples | None]
NOTHING: Origin = (None, None)


def train_and_push(
    dag: Dag,
    examples: Step,
    features: FeatureOptions,
    serving_root: Path,
    curated: str | None,
    extras: Sequence[str] = (),
) -> None:
    """From raw examples to a pushed model; `curated` names a schema file, `extras` steps beside."""
    statistics = dag.step(statistics_gen, examples=examples)
    if curated:
        schema = dag.step(import_schema, source=Source(curated))
    else:
        # A record of series is a whole one, as long as its split, with NaN for missing cells.
        fixed = not isinstance(features, SeriesOptions)
        schema = dag.step(
            schema_gen, statistics=statistics, infer_feature_shape=fixed, disallow_nan=fixed
        )
    dag.step(example_validator, statistics=statistics, schema=schema, previous=Previous(statistics))
    analysis = dag.step(analyze, examples=examples, features=features)
    transformed = dag.step(transform, examples=examples, analysis=analysis)
    trained = dag.step(
        trainer,
        examples=transformed,
        analysis=analysis,
        rate=_find_rate(dag, transformed, analysis) if "rate_finder" in extras else None,
        hyperparameters=_search(dag, transformed, analysis) if "tuner" in extras else None,
    )
    for look in (feature_maps, projector):
        if look.__name__ in extras:
            dag.step(look, model=trained, analysis=analysis, examples=transformed)
    # A forecaster is asked about windows, which `transform` cuts; others about raw records.
    asked = transformed if isinstance(features, SeriesOptions) else examples
    model = dag.step(export, model=trained, analysis=analysis, examples=asked)
    evaluation = dag.step(
        evaluator,
        examples=asked,
        model=model,
        baseline=Previous(model, blessed=True),
        statistics=statistics,
    )
    infra = dag.step(infra_validator, model=model, examples=asked)
    dag.step(
        pusher,
        model=model,
        evaluation=evaluation,
        infra=infra,
        model_name=dag.name,
        serving_root=remote.url(serving_root),
    )


def _find_rate(dag: Dag, examples: Step, analysis: Step) -> Step:
    """A sweep of learning rates for the very network that the trainer will train."""
    shared = ComponentSpec.of(rate_finder).options.keys() & ComponentSpec.of(trainer).options.keys()
    lent: dict[str, Any] = {name: OptionsOf("trainer", name) for name in sorted(shared)}
    return dag.step(rate_finder, examples=examples, analysis=analysis, **lent)


def _search(dag: Dag, examples: Step, analysis: Step) -> Step:
    """A search for settings of the trainer, from what that is set to."""
    trains = f"{trainer.__module__}:{trainer.__name__}"
    return dag.step(
        tuner, examples=examples, analysis=analysis, train=trains, base=OptionsOf("trainer")
    )


def bulk_inference(
    name: str, model: Path, evaluation: Path, data: str, learnt: Origin = NOTHING
) -> Dag:
    """The model in the folder `model` over each of the files at `data`, or over the rows in them.

    Rows are read as the training data in `learnt` was, pairs of an Analysis and its Examples.
    """
    dag = Dag(name)
    judged = Source(str(evaluation), Evaluation)
    asked = Source(str(model), Model)
    if not takes_rows(Model(model)):
        dag.step(bulk_inferrer, model=asked, evaluation=judged, source=Source(data))
        return dag
    analysis, records = learnt
    rows = dag.step(
        unlabelled_example_gen,
        source=Source(data),
        model=asked,
        learnt=Source(str(records.path), Examples) if records else None,
        analysis=Source(str(analysis.path), Analysis) if analysis else None,
    )
    dag.step(bulk_inferrer, model=asked, evaluation=judged, examples=rows)
    return dag


def push_again(
    name: str,
    model: Path,
    evaluation: Path | None,
    infra: Path | None,
    serving_root: Path,
    **settings: Any,
) -> Dag:
    """The model in the folder `model`, with the verdicts on it, to the model servers once more."""
    dag = Dag(name)
    dag.step(
        pusher,
        model=Source(str(model), Model),
        evaluation=Source(str(evaluation), Evaluation) if evaluation else None,
        infra=Source(str(infra), InfraBlessing) if infra else None,
        model_name=name,
        serving_root=remote.url(serving_root),
        **settings,
    )
    return dag


def serving_skew(name: str, training: Training, log: str) -> Dag:
    """The logged requests of the model `name`, compared with what it was trained on."""
    dag = Dag(name)
    learnt: Source | Step
    schema: Source | Step
    if training.statistics and training.schema:
        learnt = Source(str(training.statistics), Statistics)
        schema = Source(str(training.schema), Schema)
    else:  # a forecaster's windows, which no step has described
        windows = Source(str(training.examples), Examples)
        learnt = dag.step(statistics_gen, step_name="training_statistics", examples=windows)
        schema = dag.step(
            schema_gen, step_name="training_schema", statistics=learnt, disallow_nan=False
        )
    model = Source(str(training.model), Model)
    expected = dag.step(serving_schema, schema=schema, model=model)
    asked = dag.step(
        request_log_example_gen, source=Source(log), schema=expected, model=model, model_name=name
    )
    found = dag.step(statistics_gen, step_name="serving_statistics", examples=asked)
    dag.step(
        example_validator,
        step_name="skew_validator",
        statistics=found,
        schema=expected,
        training=learnt,
    )
    return dag
