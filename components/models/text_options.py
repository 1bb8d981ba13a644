"""The options of the networks for data of the kind `text`; no Keras, so reading them is cheap."""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.files.paths import LocalPath
from millrace.components.models import hub
from millrace.components.models.layer_options import Counts, FullyConnected, Initializer
from millrace.components.options.ranges import Count, NotNegative, Positive, ShareBelowOne


@dataclasses.dataclass(frozen=True)
class Head(FullyConnected):
    """Fully connected layers between the representation of a text and the scores.

    The dropout also applies to the input of the first of them and to that of the scores.

    Attributes:
        dense: width of each layer; may be empty.
    """

    dense: Counts = (16,)


@dataclasses.dataclass(frozen=True)
class Embedded(Head):
    """A vector for each token, before anything else.

    Attributes:
        embedding_dim: dimensions of a vector. None: as many as `vectors` have, else 16.
        embedding_dropout: share of the vectors' components dropped in training, each for the
            whole text.
        token_dropout: share of a text's tokens hidden in training by zero vectors, as in deep
            averaging networks (Iyyer et al., 2015).
        embedding_l2: penalty on the vectors.
        embeddings_initializer: of the vectors.
        vectors: a text file of pretrained vectors, in GloVe's format (`word v1 v2 ...` per line)
            or word2vec's (the same after a line of two counts); empty for none.
        train_vectors: whether pretrained vectors are trained further.
    """

    embedding_dim: Count | None = None
    embedding_dropout: ShareBelowOne = 0.0
    token_dropout: ShareBelowOne = 0.0
    embedding_l2: NotNegative = 0.0
    embeddings_initializer: Literal["uniform", "normal", "zeros"] | Initializer = "uniform"
    vectors: LocalPath | Literal[""] = ""
    train_vectors: bool = False


@dataclasses.dataclass(frozen=True)
class Bag(Head):
    """One number for each token of the vocabulary, wherever it occurs in the text.

    Attributes:
        weigh: `multi_hot` says whether a token occurs, `count` how often; `tf_idf` weighs the
            count by ln(1 + texts / (1 + texts with it)), as Keras does, and brings each row to
            length 1.
    """

    weigh: Literal["multi_hot", "count", "tf_idf"] = "multi_hot"
    kind: Literal["bag"] = "bag"


@dataclasses.dataclass(frozen=True)
class Embedding(Embedded):
    """Vectors of tokens, pooled or concatenated.

    Attributes:
        pooling: `average` of the tokens there are, `max`, or `flatten`, which keeps their order.
    """

    pooling: Literal["average", "max", "flatten"] = "average"
    kind: Literal["embedding"] = "embedding"


@dataclasses.dataclass(frozen=True)
class TextConv(Embedded):
    """Vectors of tokens, one-dimensional convolutions, and the largest output of each filter.

    Attributes:
        filters: of each convolution, one after another.
        kernel_size: tokens that a filter sees at once.
        strides: tokens from one position of a filter to the next.
        padding: at the ends of the text.
        pooling: over all positions in the text.
    """

    filters: Annotated[Counts, Field(min_length=1)] = (128,)
    kernel_size: Count = 5
    strides: Count = 1
    padding: Literal["valid", "same", "causal"] = "valid"
    pooling: Literal["max", "average"] = "max"
    kind: Literal["text_conv"] = "text_conv"


@dataclasses.dataclass(frozen=True)
class TextRnn(Embedded):
    """Vectors of tokens, read one after another by recurrent layers.

    Attributes:
        cell: of the recurrent layers.
        units: of each recurrent layer; twice as many if bidirectional.
        bidirectional: whether a text is read from both ends.
        pooling: of the last layer's outputs: the `last`, or the `max` or `average` of all.
        recurrent_initializer: of the kernels from one step to the next.
    """

    cell: Literal["lstm", "gru"] = "lstm"
    units: Annotated[Counts, Field(min_length=1)] = (64,)
    bidirectional: bool = True
    pooling: Literal["last", "max", "average"] = "last"
    recurrent_initializer: Initializer = "orthogonal"
    kind: Literal["text_rnn"] = "text_rnn"


@dataclasses.dataclass(frozen=True)
class TextTransfer(Head):
    """A pretrained SavedModel that gives a vector for each text, then fully connected layers.

    Such as nnlm or the Universal Sentence Encoder of TensorFlow Hub; it is not trained. It gets
    the letters of a text, see `analyze.features.letters`, as a string.

    Attributes:
        weights: the folder of the SavedModel, or an address such as `https://tfhub.dev/…` or
            `kaggle://owner/model/framework/variation/1`, found in the cache of that hub's library,
            or downloaded by it.
        endpoint: its signature that is called, which takes string [batch]; `__call__` is the
            SavedModel itself, as it is where there is no signature.
        cut: the output of the signature that is used; empty is the only one.
    """

    weights: hub.Weights | Literal[""] = ""
    endpoint: str = "serving_default"
    cut: str = ""
    kind: Literal["text_transfer"] = "text_transfer"


@dataclasses.dataclass(frozen=True)
class Ngrams:
    """Logistic regression on the tf-idf weights of tokens and of runs of them.

    The weights are not descended to, but solved for: the problem is convex. A count c weighs
    1 + ln c, times ln((1 + texts) / (1 + texts with it)) + 1, and a text's weights have length 1,
    as those of scikit-learn's `TfidfVectorizer(sublinear_tf=True)`.

    Attributes:
        longest: tokens of the longest run.
        most: runs of two or more tokens that are told apart, the most frequent of the train split.
        minimum_texts: of the train split that such a run must occur in.
        log_ratios: whether the penalty is lighter on what tells the classes apart by itself, by
            the log of its share in one to that in the others, as in NBSVM (Wang, Manning, 2012).
        strength: scikit-learn's C, the inverse of the L2 penalty. None: chosen on the validation
            split, from 1 to 100; 10 without one.
    """

    longest: Annotated[int, Field(ge=1, le=3)] = 2
    most: Annotated[int, Field(ge=1, le=1 << 22)] = 1 << 17
    minimum_texts: Count = 1
    log_ratios: bool = False
    strength: Positive | None = None
    kind: Literal["ngrams"] = "ngrams"


@dataclasses.dataclass(frozen=True)
class Letters:
    """Logistic regression on the tf-idf weights of runs of letters within words.

    As `Ngrams`, but of the bytes of a text, see `analyze.features.letters`, and of the spaces
    around each word: what scikit-learn calls `char_wb`. It tells something of words that no text of
    the train split has.

    Attributes:
        longest: letters of the longest run; the shortest has two.
        most: runs that are told apart, the most frequent of the train split.
        minimum_texts: of the train split that a run must occur in.
        strength: as of `Ngrams`.
    """

    longest: Annotated[int, Field(ge=2, le=7)] = 5
    most: Annotated[int, Field(ge=1, le=1 << 22)] = 1 << 17
    minimum_texts: Count = 2
    strength: Positive | None = None
    kind: Literal["letters"] = "letters"


Descended = Bag | Embedding | TextConv | TextRnn
TextModel = Descended | TextTransfer | Ngrams | Letters
MODELS: tuple[type, ...] = (Embedding, TextConv, TextRnn, TextTransfer, Bag, Ngrams, Letters)
