"""What one pass over raw text records counts, and the choices that follow from it.

Plain functions on columns and counts: no TensorFlow, no Beam. Tokens are those of
`features.tokenization`, and records are split as `features.language` splits them.
"""

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence

import pyarrow as pa

from millrace.components.features import record, token_batch
from millrace.components.features.language_spec import DELIMITERS, UNIT, LanguageOptions, Unit
from millrace.components.features.text_survey import AT_ONCE, Tokenizer, ranked
from millrace.components.features.tokenization import Level, Standardize
from millrace.components.files import columns

WHOLE = 0.99  # the share of delimited records that fit into a window
LONGEST: dict[Level, int] = {"word": 64, "subword": 96, "character": 256}  # window of a record
RUNNING: dict[Level, int] = {"word": 32, "subword": 48, "character": 128}  # of running text
IDS: dict[Level, int] = {"word": 20_000, "subword": 4_000, "character": 1_000}
MINIMUM: dict[Level, int] = {"word": 2, "subword": 1, "character": 1}
STANDARDIZE: dict[Level, Standardize] = {
    "word": "lower_and_strip_punctuation",
    "subword": "none",
    "character": "none",
}
COVERED = 0.8  # the share of a corpus that recurring words must make up to be worth learning


@dataclasses.dataclass
class Tokens:
    """How often each token occurs, and how many sequences have each length."""

    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    lengths: Counter[int] = dataclasses.field(default_factory=Counter)

    def add(self, other: "Tokens") -> None:
        """Add the counts of `other`."""
        self.counts.update(other.counts)
        self.lengths.update(other.lengths)


@dataclasses.dataclass
class LanguageSurvey:
    """A split's records: how many there are, their units, and their tokens by level."""

    records: int = 0
    units: Counter[str] = dataclasses.field(default_factory=Counter)
    levels: dict[Level, Tokens] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        """As JSON: each counter a list of keys and counts, tokens the most frequent first."""
        return json.dumps(
            {
                "records": self.records,
                "units": sorted(self.units.items()),
                "levels": {
                    level: {
                        "lengths": sorted(found.lengths.items()),
                        "counts": [[token, found.counts[token]] for token in ranked(found.counts)],
                    }
                    for level, found in sorted(self.levels.items())
                },
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> "LanguageSurvey":
        """What `to_json` wrote."""
        content = json.loads(text)
        levels = {
            level: Tokens(Counter(dict(found["counts"])), Counter(dict(found["lengths"])))
            for level, found in content["levels"].items()
        }
        return cls(content["records"], Counter(dict(content["units"])), levels)


def tokenizers(options: LanguageOptions) -> tuple[Tokenizer, ...]:
    """The tokenizers to try: that of `options`, else one for words and one for characters.

    Subwords are learned from words, so words are counted first.
    """
    levels: Sequence[Level] = ("word", "character")
    if options.level:
        levels = ("word" if options.level == "subword" else options.level,)
    if options.level == "subword":
        return (Tokenizer("word", options.standardize or STANDARDIZE["subword"], strip_html=False),)
    return tuple(
        Tokenizer(level, options.standardize or STANDARDIZE[level], strip_html=False)
        for level in levels
    )


def of(
    batches: Iterable[pa.RecordBatch], tokenizers: Sequence[Tokenizer], unit: Unit | None
) -> LanguageSurvey:
    """The survey of raw text records, as `files.columns` has them.

    `unit` overrides what they say themselves.
    """
    survey = LanguageSurvey(levels={each.level: Tokens() for each in tokenizers})
    tallies = {each.level: token_batch.Tally() for each in tokenizers}
    for batch in batches:
        survey.records += batch.num_rows
        texts, units = record.texts(batch).fill_null(b""), units_of(batch)
        for rows in record.parts(texts, AT_ONCE):
            own = [unit] * len(texts[rows]) if unit else units[rows]
            survey.units.update(own)
            found = [
                part
                for text, each in zip(texts[rows].to_pylist(), own, strict=True)
                for part in parts(text, DELIMITERS[each])
            ]
            for tokenizer in tokenizers:
                tokens = tokenizer.tokens(found)
                tallies[tokenizer.level].add(tokens.names, tokens.counts())
                survey.levels[tokenizer.level].lengths.update(tokens.lengths.tolist())
    for level, tally in tallies.items():
        (survey.levels[level].counts,) = tally.totals()
    return survey


def units_of(batch: pa.RecordBatch) -> list[Unit]:
    """The unit that each raw record names; running text if it names none."""
    cells = columns.first(batch, UNIT)
    if cells is None or not pa.types.is_binary(cells.type):
        return ["passage"] * batch.num_rows
    known: dict[bytes | None, Unit] = {unit.encode(): unit for unit in DELIMITERS}
    return [known.get(name, "passage") for name in cells.to_pylist()]


def parts(text: bytes, delimiter: str) -> list[bytes]:
    """The records in `text`, separated by `delimiter`, without empty ones."""
    text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not delimiter:
        return [text]
    return [part for part in text.split(delimiter.encode()) if part.strip()]


def merge(found: Iterable[LanguageSurvey]) -> LanguageSurvey:
    """The survey of all the parts' records together."""
    total = LanguageSurvey()
    for part in found:
        total.records += part.records
        total.units.update(part.units)
        for level, tokens in part.levels.items():
            total.levels.setdefault(level, Tokens()).add(tokens)
    return total


def fitting_level(words: Tokens, unit: Unit) -> Level:
    """Words if records are delimited and recurring words make up most of the text, else characters.

    Characters suit a highly inflected language, names, or a script without spaces better; and
    running text, whose layout words do not keep.
    """
    recurring = sum(count for count in words.counts.values() if count >= MINIMUM["word"])
    are_frequent = recurring >= COVERED * max(1, words.counts.total())
    return "word" if DELIMITERS[unit] and are_frequent else "character"


def fitting_length(lengths: Counter[int], level: Level, unit: Unit) -> int:
    """Tokens of a window: what 99 % of delimited records need, else a length that trains quickly.

    A record of n tokens needs n + 1: all of them but the delimiter at its end are read.
    """
    longest = max(lengths, default=0)
    if not DELIMITERS[unit]:
        return max(1, min(longest - 1, RUNNING[level]))
    wanted, seen = math.ceil(WHOLE * lengths.total()), 0
    for length in sorted(lengths):
        seen += lengths[length]
        if seen >= wanted:
            return min(length + 1, LONGEST[level])
    return 1
