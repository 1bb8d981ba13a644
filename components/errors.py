"""The errors of the components floor.

    ComponentError
    +-- DataError       the data a step was given cannot be used as it is
    +-- OptionError     an option's value is invalid, by itself or together with another
    +-- ModelError      a model cannot be built, trained, loaded or exported

Their messages have one form: *where*: expected X. Received: Y. What to do.
"""

from millrace.serving.errors import MillraceError


class ComponentError(MillraceError):
    """Anything that a component refuses."""


class DataError(ComponentError):
    """The data a step was given cannot be used as it is."""


class OptionError(ComponentError):
    """An option's value is invalid, by itself or together with another."""


class ModelError(ComponentError):
    """A model cannot be built, trained, loaded or exported."""
