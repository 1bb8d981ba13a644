"""The options of a user's network; no Keras, so reading them is cheap."""

import dataclasses
import json
from typing import Annotated, Literal

from pydantic import BeforeValidator

from millrace.components.user_code import calls


def _read(value: object) -> object:
    """Text that is JSON, such as `64`, `0.5`, `true` or `[64, 32]`, as its value."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):  # no JSON, or thousands of digits or brackets
        return value


Scalar = bool | int | float | str
Setting = Annotated[Scalar | list[Scalar], BeforeValidator(_read)]


@dataclasses.dataclass(frozen=True)
class Custom:
    """A network that your own function builds.

    Attributes:
        function: `package.module:function`, called as
            `function(spec, units=…, activation=…, **settings)`; returns a `keras.Model`, or
            `Networks` if training differs from inference.
        settings: its further arguments by name. If one names a file, the file's content counts
            too; a file that the function opens by a name built at run time is not tracked.
    """

    function: str = ""
    settings: dict[str, Setting] = dataclasses.field(default_factory=dict)
    kind: Literal["custom"] = "custom"

    @classmethod
    def of_piece(cls, text: str, current: "Custom | None") -> "Custom":
        """The network of `mine.model:build(width=64)`.

        Raises:
            ValueError: arguments have no name, or it is a class of Keras.
        """
        call = calls.parse(text)
        if call.positional or not call.module:
            raise ValueError(
                f"expected package.module:function, and its arguments by name. Received: {text}. "
                "Write them as in mine.model:build(width=64)."
            )
        before = current.settings if current and current.function == call.name else {}
        return cls(function=call.name, settings={**before, **call.named})

    @property
    def module(self) -> str:
        """The module that holds the function, and that registers its layers."""
        return self.function.partition(":")[0]
