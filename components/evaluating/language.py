"""Generators judged by how well they foresee text that they were not trained on.

The exported model answers by its signature `score`; what it writes itself, by `generate`.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from etils.epath import Path

from millrace.components.evaluating import language_metrics, scoring
from millrace.components.evaluating.language_metrics import TextSums, of_rows
from millrace.components.evaluating.scoring import (
    BASELINE,
    CANDIDATE,
    EvalConfig,
    Key,
    Scored,
    Slices,
    largest,
    slices_of,
)
from millrace.components.evaluating.significance import Differences
from millrace.components.features import record
from millrace.components.files import columns
from millrace.components.inference.rows import Rows, read_rows
from millrace.components.inference.saved_model import Models, Outputs, Predict, answer
from millrace.serving.model import LoadedModel

TEMPERATURES = (0.0, 0.5, 1.0)
SEED = 0
_SIGNATURE = "score"
_SHOWN = 200  # characters of a text in mistakes.jsonl
_PROMPTS = 3  # of each split
_WORDS = 4  # of a prompt
_CHARACTERS = 24  # of a prompt, at most
_LENGTHS = {"word": 40, "subword": 60, "character": 300}  # tokens


@dataclasses.dataclass(frozen=True)
class TextLoss:
    """A text and its loss per token, in nats."""

    split: str
    filename: str
    position: str
    text: str
    tokens: int
    loss: float

    @property
    def rank(self) -> tuple[float, str, str]:
        return -self.loss, self.filename, self.position


@dataclasses.dataclass(frozen=True, order=True)
class Continuation:
    """What the candidate writes after a prompt."""

    split: str
    number: int
    prompt: str
    temperature: float
    text: str


@dataclasses.dataclass(frozen=True)
class ScoredLanguage(Scored):
    """What is kept of a generator's texts: sums are `TextSums`, the worst rows `TextLoss`.

    A difference is of a text's losses, in 2^-32 nats.

    Attributes:
        continuations: what the candidate writes.
    """

    continuations: tuple[Continuation, ...] = ()

    @classmethod
    def merged_fields(cls, parts: Sequence[Self]) -> dict[str, Any]:
        return {
            "continuations": tuple(sorted(each for part in parts for each in part.continuations))
        }

    @property
    def is_compared(self) -> bool:
        """Whether the baseline cut the rows into as many tokens, known ones and unknown ones.

        Else a token is not the same to both, and neither is a loss per token.
        """
        return all(
            (sums.tokens, sums.unknown) == (self.sums[key].tokens, self.sums[key].unknown)
            for other, sums in self.sums.items()
            if other.model == BASELINE and (key := dataclasses.replace(other, model=CANDIDATE))
        )


def metric_names(config: EvalConfig) -> list[str]:
    """The metrics that thresholds may name."""
    return list(language_metrics.NAMES)


def score_shard(shard: tuple[str, str], models: Models, config: EvalConfig) -> ScoredLanguage:
    """Score the records of one file, and let the candidate continue some of a split's first.

    See `scoring.score_shard`; `config.model` has the candidate's level, vocabulary and delimiter.
    """
    split, file = shard
    scored = scoring.score_shard(ScoredLanguage, score_batch, shard, models, config, _SIGNATURE)
    if "-00000-of-" not in file:
        return scored
    rows = read_rows(Path(file), config.batch_size)
    found = continuations(models.load()[0], split, rows, config.model)
    return dataclasses.replace(scored, continuations=found)


def score_batch(
    split: str, rows: Rows, predicts: Sequence[Predict], config: EvalConfig
) -> ScoredLanguage:
    """Score rows that fit into memory together, by the candidate and perhaps a baseline.

    Without the baseline's figures where it does not answer all rows that count.
    """
    answers = answer(predicts[0], rows, config.batch_size)
    has_tokens = answers.outputs.get("tokens", np.array([])) > 0
    rejected = answers.rejected + [
        answers.rows.rejected(row, "no token that another one follows")
        for row in np.flatnonzero(~has_tokens).tolist()
    ]
    if not has_tokens.any():
        return ScoredLanguage(rejected=tuple(rejected))
    kept = answers.rows.where(has_tokens)
    outputs = {name: array[has_tokens] for name, array in answers.outputs.items()}
    # The characters that a row's tokens stand for: its own and those of its delimiter.
    texts = _texts(kept)
    characters = [len(text) + len(config.model["delimiter"]) for text in texts]
    slices = slices_of(kept, config.slices)
    own = of_rows(outputs, characters)
    sums = _by_key(Key(split, CANDIDATE), own, slices)
    paired = {}
    for predict in predicts[1:]:
        answered = answer(predict, kept, config.batch_size)
        if answered.rejected:  # what an earlier model cannot read is not the rows' fault
            continue
        other = of_rows(answered.outputs, characters)
        sums |= _by_key(Key(split, BASELINE), other, slices)
        pairs = zip(own, other, strict=True)
        paired[split] = Differences.of(one.loss - another.loss for one, another in pairs)
    return ScoredLanguage(
        sums=sums,
        paired=paired,
        worst=_losses(split, kept, texts, outputs, config.mistakes),
        rejected=tuple(rejected),
    )


def _by_key(overall: Key, rows: Sequence[TextSums], slices: Slices) -> dict[Key, TextSums]:
    found = {overall: TextSums.total(rows)}
    for (feature, value), numbers in slices.items():
        key = dataclasses.replace(overall, feature=feature, value=value)
        found[key] = TextSums.total(rows[number] for number in numbers.tolist())
    return found


def _losses(
    split: str, rows: Rows, texts: Sequence[str], outputs: Outputs, number: int
) -> tuple[TextLoss, ...]:
    """The texts that may be among the `number` worst."""
    tokens = outputs["tokens"]
    losses = outputs["loss"].astype(np.float64) / tokens
    return tuple(
        TextLoss(
            split,
            rows.sources[row],
            rows.positions[row],
            texts[row][:_SHOWN],
            int(tokens[row]),
            float(losses[row]),
        )
        for row in largest(losses, number).tolist()
    )


def continuations(
    model: LoadedModel, split: str, rows: Iterable[Rows], described: Mapping[str, Any]
) -> tuple[Continuation, ...]:
    """How the model continues the openings of the first rows, by the signature `generate`."""
    prompts = list(itertools.islice(_openings(rows), _PROMPTS))
    if not prompts:
        return ()
    inputs = {
        "prompt": np.array([prompt.encode() for prompt in prompts], object),
        "length": np.array(_LENGTHS[described["level"]], np.int32),
        "top_k": np.array(0, np.int32),
        "seed": np.array(SEED, np.int32),
    }
    found = []
    for temperature in TEMPERATURES:
        heat = np.array(temperature, np.float32)
        answers = model.predict({**inputs, "temperature": heat}, signature="generate")
        for number, (prompt, text) in enumerate(zip(prompts, answers["text"], strict=True)):
            written = text.decode(errors="replace")
            found.append(Continuation(split, number, prompt, temperature, written))
    return tuple(found)


def opening(text: str) -> str:
    """The first words of a text's second line, for the first may be a rest; else of the first.

    At most four words, and of those what fits into 24 characters, but the first one always.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    words = (lines[1:2] or lines or [""])[0].split()[:_WORDS]
    while len(words) > 1 and len(" ".join(words)) > _CHARACTERS:
        words.pop()
    return " ".join(words)[:_CHARACTERS]


def _openings(rows: Iterable[Rows]) -> Iterator[str]:
    return filter(None, (opening(text) for part in rows for text in _texts(part)))


def _texts(rows: Rows) -> list[str]:
    names = [name for name in (record.TEXT,) if name in rows.features.schema.names]
    decoded = columns.rows(rows.features.select(names))
    return [(record.text(row) or b"").decode(errors="replace") for row in decoded]
