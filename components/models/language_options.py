"""The options of the networks for data of the kind `language`; no Keras."""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.errors import OptionError
from millrace.components.models.layer_options import Counts, Kernels
from millrace.components.options.ranges import Count, ShareBelowOne


@dataclasses.dataclass(frozen=True)
class Generator(Kernels):
    """An embedding, stacked recurrent layers, and the scores of each token to come next.

    Attributes:
        cell: of the recurrent layers: `lstm`, or `gru`, which is a quarter cheaper.
        units: width of each recurrent layer, the one nearest the tokens first.
        embedding_dim: dimensions of a token's vector.
        dropout: share of the outputs of the embedding and of each recurrent layer that is
            dropped in training.
        continuations: tokens of the longest run, the next one included, whose counts in the train
            split have a part in the answer, by how well they foretell the validation split; as
            many as fit 63 bits, at most. 0 leaves the network alone.
        bidirectional: refused, since a generator that saw the next tokens would only copy them.

    Raises:
        OptionError: `bidirectional` is true.
    """

    cell: Literal["lstm", "gru"] = "lstm"
    units: Annotated[Counts, Field(min_length=1)] = (256,)
    embedding_dim: Count = 64
    dropout: ShareBelowOne = 0.0
    continuations: Annotated[int, Field(ge=0, le=12)] = 0
    bidirectional: bool = False
    kind: Literal["generator"] = "generator"

    def __post_init__(self) -> None:
        if self.bidirectional:
            raise OptionError(
                "trainer.model.bidirectional: expected false, since a generator sees only the "
                "tokens before the one that it predicts. Received: true. Leave it out, or "
                "stack layers by trainer.model.units=256,256."
            )


LanguageModel = Generator
MODELS: tuple[type, ...] = (Generator,)
