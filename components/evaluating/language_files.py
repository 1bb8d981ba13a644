"""The files of a generator's evaluation: those of `files`, without baseline by slice, and a page.

slices.json     has the tokens of each slice as well
mistakes.jsonl  the texts of each split that the model foresaw least
samples.txt     prompts out of the splits, continued at several temperatures
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from etils.epath import Path

from millrace.components.evaluating import files, intervals, significance
from millrace.components.evaluating.language import SEED, Continuation, ScoredLanguage
from millrace.components.evaluating.language_metrics import UNIT, TextSums, figures
from millrace.components.evaluating.scoring import CANDIDATE, EvalConfig, Key
from millrace.components.evaluating.significance import Change
from millrace.components.evaluating.simple_baselines import BaselineResults, SimpleBaseline, compare


def write(scored: ScoredLanguage, out: Path, splits: Sequence[str], config: EvalConfig) -> None:
    """Write all files to `out`, an existing folder; `splits` in the order of the report."""

    def describe(sums: TextSums) -> dict[str, Any]:
        metrics = figures(sums, config.model["vocabulary_size"])
        return {"count": sums.rows, "tokens": sums.tokens, "metrics": metrics}

    found = files.figures(scored, splits, describe, is_compared=scored.is_compared)

    def around(key: Key, metrics: Mapping[str, float]) -> intervals.Intervals:
        return intervals.of_language(scored.sums[key], metrics)

    files.add_intervals(found, around)
    key = Key(found["split"], CANDIDATE)
    metrics = {
        **found,
        "comparison": files.comparison(_change(scored, found)),
        "cannot_judge": _cannot_judge(scored.sums[key]) if key in scored.sums else "",
        **dataclasses.asdict(_against_counts(found["metrics"])),
        "warnings": (),
    }
    slices = files.slices(scored, splits, describe, around, is_compared=False)
    mistakes = map(dataclasses.asdict, files.ranked(scored, splits))
    files.write(out, metrics, slices, mistakes, scored.rejected)
    write_continuations(scored.continuations, out / "samples.txt")


def _change(scored: ScoredLanguage, found: Mapping[str, Any]) -> Change | None:
    """The loss per token beside the baseline's; texts are what is drawn, not their tokens."""
    if found["baseline"] is None:
        return None
    main, now = found["split"], found["metrics"]["loss"]
    sums = scored.sums[Key(main, CANDIDATE)]
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


def _cannot_judge(sums: TextSums) -> str:
    """Why the texts cannot: each token, given those before it, is foreseen by one or the other."""
    if sums.rows == 1:
        return "there is one text, which does not show how texts differ"
    lucky = f"foresees each of {sums.tokens} tokens better than the counts of tokens do"
    return significance.cannot_judge(significance.of_signs(sums.tokens), lucky)


def _against_counts(metrics: Mapping[str, float]) -> BaselineResults:
    """The perplexity beside that of the counts of tokens in the train split."""
    if not metrics:
        return BaselineResults()
    counts = metrics["unigram_perplexity"]
    said = f"{counts:.6g}, which the counts of tokens alone reach"
    baseline = SimpleBaseline(counts, said, "Train for longer, or on more text")
    return compare("perplexity", metrics["perplexity"], [baseline])


def write_continuations(found: Sequence[Continuation], file: Path) -> None:
    """Write continuations as a page to read."""
    paragraphs = []
    for (split, _, prompt), same in itertools.groupby(
        found, key=lambda each: (each.split, each.number, each.prompt)
    ):
        paragraphs.append(f"=== split {split}, prompt {prompt!r}, seed {SEED}")
        paragraphs += [f"--- temperature {each.temperature:g}\n{each.text}" for each in same]
    file.write_text("".join(f"{paragraph}\n\n" for paragraph in paragraphs))
