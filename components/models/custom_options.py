"""The option for a network of a person's own; no Keras, so that reading it is cheap."""

import dataclasses
import json
from typing import Annotated, Literal

from pydantic import BeforeValidator


def _read(value: object) -> object:
    """Text that is JSON, such as `64`, `0.5`, `true` or `[64, 32]`, as what it says."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


Scalar = bool | int | float | str
Setting = Annotated[Scalar | list[Scalar], BeforeValidator(_read)]


@dataclasses.dataclass(frozen=True)
class Custom:
    """A network that a function of a person's own builds.

    Attributes:
        function: `package.module:function`, called as
            `function(spec, units=…, activation=…, **settings)`; gives a `keras.Model`, or
            `Networks` where training differs from inference.
        settings: its further arguments by name. One that names a file counts with the file's
            content; a file that the function opens by a name made at run time is not seen.
    """

    function: str = ""
    settings: dict[str, Setting] = dataclasses.field(default_factory=dict)
    kind: Literal["custom"] = "custom"

    @property
    def module(self) -> str:
        """The module that holds the function, and that registers its layers."""
        return self.function.partition(":")[0]
