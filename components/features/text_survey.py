"""What one pass over raw text records counts, and the choices that follow.

Plain functions on columns and counts: no TensorFlow, no Beam. Tokens are those of
`features.tokenization`, whose TensorFlow twin tokenizes the texts later.
"""

import dataclasses
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable

import pyarrow as pa

from millrace.components.features import record, token_batch, tokenization
from millrace.components.features.hook_spec import Hook
from millrace.components.features.token_batch import TokenBatch
from millrace.components.features.tokenization import Level, Standardize

AT_ONCE = 2048  # texts that are tokenized at once
LONGEST = {
    "word": 512,
    "subword": 512,
    "character": 1024,
}  # the most tokens of a row, unless the option says otherwise
_TAGGED = 0.01  # if more of the texts than this have tags, tags are not text
_TAG = re.compile(tokenization.TAG)


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """How a text is split into tokens; `pieces` are the subwords, once they are known.

    `hook` is the user's preprocessing, which comes before and is not applied here.
    """

    level: Level
    standardize: Standardize
    strip_html: bool
    pieces: Collection[str] = ()
    hook: Hook | None = None

    def tokens(self, texts: Iterable[bytes]) -> TokenBatch:
        """The tokens of `texts`."""
        clean = [
            tokenization.standardized(text, self.standardize, strip_html=self.strip_html)
            for text in texts
        ]
        return token_batch.of(clean, self.level, self.pieces)


@dataclasses.dataclass
class TextSurvey:
    """Counts over the records of a split.

    Attributes:
        records: how many there are.
        classes: records per (class name, own label); the label is -1 where there is none.
        tokens: how often each occurs.
        documents: in how many texts each occurs.
        lengths: texts per number of tokens.
    """

    records: int = 0
    classes: record.ClassCounts = dataclasses.field(default_factory=Counter)
    tokens: Counter[str] = dataclasses.field(default_factory=Counter)
    documents: Counter[str] = dataclasses.field(default_factory=Counter)
    lengths: Counter[int] = dataclasses.field(default_factory=Counter)

    def to_json(self) -> str:
        """As JSON; each token with its occurrences and its texts, the most frequent first."""
        return json.dumps(
            {
                "records": self.records,
                "classes": [[*key, count] for key, count in sorted(self.classes.items())],
                "lengths": sorted(self.lengths.items()),
                "tokens": [
                    [token, self.tokens[token], self.documents[token]]
                    for token in ranked(self.tokens)
                ],
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> "TextSurvey":
        """What `to_json` wrote."""
        content = json.loads(text)
        return cls(
            content["records"],
            Counter({(name, label): count for name, label, count in content["classes"]}),
            Counter({token: count for token, count, _ in content["tokens"]}),
            Counter({token: texts for token, _, texts in content["tokens"]}),
            Counter(dict(content["lengths"])),
        )


def of(batches: Iterable[pa.RecordBatch], tokenizer: Tokenizer | None) -> TextSurvey:
    """The survey of raw text records, as `files.columns` has them.

    Without `tokenizer` their tokens are not counted.
    """
    survey, tally = TextSurvey(), token_batch.Tally(kinds=2)
    for batch in batches:
        survey.records += batch.num_rows
        survey.classes.update(record.class_counts(batch, "text"))
        if tokenizer is None:
            continue
        texts = record.texts(batch).drop_null()
        for rows in record.parts(texts, AT_ONCE):
            found = tokenizer.tokens(texts[rows].to_pylist())
            tally.add(found.names, found.counts(), found.documents())
            survey.lengths.update(found.lengths.tolist())
    survey.tokens, survey.documents = tally.totals()
    return survey


def merge(parts: Iterable[TextSurvey]) -> TextSurvey:
    """The survey of all the parts' records together."""
    total = TextSurvey()
    for part in parts:
        total.records += part.records
        total.classes.update(part.classes)
        total.tokens.update(part.tokens)
        total.documents.update(part.documents)
        total.lengths.update(part.lengths)
    return total


def ranked(counts: Counter[str]) -> list[str]:
    """The keys by descending count, then alphabetically."""
    return sorted(counts, key=lambda token: (-counts[token], token))


def vocabulary(counts: Counter[str], size: int, minimum: int) -> tuple[str, ...]:
    """At most `size` tokens that occur `minimum` times or more, the most frequent first."""
    return tuple([token for token in ranked(counts) if counts[token] >= minimum][:size])


def fitting_length(lengths: Counter[int], whole: float, most: int) -> int:
    """The fewest tokens that a share `whole` of the texts do not exceed, from 1 to `most`."""
    wanted, seen = math.ceil(whole * lengths.total()), 0
    for length in sorted(lengths):
        seen += lengths[length]
        if seen >= wanted:
            return max(1, min(length, most))
    return 1


def has_tags(texts: Iterable[bytes]) -> bool:
    """Whether one text in a hundred has a tag of HTML."""
    tagged = [_TAG.search(text.decode("utf-8", "replace")) is not None for text in texts]
    return sum(tagged) > _TAGGED * len(tagged)
