"""Networks as a person would write them, good and bad; named by the tests of `custom`."""

import keras

from millrace.components.models.networks import Networks


@keras.saving.register_keras_serializable(package="own_models")
class Twice(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2.0


class Unregistered(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2.0


def _image(spec):
    return keras.Input(spec.shape, dtype="uint8", name="image")


def _ended(inputs, tensor, units, activation):
    scores = keras.layers.Dense(units, activation=activation, name="scores", dtype="float32")
    return keras.Model(inputs, scores(tensor))


def flat(spec, *, units, activation, factor=1.0):
    inputs = _image(spec)
    scaled = keras.layers.Rescaling(factor)(inputs)
    return _ended(inputs, keras.layers.Flatten()(Twice()(scaled)), units, activation)


def unregistered(spec, *, units, activation):
    inputs = _image(spec)
    scaled = keras.layers.Rescaling(1.0)(inputs)
    return _ended(inputs, keras.layers.Flatten()(Unregistered()(scaled)), units, activation)


def two(spec, *, units, activation):
    return Networks(
        training=flat(spec, units=units, activation=activation),
        inference=flat(spec, units=units, activation=activation),
    )


def of_tokens(spec, *, units, activation):
    inputs = keras.Input((spec.sequence_length,), dtype="int32", name="tokens")
    return _ended(inputs, keras.layers.Embedding(spec.size, 2)(inputs)[:, 0], units, activation)


def forecast(spec, *, units, activation):
    inputs = keras.Input(spec.layout.inputs[0].shape, name="window")
    steps = keras.layers.Dense(units, activation=activation)(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Reshape(spec.layout.target.shape)(steps))


def sums(spec, *, units, activation):
    """The sum of all that it is given, for every step."""
    inputs = {each.name: keras.Input(each.shape, name=each.name) for each in spec.layout.inputs}
    flat = [keras.layers.Flatten()(each) for each in inputs.values()]
    joined = keras.layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
    steps = keras.layers.Dense(units, activation, kernel_initializer="ones")(joined)
    forecast = keras.layers.Reshape(spec.layout.target.shape)(steps)
    return keras.Model(inputs if len(inputs) > 1 else inputs["window"], forecast)


def nothing(spec, *, units, activation):
    return None


def subclassed(spec, *, units, activation):
    return Sub()


class Sub(keras.Model):
    def call(self, inputs):
        return inputs


def other_input(spec, *, units, activation):
    inputs = keras.Input((3,), name="pixels")
    return _ended(inputs, inputs, units, activation)


def other_output(spec, *, units, activation):
    return flat(spec, units=units + 1, activation=activation)


def other_activation(spec, *, units, activation):
    return flat(spec, units=units, activation="relu")


def unnamed(spec, *, units, activation):
    inputs = _image(spec)
    flat_pixels = keras.layers.Flatten()(keras.layers.Rescaling(1.0)(inputs))
    return keras.Model(inputs, keras.layers.Dense(units, activation, name="last")(flat_pixels))


def no_units(spec):
    return None
