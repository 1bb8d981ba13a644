"""TFX's own components, from raw data to a pushed model, as millrace's recipes wire theirs.

The splits are those of millrace: 8 parts of 10 to train on, one for the trainer's evaluation and
one for the evaluator. TFX validates a model for serving only with TensorFlow Serving installed, so
there is no infra validator.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_model_analysis as tfma
import tensorflow_transform as tft
import tf_keras
from tfx import v1 as tfx
from tfx_bsl.public import tfxio

LABEL = "label"
_PARTS = {"train": 8, "eval": 1, "test": 1}


def splits() -> Any:
    """The output configuration of an example generator."""
    parts = [tfx.proto.SplitConfig.Split(name=n, hash_buckets=p) for n, p in _PARTS.items()]
    return tfx.proto.Output(split_config=tfx.proto.SplitConfig(splits=parts))


def run(examples: Any, module: str, root: pathlib.Path, metric: str, slices: list[str]) -> None:
    """Run every component on the `examples` that a generator makes, with a cache below `root`.

    `module` is the file that holds `preprocessing_fn` and `run_fn`. `metric` is a class of Keras
    that must reach 0.5 for the model to be pushed; each of `slices` is a feature, for whose values
    it is computed as well.
    """
    made = examples.outputs["examples"]
    of = tfx.components
    statistics = of.StatisticsGen(examples=made)
    schema = of.SchemaGen(statistics=statistics.outputs["statistics"], infer_feature_shape=True)
    validator = of.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    transform = of.Transform(examples=made, schema=schema.outputs["schema"], module_file=module)
    trainer = of.Trainer(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        module_file=module,
        train_args=tfx.proto.TrainArgs(),
        eval_args=tfx.proto.EvalArgs(),
    )
    evaluator = of.Evaluator(
        examples=made,
        example_splits=["test"],
        model=trainer.outputs["model"],
        eval_config=_evaluation(metric, slices),
    )
    folder = tfx.proto.PushDestination.Filesystem(base_directory=str(root / "serving"))
    pusher = of.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(filesystem=folder),
    )
    store = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="race",
        pipeline_root=str(root / "artifacts"),
        components=[examples, statistics, schema, validator, transform, trainer, evaluator, pusher],
        enable_cache=True,
        metadata_connection_config=store,
    )
    tfx.orchestration.LocalDagRunner().run(pipeline)


def _evaluation(metric: str, slices: list[str]) -> Any:
    at_least = tfma.GenericValueThreshold(lower_bound={"value": 0.5})
    metrics = [
        tfma.MetricConfig(class_name="ExampleCount"),
        tfma.MetricConfig(
            class_name=metric, threshold=tfma.MetricThreshold(value_threshold=at_least)
        ),
    ]
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name="serving_default", label_key=LABEL)],
        slicing_specs=[tfma.SlicingSpec(), *(tfma.SlicingSpec(feature_keys=[s]) for s in slices)],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )


def train(
    arguments: Any, batch: int, loss: str, network: Callable[[tft.TFTransformOutput], Any]
) -> None:
    """What `run_fn` does: one epoch, then a SavedModel that takes serialized raw examples."""
    tf_keras.utils.set_random_seed(0)
    transformed = tft.TFTransformOutput(arguments.transform_output)
    options = tfxio.TensorFlowDatasetOptions(batch_size=batch, num_epochs=1, label_key=LABEL)

    def dataset(files: Any) -> Any:
        schema = transformed.transformed_metadata.schema
        return arguments.data_accessor.tf_dataset_factory(files, options, schema)

    model = network(transformed)
    model.compile("adam", loss, metrics=["accuracy"])
    held_out = dataset(arguments.eval_files)
    model.fit(dataset(arguments.train_files), epochs=1, validation_data=held_out, verbose=2)
    model.preprocessing = transformed.transform_features_layer()
    raw = {name: kind for name, kind in transformed.raw_feature_spec().items() if name != LABEL}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: Any) -> dict[str, Any]:
        return {"outputs": model(model.preprocessing(tf.io.parse_example(examples, raw)))}

    model.save(arguments.serving_model_dir, save_format="tf", signatures={"serving_default": serve})
