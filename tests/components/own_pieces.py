"""Losses, metrics, callbacks and the like as a person would write them; named by several tests."""

import keras

ROWS = keras.ops.ones((3,))


def doubled(y_true, y_pred, by=2.0):
    return by * keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)


def doubling(by):
    def loss(y_true, y_pred):
        return doubled(y_true, y_pred, by)

    return loss


class Doubled(keras.losses.Loss):
    def __init__(self, by=2.0):
        super().__init__()
        self.by = by

    def call(self, y_true, y_pred):
        return doubled(y_true, y_pred, self.by)


class Largest(keras.metrics.Metric):
    def __init__(self, name="largest"):
        super().__init__(name=name)
        self.found = self.add_weight(initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.found.assign(keras.ops.maximum(self.found, keras.ops.max(y_pred)))

    def result(self):
        return self.found.value


def slow(learning_rate=0.5):
    return keras.optimizers.SGD(learning_rate)


class Counting(keras.callbacks.Callback):
    resumed = ("seen",)

    def __init__(self, most=1):
        super().__init__()
        self.most, self.seen = most, 0

    def on_epoch_end(self, epoch, logs=None):
        self.seen += 1
        self.model.stop_training = self.seen >= self.most


said = []
saying = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: said.append(epoch))


def tenths(epoch):
    return 0.1**epoch


def halved(epoch, before, by=0.5):
    return before * by


def falling(learning_rate, steps, epochs):
    return keras.optimizers.schedules.PolynomialDecay(learning_rate, steps * epochs)


def sevens(shape, dtype=None):
    return keras.ops.full(shape, 7.0, dtype)


def snake(x, a=1.0):
    return x + keras.ops.sin(a * x) ** 2 / a


def snaking(a):
    def activation(x):
        return snake(x, a)

    return activation


def summed(x):
    return keras.ops.sum(x, axis=-1)


@keras.saving.register_keras_serializable(package="own")
class Gated(keras.layers.Layer):
    def build(self, input_shape):
        self.gate = self.add_weight(shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs):
        return inputs * self.gate


class Unregistered(Gated):
    pass


def number():
    return 4
