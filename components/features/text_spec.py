"""Options and spec of the kind `text`: how texts become token ids. No TensorFlow."""

import dataclasses
import operator
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.errors import DataError, OptionError
from millrace.components.features.hook_spec import Hook
from millrace.components.features.layout import LayoutColumn, RecordLayout
from millrace.components.features.tokenization import FIRST, UNKNOWN_NAME, Level, Side, Standardize
from millrace.components.options.ranges import Count, Share
from millrace.serving.errors import few

SequenceLength = Annotated[int, Field(ge=1, le=65_536)]
VocabularySize = Annotated[int, Field(ge=3, le=1_000_000)]


@dataclasses.dataclass(frozen=True)
class TextOptions:
    """How texts become rows of token ids.

    Attributes:
        level: a token is a `word`, a `subword` (byte-pair encoding, learned from the train
            split) or a `character`.
        standardize: `lower_and_strip_punctuation` as Keras does it; `lower_and_split_punctuation`,
            after which `end.Next` are two words; `lower`; or `none`.
        strip_html: whether tags become spaces. None: if one text in a hundred has tags.
        vocabulary_size: the most ids, including those of padding and of unknown tokens.
        minimum_count: how often a token must occur in the train split to get an id.
        oov_token: the name of unknown tokens; None drops unknown tokens.
        padding, truncating: at which end a row is filled up with zeros, and at which it is cut.
        sequence_length: tokens of a row. None: enough for most of the train split, see `whole`.
        whole: the share of its texts that then fit into a row.
        longest: the most tokens of a row then. None: 512 (1,024 characters).
        letters: whether networks get a text's letters as well, which tell something of words that
            the vocabulary has not. Not beside the level `character`.
        cased: whether letters keep their case.
        preprocess: `package.module:function`, your own TensorFlow function from texts to texts,
            string [batch], applied before all of this.
    """

    level: Level = "word"
    standardize: Standardize = "lower_and_strip_punctuation"
    strip_html: bool | None = None
    vocabulary_size: VocabularySize = 10_000
    minimum_count: Count = 1
    oov_token: str | None = UNKNOWN_NAME
    padding: Side = "post"
    truncating: Side = "post"
    sequence_length: SequenceLength | None = None
    whole: Share = 0.95
    longest: SequenceLength | None = None
    letters: bool = False
    cased: bool = False
    preprocess: str = ""
    kind: Literal["text"] = "text"

    def __post_init__(self) -> None:
        if self.oov_token == "":
            raise OptionError(
                "analyze.features.oov_token: expected a name that no token has, or none. "
                "Received: ''. Set it to [UNK], or to null to drop unknown tokens."
            )
        if self.letters and self.level == "character":
            raise OptionError(
                "analyze.features.letters: expected false at the level character, whose tokens are "
                "letters. Received: true. Leave one of them out."
            )


@dataclasses.dataclass(frozen=True)
class TextSpec:
    """Texts with one class each, as rows of token ids.

    Attributes:
        classes: class names; a label is an index into them.
        vocabulary: tokens by descending frequency; token i has the id i + 2, 0 is padding and 1
            an unknown token.
        sequence_length: ids of a row.
        level, standardize, strip_html, oov_token, padding, truncating: as in `TextOptions`.
        documents: texts of the train split.
        document_frequencies: in how many of them each token of the vocabulary occurs.
        letters: bytes of a text that networks get beside its ids; 0 is none.
        cased: whether these are in the case of the text; else lower.
        hook: the user's preprocessing.
    """

    classes: tuple[str, ...]
    vocabulary: tuple[str, ...]
    sequence_length: int
    level: Level = "word"
    standardize: Standardize = "lower_and_strip_punctuation"
    strip_html: bool = False
    oov_token: str | None = UNKNOWN_NAME
    padding: Side = "post"
    truncating: Side = "post"
    documents: int = 0
    document_frequencies: tuple[int, ...] = ()
    letters: Annotated[int, Field(exclude_if=operator.not_)] = 0
    cased: Annotated[bool, Field(exclude_if=operator.not_)] = False
    hook: Hook | None = None
    kind: Literal["text"] = "text"

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise DataError(
                "Classes: expected two or more in the train split. "
                f"Received: {few(map(repr, self.classes)) or 'none'}. "
                "Put the texts of each class into a folder of their own, or name the label column."
            )

    @property
    def size(self) -> int:
        """How many ids there are, including those of padding and of unknown tokens."""
        return len(self.vocabulary) + FIRST

    @property
    def names(self) -> tuple[str, ...]:
        """The token of each id; padding is ""."""
        return ("", self.oov_token or "", *self.vocabulary)

    @property
    def task(self) -> Literal["classification"]:
        """What a model of this kind does."""
        return "classification"

    @property
    def label(self) -> str:
        """The raw feature that names a text's class."""
        return "text/class/text"

    @property
    def layout(self) -> RecordLayout:
        """The transformed record: the row of token ids, that of letters, the class's index."""
        inputs = [LayoutColumn("tokens", "int32", (self.sequence_length,))]
        if self.letters:
            inputs.append(LayoutColumn("letters", "uint8", (self.letters,)))
        return RecordLayout(tuple(inputs), LayoutColumn("label", "int32"))
