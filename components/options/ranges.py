"""Ranges of numbers that options of several steps have; each is finite (`settings`).

Integers stay within 32 bits, signed, as tensors' sizes and Keras's counters do.
"""

from typing import Annotated

from pydantic import Field

MOST = 2**31 - 1

Count = Annotated[int, Field(ge=1, le=MOST)]
Number = Annotated[int, Field(ge=0, le=MOST)]
Shards = Annotated[int, Field(ge=0, le=99_999)]  # their files' names have five digits
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # NumPy's, which Keras and Optuna seed too

Share = Annotated[float, Field(ge=0, le=1)]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]  # of a whole of which something must be left
Positive = Annotated[float, Field(gt=0, le=1e38)]  # up to what float32 holds
NotNegative = Annotated[float, Field(ge=0, le=1e38)]
