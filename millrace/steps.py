"""The steps that a recipe can wire, each imported when it is first used.

`dag.step(trainer, …)` adds one. `millrace recipes NAME` lists the options of a recipe's steps.
"""

import importlib
from typing import TYPE_CHECKING, Any

__all__ = [
    "analyze",
    "bulk_inferrer",
    "co2_weekly",
    "convolutions",
    "corpus_example_gen",
    "csv_example_gen",
    "digits_images",
    "evaluator",
    "example_validator",
    "export",
    "feature_maps",
    "house_prices",
    "image_example_gen",
    "import_example_gen",
    "import_schema",
    "infra_validator",
    "line_fit",
    "pixels_example_gen",
    "projector",
    "pusher",
    "rate_finder",
    "request_log_example_gen",
    "reviews_table",
    "sample_picture",
    "schema_gen",
    "series_example_gen",
    "serving_schema",
    "statistics_gen",
    "synthetic_series",
    "text_example_gen",
    "tfds_example_gen",
    "tfds_table_example_gen",
    "tfds_texts",
    "trainer",
    "transform",
    "tuner",
    "unlabelled_example_gen",
]

if TYPE_CHECKING:
    from millrace.components.analyze import analyze
    from millrace.components.bulk_inferrer import bulk_inferrer
    from millrace.components.convolutions import convolutions
    from millrace.components.evaluator import evaluator
    from millrace.components.example_gen.corpus import corpus_example_gen
    from millrace.components.example_gen.image import image_example_gen
    from millrace.components.example_gen.pixels import pixels_example_gen
    from millrace.components.example_gen.request_logs import request_log_example_gen
    from millrace.components.example_gen.reviews import reviews_table
    from millrace.components.example_gen.samples import (
        co2_weekly,
        digits_images,
        house_prices,
        line_fit,
        sample_picture,
        synthetic_series,
    )
    from millrace.components.example_gen.series import series_example_gen
    from millrace.components.example_gen.tables import csv_example_gen
    from millrace.components.example_gen.tables_tfds import tfds_table_example_gen
    from millrace.components.example_gen.text import text_example_gen
    from millrace.components.example_gen.tfds import tfds_example_gen
    from millrace.components.example_gen.tfds_texts import tfds_texts
    from millrace.components.example_gen.tfrecords import import_example_gen
    from millrace.components.example_gen.unlabelled import unlabelled_example_gen
    from millrace.components.example_validator import example_validator
    from millrace.components.export import export
    from millrace.components.feature_maps import feature_maps
    from millrace.components.infra_validator import infra_validator
    from millrace.components.projector import projector
    from millrace.components.pusher import pusher
    from millrace.components.rate_finder import rate_finder
    from millrace.components.schema_gen import import_schema, schema_gen, serving_schema
    from millrace.components.statistics_gen import statistics_gen
    from millrace.components.trainer import trainer
    from millrace.components.transform import transform
    from millrace.components.tuner import tuner

_PLACES = {
    "analyze": "millrace.components.analyze",
    "bulk_inferrer": "millrace.components.bulk_inferrer",
    "convolutions": "millrace.components.convolutions",
    "evaluator": "millrace.components.evaluator",
    "corpus_example_gen": "millrace.components.example_gen.corpus",
    "image_example_gen": "millrace.components.example_gen.image",
    "pixels_example_gen": "millrace.components.example_gen.pixels",
    "request_log_example_gen": "millrace.components.example_gen.request_logs",
    "reviews_table": "millrace.components.example_gen.reviews",
    "co2_weekly": "millrace.components.example_gen.samples",
    "digits_images": "millrace.components.example_gen.samples",
    "house_prices": "millrace.components.example_gen.samples",
    "line_fit": "millrace.components.example_gen.samples",
    "sample_picture": "millrace.components.example_gen.samples",
    "synthetic_series": "millrace.components.example_gen.samples",
    "series_example_gen": "millrace.components.example_gen.series",
    "csv_example_gen": "millrace.components.example_gen.tables",
    "tfds_table_example_gen": "millrace.components.example_gen.tables_tfds",
    "text_example_gen": "millrace.components.example_gen.text",
    "tfds_example_gen": "millrace.components.example_gen.tfds",
    "tfds_texts": "millrace.components.example_gen.tfds_texts",
    "import_example_gen": "millrace.components.example_gen.tfrecords",
    "unlabelled_example_gen": "millrace.components.example_gen.unlabelled",
    "example_validator": "millrace.components.example_validator",
    "export": "millrace.components.export",
    "feature_maps": "millrace.components.feature_maps",
    "infra_validator": "millrace.components.infra_validator",
    "projector": "millrace.components.projector",
    "pusher": "millrace.components.pusher",
    "rate_finder": "millrace.components.rate_finder",
    "import_schema": "millrace.components.schema_gen",
    "schema_gen": "millrace.components.schema_gen",
    "serving_schema": "millrace.components.schema_gen",
    "statistics_gen": "millrace.components.statistics_gen",
    "trainer": "millrace.components.trainer",
    "transform": "millrace.components.transform",
    "tuner": "millrace.components.tuner",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
