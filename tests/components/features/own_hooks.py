"""Preprocessing as a person would write it, good and bad; named by the tests of `hook`."""

import numpy as np
import tensorflow as tf


def lower(text):
    return tf.strings.lower(text)


def inverted(image):
    return 255 - image


def halved(image):
    return image[::2, ::2]


def doubled(columns):
    return {**columns, "age": columns["age"] * 2}


def one_column(columns):
    return {"age": columns["age"]}


def counted(text):
    return tf.strings.length(text)


def by_numpy(text):
    return np.char.lower(text.numpy())


def by_python(text):
    return tf.py_function(lambda value: value, [text], tf.string)


def nothing(text):
    return None


def roomy(columns):
    """A new column of two others; one of these goes, and the text in small letters stays."""
    town = tf.strings.lower(columns["town"])
    return {"per_room": columns["area"] / columns["rooms"], "town": town}


def shapeless(columns):
    return {"area": columns["area"][:, None]}


def relabelled(columns):
    return {**columns, "price": columns["area"]}


def mean_wind(columns):
    """Of each window the wind's mean so far, and the load in logarithms, beside the load."""
    steps = tf.range(1.0, columns["wind"].shape[1] + 1.0)
    so_far = tf.cumsum(columns["wind"], axis=1) / steps
    return {"wind": so_far, "log_load": tf.math.log1p(columns["load"])}


def other_load(columns):
    return {**columns, "load": columns["load"] + 1.0}


def inverse_wind(columns):
    return {"inverse": 1.0 / columns["wind"]}


def last_wind(columns):
    return {"last": columns["wind"][:, -1]}
