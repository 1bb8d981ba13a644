"""The type of options that name a piece of Keras or of a person's own, see `user_code.calls`."""

from typing import Annotated

from pydantic import AfterValidator

from millrace.components.user_code import calls


def _checked(text: str) -> str:
    calls.parse(text)
    return text.strip()


Piece = Annotated[str, AfterValidator(_checked), "package.module:name"]
