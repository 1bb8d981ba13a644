"""Options and spec of the kind `language`: text that a model learns to continue. No TensorFlow."""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.errors import DataError, OptionError
from millrace.components.features.layout import LayoutColumn, RecordLayout
from millrace.components.features.tokenization import FIRST, Level, Standardize
from millrace.components.options.ranges import Count

Unit = Literal["line", "paragraph", "passage", "file"]

UNIT = "text/unit"  # of a raw record, beside those of `record`; bytes: one of `Unit`
TOKENS, NEXT = "tokens", "next"  # of a transformed record, int64 [length]

# What separates two records of a corpus; a passage continues where the previous one ends.
DELIMITERS: dict[Unit, str] = {"line": "\n", "paragraph": "\n\n", "passage": "", "file": ""}


@dataclasses.dataclass(frozen=True)
class LanguageOptions:
    """How running text becomes sequences of tokens; None is inferred from the train split.

    Attributes:
        level: a token is a `word`, a `subword` (byte-pair encoding, learned from the train
            split) or a `character`. None: words if the records are lines or paragraphs whose
            words mostly recur, else characters.
        standardize: what is done to text first. None: words lose case and punctuation;
            characters and subwords stay as they are.
        vocabulary_size: the most ids, including those of padding and of unknown tokens. None:
            20,000 for words, 4,000 for subwords, 1,000 for characters.
        minimum_count: how often a token must occur in the train split to get an id. None: 2
            for words, so that those seen once stand for unknown words; else 1.
        unit: what a record is. None: what the records say.
        sequence_length: tokens of a window. None: if records are delimited, enough for 99 % of
            them, at most 64 (256 characters); else 32 (128 characters).
        stride: tokens from one training window to the next. None: `sequence_length`.

    Raises:
        OptionError: windows would leave tokens out.
    """

    level: Level | None = None
    standardize: Standardize | None = None
    vocabulary_size: Annotated[int, Field(ge=4, le=1_000_000)] | None = None
    minimum_count: Count | None = None
    unit: Unit | None = None
    sequence_length: Annotated[int, Field(ge=1, le=4096)] | None = None
    stride: Count | None = None
    kind: Literal["language"] = "language"

    def __post_init__(self) -> None:
        if self.stride and self.stride > (self.sequence_length or 0):
            raise OptionError(
                "analyze.features.stride: expected at most sequence_length, or tokens would be "
                f"lost. Received: {self.stride} of {self.sequence_length}. Set both, or neither."
            )


@dataclasses.dataclass(frozen=True)
class LanguageSpec:
    """How text becomes ids, and ids become text.

    Id 0 is padding, 1 any unknown token, 2 the first of `vocabulary`.

    Attributes:
        level: what a token is.
        vocabulary: the tokens. If records are delimited, the first is the delimiter itself,
            which begins and ends each record.
        counts: of id 1 and of each token in the train split, delimiters included once per
            record; all that a model without context could use.
        sequence_length: tokens of a window.
        stride: tokens from one training window to the next.
        delimiter: what separates two records; empty if they are cut from running text.
        standardize: what is done to text first.
    """

    level: Level
    vocabulary: tuple[str, ...]
    counts: tuple[int, ...]
    sequence_length: int
    stride: int
    delimiter: str
    standardize: Standardize
    kind: Literal["language"] = "language"

    def __post_init__(self) -> None:
        if len(self.vocabulary) < 2 or len(self.counts) != len(self.vocabulary) + 1:
            raise DataError(
                "Vocabulary: expected two tokens or more in the train split, and a count of each. "
                f"Received: {len(self.vocabulary)} tokens, {len(self.counts)} counts. "
                "Give more text, or lower analyze.features.minimum_count."
            )
        if self.delimiter and self.vocabulary[0] != self.delimiter:
            raise DataError(
                f"Vocabulary: expected the delimiter {self.delimiter!r} first. "
                f"Received: {self.vocabulary[0]!r}. Run `analyze` again."
            )

    @property
    def tokens(self) -> int:
        """How many ids there are, and outputs of a network: padding and unknown included."""
        return FIRST + len(self.vocabulary)

    @property
    def start(self) -> int:
        """The id that comes before a text without a prompt.

        The delimiter; in running text a line break, else the most frequent token.
        """
        if self.delimiter or "\n" not in self.vocabulary:
            return FIRST
        return FIRST + self.vocabulary.index("\n")

    @property
    def task(self) -> Literal["language"]:
        """What a model of this kind does."""
        return "language"

    @property
    def label(self) -> str:
        """None: the truth is the text itself."""
        return ""

    @property
    def classes(self) -> tuple[str, ...]:
        """None: the answer is text."""
        return ()

    @property
    def layout(self) -> RecordLayout:
        """The transformed record: a window's tokens, and for each the next one."""
        shape = (self.sequence_length,)
        return RecordLayout(
            (LayoutColumn(TOKENS, "int32", shape),), LayoutColumn(NEXT, "int32", shape)
        )
