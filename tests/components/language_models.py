"""A small generator with weights of some size, for the tests that ask one."""

import keras

from millrace.components.features.language_spec import LanguageSpec
from millrace.components.models.language import build
from millrace.components.models.language_options import Generator

LINES = LanguageSpec(
    level="word",
    vocabulary=("\n", "come", "all", "ye", "maidens"),
    counts=(3, 4, 2, 2, 1, 1),
    sequence_length=4,
    stride=4,
    delimiter="\n",
    standardize="lower_and_strip_punctuation",
)
RUNNING = LanguageSpec("character", tuple("e\nabcd "), (0, 5, 4, 3, 2, 1, 1, 1), 5, 5, "", "none")


def networks(spec, *, activation="linear", seed=1, **options):
    """The networks for `spec`, their weights thrice as large as Keras draws them."""
    keras.utils.set_random_seed(seed)
    given = {"units": (8, 6), "embedding_dim": 4, "dropout": 0.3} | options
    found = build(Generator(**given), spec, units=spec.tokens, activation=activation)
    for weight in found.inference.trainable_variables:
        weight.assign(weight * 3)
    return found
