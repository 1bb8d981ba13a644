"""Settle what a token is, the vocabulary and the length of a window, from text records.

One pass counts words and characters, or only what is needed (no TensorFlow);
subwords, which are learned from the words that it counted, take a second pass. The arithmetic is
in `features.language_survey` and `analysis.byte_pairs`.
"""

import functools
import logging
from collections.abc import Sequence

from etils.epath import Path

from millrace.components.analysis import byte_pairs
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.errors import DataError
from millrace.components.features import language_survey, text_survey
from millrace.components.features.language_spec import (
    DELIMITERS,
    LanguageOptions,
    LanguageSpec,
    Unit,
)
from millrace.components.features.language_survey import LanguageSurvey, Tokens
from millrace.components.features.text_survey import Tokenizer
from millrace.components.features.tokenization import FIRST, Level, Standardize
from millrace.components.files import columns
from millrace.components.files.tfrecord import read_records

logger = logging.getLogger("millrace.components.analyze")


def settle(
    examples: Examples, options: LanguageOptions, out: Path, run_on: BeamOptions
) -> LanguageSpec:
    """The spec of the train split's texts; what was counted goes to `survey-train.json` in `out`.

    Raises:
        DataError: there are no two different tokens, or records of several units.
    """
    files = list(map(str, examples.files("train")))
    ways = language_survey.tokenizers(options)
    found = _pass(files, ways, options.unit, out / "survey-train.json", run_on)
    unit = options.unit or _unit(found)
    level = options.level or language_survey.fitting_level(found.levels["word"], unit)
    if level == "subword":
        (words,) = ways
        size = _size(options, level) - FIRST - 1  # a delimiter may be one
        minimum = options.minimum_count or language_survey.MINIMUM[level]
        pieces = byte_pairs.learn(found.levels["word"].counts, size, minimum)
        ways = (
            Tokenizer("subword", words.standardize, strip_html=False, pieces=frozenset(pieces)),
        )
        found = _pass(files, ways, options.unit, out / "subwords-train.json", run_on)
    standardize = next(way.standardize for way in ways if way.level == level)
    return choose(found.levels[level], options, level, standardize, unit)


def choose(
    found: Tokens, options: LanguageOptions, level: Level, standardize: Standardize, unit: Unit
) -> LanguageSpec:
    """The spec that follows from the tokens of the train split where `options` leave it open.

    Raises:
        DataError: there are no two different tokens.
    """
    delimiter = DELIMITERS[unit]
    edges = [delimiter] if delimiter else []
    minimum = options.minimum_count or language_survey.MINIMUM[level]
    size = _size(options, level) - FIRST - len(edges)
    known = text_survey.vocabulary(found.counts, size, 1 if level == "subword" else minimum)
    fitting = language_survey.fitting_length(found.lengths, level, unit)
    length = options.sequence_length or fitting
    covered = sum(found.counts[token] for token in known)
    sequences = found.lengths.total() - found.lengths[0]
    logger.info(
        "%ss of %d %ss: %d of %d distinct ones are known, %.1f %% of the text; windows of %d",
        *(level, sequences, unit, len(known), len(found.counts)),
        *(100 * covered / max(1, found.counts.total()), length),
    )
    return LanguageSpec(
        level=level,
        vocabulary=(*edges, *known),
        counts=(
            found.counts.total() - covered,
            *[sequences for _ in edges],
            *[found.counts[token] for token in known],
        ),
        sequence_length=length,
        stride=options.stride or length,
        delimiter=delimiter,
        standardize=standardize,
    )


def _size(options: LanguageOptions, level: Level) -> int:
    return options.vocabulary_size or language_survey.IDS[level]


def _unit(found: LanguageSurvey) -> Unit:
    units = [unit for unit in DELIMITERS if found.units[unit]]
    if len(units) != 1:
        counts = ", ".join(f"{found.units[unit]} {unit}s" for unit in units) or "no records"
        raise DataError(
            "Records: expected one unit of text in the train split. "
            f"Received: {counts}. Ingest the corpus again, or set analyze.features.unit."
        )
    return units[0]


def _pass(
    files: Sequence[str],
    ways: Sequence[Tokenizer],
    unit: Unit | None,
    file: Path,
    run_on: BeamOptions,
) -> LanguageSurvey:
    """The survey of the records in `files`, in one pass; it is left in `file`."""
    find = functools.partial(_survey_shard, ways=ways, unit=unit)
    found = language_survey.merge(shard_pass("Survey", files, find, file.parent, run_on))
    file.write_text(found.to_json())
    return found


def _survey_shard(file: str, ways: Sequence[Tokenizer], unit: Unit | None) -> LanguageSurvey:
    batches = columns.batches(read_records(Path(file)), file, columns.TEXT_BYTES)
    return language_survey.of(batches, ways, unit)
