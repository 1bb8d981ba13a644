"""How well a generator foresees text that it was not trained on, and what it writes itself.

The exported model is asked by its signature `score`. All that is kept of the rows are sums of
whole numbers, losses in units of 2^-32 nats, so that any partition of the rows gives the same
figures.

metrics.json    split, count, metrics, splits, baseline, change, rejected; `comparison`,
                `cannot_judge` (see `summary`); the fields of a `rivals.Outcome`
slices.json     a list of split, feature, value, count, tokens, metrics (and baseline)
mistakes.jsonl  the texts of each split that surprised the model most, worst first
rejected.jsonl  rows set aside, each with source, position and reason
samples.txt     prompts out of the splits, continued at several temperatures
"""

import dataclasses
import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.evaluating import rivals, significance, summary
from millrace.components.evaluating.perplexity import NAMES, Sums, figures, of_rows
from millrace.components.evaluating.rivals import Outcome, Rival
from millrace.components.evaluating.samples import Sample, in_words, write_samples
from millrace.components.evaluating.scoring import BASELINE, CANDIDATE, MISSING, Key, Questions
from millrace.components.evaluating.significance import Change, Differences
from millrace.components.evaluating.summary import write_json, write_lines
from millrace.components.evaluating.tallies import UNIT
from millrace.components.features import record
from millrace.components.inference.saved_model import (
    Models,
    Outputs,
    Predict,
    Row,
    ahead,
    answer,
    batched,
    predictor,
    read_rows,
    text,
)

_SIGNATURE = "score"
_SHOWN = 200  # characters of a text in mistakes.jsonl


@dataclasses.dataclass(frozen=True)
class Surprise:
    """A text and its loss per token, in nats."""

    split: str
    filename: str
    position: str
    text: str
    tokens: int
    loss: float

    @property
    def rank(self) -> tuple[float, str, str]:
        """Sorts the worst first, and equals always alike."""
        return -self.loss, self.filename, self.position


@dataclasses.dataclass(frozen=True)
class Scored:
    """All that is kept of scored rows.

    Attributes:
        vocabulary: tokens that the candidate knows.
        sums: candidate and baseline, overall and by slice.
        paired: by split, the losses of the candidate's texts less the baseline's, in 2^-32 nats.
        worst: the texts of each split that the candidate foresaw least.
        samples: what it writes.
        rejected: rows set aside; in no sum.
    """

    vocabulary: int = 0
    sums: Mapping[Key, Sums] = dataclasses.field(default_factory=dict)
    paired: Mapping[str, Differences] = dataclasses.field(default_factory=dict)
    worst: tuple[Surprise, ...] = ()
    samples: tuple[Sample, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def names() -> list[str]:
    """The metrics that thresholds may name."""
    return list(NAMES)


def score_shard(shard: tuple[str, str], models: Models, questions: Questions) -> Scored:
    """Score the records of one file, and let the candidate continue some of a split's first.

    Args:
        shard: the split's name, and the file's path.
        models: the candidate, and the baseline if there is one. A baseline that is no
            generator is left out.
        questions: what is asked; `settings` holds the candidate's level, vocabulary, delimiter.
    """
    split, file = shard
    candidate, *others = models.load()
    predicts = [predictor(candidate, _SIGNATURE)]
    predicts += [predictor(each, _SIGNATURE) for each in others if _SIGNATURE in each.signatures]

    def score(batch: list[Row]) -> Scored:
        return score_batch(split, batch, predicts, questions)

    batches = batched(read_rows(Path(file)), questions.batch_size)
    scored = merge(ahead(score, batches), questions.mistakes)
    if "-00000-of-" not in file:
        return scored
    samples = in_words(candidate, split, read_rows(Path(file)), questions.settings)
    return dataclasses.replace(scored, samples=samples)


def score_batch(
    split: str, rows: Sequence[Row], predicts: Sequence[Predict], questions: Questions
) -> Scored:
    """Score rows that fit into memory together, by the candidate and perhaps a baseline.

    Without the baseline's figures where it does not answer all rows that count.
    """
    answers = answer(predicts[0], rows)
    has_tokens = [bool(count) for count in answers.outputs.get("tokens", ())]
    rejected = [
        *answers.rejected,
        *(
            row.rejected("no token that another one follows")
            for row, has in zip(answers.rows, has_tokens, strict=True)
            if not has
        ),
    ]
    kept = [row for row, has in zip(answers.rows, has_tokens, strict=True) if has]
    if not kept:
        return Scored(rejected=tuple(rejected))
    outputs = {name: array[has_tokens] for name, array in answers.outputs.items()}
    characters = [_characters(row, questions.settings) for row in kept]
    own = of_rows(outputs, characters)
    found = _by_key(Key(split, CANDIDATE), kept, own, questions.slices)
    paired = {}
    for predict in predicts[1:]:
        answered = answer(predict, kept)
        if answered.rejected:  # what an earlier model cannot read is no fault of the rows
            continue
        other = of_rows(answered.outputs, characters)
        found |= _by_key(Key(split, BASELINE), kept, other, questions.slices)
        pairs = zip(own, other, strict=True)
        paired[split] = Differences.of(one.loss - another.loss for one, another in pairs)
    return Scored(
        vocabulary=questions.settings["vocabulary_size"],
        sums=found,
        paired=paired,
        worst=_surprises(split, kept, outputs),
        rejected=tuple(rejected),
    )


def merge(parts: Iterable[Scored], mistakes: int) -> Scored:
    """The same as if all the parts' rows had been one part; keeps `mistakes` of each split."""
    known = list(parts)
    sums: dict[Key, Sums] = {}
    for part in known:
        for key, counted in part.sums.items():
            sums[key] = sums.get(key, Sums()) + counted
    rejected = [item for part in known for item in part.rejected]
    worst = [item for part in known for item in part.worst]
    return Scored(
        vocabulary=max((part.vocabulary for part in known), default=0),
        sums=sums,
        paired=significance.merge(part.paired for part in known),
        worst=tuple(
            item
            for split in sorted({item.split for item in worst})
            for item in heapq.nsmallest(
                mistakes,
                (each for each in worst if each.split == split),
                key=lambda each: each.rank,
            )
        ),
        samples=tuple(sorted(sample for part in known for sample in part.samples)),
        rejected=tuple(sorted(rejected, key=lambda item: (item.source, item.position))),
    )


def write(scored: Scored, out: Path, splits: Sequence[str]) -> None:
    """Write all files to `out`, an existing folder; `splits` in the order of the report."""
    main = summary.main_split(splits)
    write_json(out / "metrics.json", _summary(scored, splits, main))
    write_json(out / "slices.json", _slices(scored, splits))
    ranked = sorted(scored.worst, key=lambda item: (splits.index(item.split), item.rank))
    write_lines(out / "mistakes.jsonl", map(dataclasses.asdict, ranked))
    write_lines(out / "rejected.jsonl", map(dataclasses.asdict, scored.rejected))
    write_samples(scored.samples, out / "samples.txt")


def _summary(scored: Scored, splits: Sequence[str], main: str) -> dict[str, Any]:
    own = _by_split(scored, splits, CANDIDATE)
    other = _by_split(scored, splits, BASELINE) if _is_comparable(scored) else {}
    found = summary.figures(main, own, other, len(scored.rejected))
    key = Key(main, CANDIDATE)
    return {
        **found,
        "comparison": summary.comparison(_change(scored, main, found)),
        "cannot_judge": _cannot_judge(scored.sums[key]) if key in scored.sums else "",
        **dataclasses.asdict(_against_rivals(found["metrics"])),
    }


def _change(scored: Scored, main: str, found: Mapping[str, Any]) -> Change | None:
    """The loss per token beside the baseline's; texts are what is drawn, not their tokens."""
    if found["baseline"] is None:
        return None
    sums, now = scored.sums[Key(main, CANDIDATE)], found["metrics"]["loss"]
    shift = UNIT.bit_length() - 1
    return Change(
        metric="loss",
        better="less",
        was=found["baseline"]["metrics"]["loss"],
        now=now,
        rows=sums.rows,
        interval=significance.of_means(scored.paired[main], shift, sums.tokens / sums.rows),
        noise=significance.rounding(now),
    )


def _cannot_judge(sums: Sums) -> str:
    """Why the texts cannot: each token, given those before it, is foreseen by one or the other."""
    if sums.rows == 1:
        return "there is one text, which does not show how texts differ"
    lucky = f"foresees each of {sums.tokens} tokens better than the counts of tokens do"
    return significance.cannot_judge(significance.of_signs(sums.tokens), lucky)


def _against_rivals(metrics: Mapping[str, float]) -> Outcome:
    if not metrics:
        return Outcome()
    counts = metrics["unigram_perplexity"]
    said = f"{counts:.6g}, which the counts of tokens alone reach"
    rival = Rival(counts, said, "Train for longer, or on more text")
    return rivals.compare("perplexity", metrics["perplexity"], [rival])


def _is_comparable(scored: Scored) -> bool:
    """Whether the baseline cut the rows into as many tokens, known ones and unknown ones.

    Else a token is not the same to both, and neither is a loss per token.
    """
    return all(
        (sums.tokens, sums.unknown) == (scored.sums[key].tokens, scored.sums[key].unknown)
        for other, sums in scored.sums.items()
        if other.model == BASELINE and (key := dataclasses.replace(other, model=CANDIDATE))
    )


def _by_split(scored: Scored, splits: Sequence[str], model: str) -> dict[str, dict[str, Any]]:
    keys = [Key(split, model) for split in splits]
    return {
        key.split: _figures(scored.sums[key], scored.vocabulary)
        for key in keys
        if key in scored.sums
    }


def _figures(sums: Sums, vocabulary: int) -> dict[str, Any]:
    return {"count": sums.rows, "tokens": sums.tokens, "metrics": figures(sums, vocabulary)}


def _slices(scored: Scored, splits: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    keys = [key for key in scored.sums if key.feature and key.model == CANDIDATE]
    for key in sorted(keys, key=lambda each: (splits.index(each.split), each.feature, each.value)):
        entry = dataclasses.asdict(key) | _figures(scored.sums[key], scored.vocabulary)
        del entry["model"]
        found.append(entry)
    return found


def _characters(row: Row, settings: Mapping[str, Any]) -> int:
    """The characters that a row's tokens stand for: its own and those of its delimiter."""
    return len(_text(row)) + len(settings["delimiter"])


def _by_key(
    overall: Key, rows: Sequence[Row], sums: Sequence[Sums], slices: Sequence[str]
) -> dict[Key, Sums]:
    found = {overall: sum(sums, Sums())}
    for feature in slices:
        for row, each in zip(rows, sums, strict=True):
            value = text(row.features.get(feature), default=MISSING)
            key = dataclasses.replace(overall, feature=feature, value=value)
            found[key] = found.get(key, Sums()) + each
    return found


def _surprises(split: str, rows: Sequence[Row], outputs: Outputs) -> tuple[Surprise, ...]:
    losses, counts = outputs["loss"].tolist(), outputs["tokens"].tolist()
    return tuple(
        Surprise(split, row.source, row.position, _text(row)[:_SHOWN], tokens, loss / tokens)
        for row, loss, tokens in zip(rows, losses, counts, strict=True)
    )


def _text(row: Row) -> str:
    return (record.text(row.features) or b"").decode(errors="replace")
