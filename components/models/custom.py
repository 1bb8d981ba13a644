"""A user's network: their function is called, and what it returns is checked.

The function named by `trainer.model.function` gets the spec of the data (see
`millrace.components.features`), the `units` and the `activation` of the last layer, and its
settings. Its model takes the inputs of the spec's `layout`, of texts the `letters` only if it will,
and returns float32:

    classification, regression   [batch, units]
    forecast                     [batch, horizon, targets]
    language                     [batch, length, units]

A forecaster's windows have no missing cells: they are filled before the model sees them. The last
layer of a classifier or a generator is called `scores` and has `activation`; custom layers are
registered with `keras.saving.register_keras_serializable`, so that the saved model can be loaded
again.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras

from millrace.components.errors import ModelError, OptionError
from millrace.components.features import record
from millrace.components.features.layout import LayoutColumn
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.features.spec import Spec
from millrace.components.features.text_spec import TextSpec
from millrace.components.models.custom_options import Custom
from millrace.components.models.networks import SCORES, Networks
from millrace.components.user_code import references

_FUNCTION = "trainer.model.function"
_SETTINGS = "trainer.model.settings"


def build(options: Custom, spec: Spec, *, units: int, activation: str) -> Networks:
    """The network that the function of `options` builds.

    Raises:
        OptionError: the function cannot be found or imported, or does not take its arguments.
        ModelError: it returns no model, or one with other inputs or outputs.
    """
    function = references.load(options.function, _FUNCTION)
    _check_arguments(function, options)
    built = function(spec, units=units, activation=activation, **options.settings)
    networks = built if isinstance(built, Networks) else Networks(built, built)
    for model in (networks.training, networks.inference):
        _check_model(model, options.function)
        _check_inputs(model, options.function, spec.layout.inputs)
        _check_outputs(model, options.function, output_shape(spec, units))
        if spec.task in ("classification", "language"):
            _check_last_layer(model, options.function, activation)
    if isinstance(spec, TextSpec):
        inference = _given_all(networks.inference, spec)
        is_one = networks.training is networks.inference
        return Networks(inference if is_one else _given_all(networks.training, spec), inference)
    if isinstance(spec, SeriesSpec) and spec.fill:
        return _behind_filled(networks, spec)
    return networks


def _given_all(model: keras.Model, spec: TextSpec) -> keras.Model:
    """`model`, given letters even if it does not look at them."""
    if len(model.inputs) == len(spec.layout.inputs):
        return model
    letters = keras.Input((spec.letters,), dtype="uint8", name=record.LETTERS)
    return keras.Model(
        {record.TOKENS: model.inputs[0], record.LETTERS: letters}, model.output, name=model.name
    )


def _without_letters(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in inputs.items() if name != record.LETTERS}


def _behind_filled(networks: Networks, spec: SeriesSpec) -> Networks:
    """Networks that fill the missing cells of a window before the user's network sees it."""
    from millrace.components.models import series

    inference = series.behind_filled(networks.inference, spec)
    if networks.training is networks.inference:
        return Networks(inference, inference)
    return Networks(series.behind_filled(networks.training, spec), inference)


def output_shape(spec: Spec, units: int) -> tuple[int, ...]:
    """The output of a network for `spec`, without the batch."""
    target = spec.layout.target.shape
    return target if spec.task == "forecast" else (*target, units)


def _check_arguments(function: Callable[..., Any], options: Custom) -> None:
    signature = inspect.signature(function)
    try:
        signature.bind(None, units=1, activation="", **options.settings)
    except TypeError as error:
        raise OptionError(
            f"{_SETTINGS}: expected {options.function} to take (spec, *, units, activation"
            f"{''.join(f', {name}' for name in options.settings)}). "
            f"Received: {signature}: {error}. Correct the settings or the function."
        ) from None


def _check_model(model: Any, function: str) -> None:
    if isinstance(model, keras.Model) and hasattr(model, "inputs") and model.built:
        if model.inputs and model.outputs:
            return
        received = f"the subclassed {type(model).__name__}, whose inputs are unknown"
    else:
        received = f"a {type(model).__name__}"
    raise ModelError(
        f"{function}: expected a functional keras.Model, or Networks of two. Received: {received}. "
        "Return keras.Model(inputs, outputs)."
    )


def _check_inputs(model: keras.Model, function: str, columns: tuple[LayoutColumn, ...]) -> None:
    wanted = {column.name: (column.dtype, (None, *column.shape)) for column in columns}
    found = {each.name: (each.dtype, tuple(each.shape)) for each in model.inputs}
    if found != wanted and found != _without_letters(wanted):
        example = columns[0]
        raise ModelError(
            f"{function}: expected the inputs {_described(wanted)}. "
            f"Received: {_described(found)}. Make them from the spec: "
            f"keras.Input({example.shape}, dtype={example.dtype!r}, "
            f"name={example.name!r}) for each of spec.layout.inputs."
        )


def _check_outputs(model: keras.Model, function: str, shape: tuple[int, ...]) -> None:
    found = [(each.dtype, tuple(each.shape)) for each in model.outputs]
    if found != [("float32", (None, *shape))]:
        received = ", ".join(f"{dtype} {_shape(each)}" for dtype, each in found)
        raise ModelError(
            f"{function}: expected one output, float32 {_shape((None, *shape))}. "
            f"Received: {received}. End it with a layer of that shape and dtype='float32'."
        )


def _check_last_layer(model: keras.Model, function: str, activation: str) -> None:
    last = model.layers[-1]
    found = getattr(last, "activation", None)
    if last.name == SCORES and found is keras.activations.get(activation):
        return
    name = getattr(found, "__name__", "none")
    raise ModelError(
        f"{function}: expected a last layer called `{SCORES}` with the activation {activation}. "
        f"Received: `{last.name}` with {name}. End it with keras.layers.Dense(units, "
        f"activation=activation, dtype='float32', name='{SCORES}')."
    )


def _described(tensors: Mapping[str, tuple[str, tuple[int | None, ...]]]) -> str:
    return ", ".join(f"{name} {dtype} {_shape(shape)}" for name, (dtype, shape) in tensors.items())


def _shape(shape: tuple[int | None, ...]) -> str:
    return str(list(shape)).replace("None", "batch", 1)
