"""Settle what texts are brought to: class names, vocabulary, length of a row.

One pass counts classes and tokens (no TensorFlow); subwords, which are learned from the
words that it counted, take a second pass over the train split. The arithmetic is in
`features.text_survey` and `analysis.byte_pairs`.
"""

import dataclasses
import functools
import itertools
import logging

from etils.epath import Path

from millrace.components.analysis import byte_pairs
from millrace.components.analysis.splits import (
    SplitFile,
    split_files,
    survey_splits,
    warn_of_unknown_classes,
)
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.features import hook_spec, letters, record, text_survey
from millrace.components.features.text_spec import TextOptions, TextSpec
from millrace.components.features.text_survey import TextSurvey, Tokenizer
from millrace.components.features.tokenization import FIRST
from millrace.components.files import columns
from millrace.components.files.tfrecord import read_records
from millrace.serving.example import decode

logger = logging.getLogger("millrace.components.analyze")

_SAMPLED = 1000  # texts of the train split that are searched for tags


def settle(examples: Examples, options: TextOptions, out: Path, run_on: BeamOptions) -> TextSpec:
    """The spec of the train split's texts; counts go to `survey-<split>.json` in `out`.

    Raises:
        DataError: there are fewer than two classes, or no tokens.
    """
    strip = options.strip_html
    strip_html = _has_tags(examples) if strip is None else strip
    level = "word" if options.level == "subword" else options.level
    hook = hook_spec.settle(options.preprocess)
    cut = Tokenizer(level, options.standardize, strip_html, hook=hook)
    files = split_files(examples)
    find = functools.partial(_survey_shard, cut=cut)
    surveys = survey_splits(files, find, text_survey.merge, out, "survey", run_on)
    warn_of_unknown_classes(surveys)
    train = surveys["train"]
    pieces = _vocabulary(train, options)
    if options.level == "subword":
        cut = dataclasses.replace(cut, level="subword", pieces=frozenset(pieces))
        files = [file for file in files if file.split == "train"]
        find = functools.partial(_survey_shard, cut=cut)
        train = survey_splits(files, find, text_survey.merge, out, "subwords", run_on)["train"]
    spec = choose(train, options, pieces, strip_html=strip_html)
    return dataclasses.replace(spec, hook=hook)


def choose(
    train: TextSurvey, options: TextOptions, vocabulary: tuple[str, ...], *, strip_html: bool
) -> TextSpec:
    """The spec that follows from the counts of the train split where `options` leave it open."""
    most = options.longest or text_survey.LONGEST[options.level]
    fitting = text_survey.fitting_length(train.lengths, options.whole, most)
    length = options.sequence_length or fitting
    classes = record.class_order(train.classes)
    known = sum(train.tokens[token] for token in vocabulary)
    logger.info(
        "%d classes; %d of %d distinct %ss, %.1f %% of the text; rows of %d (%g %% have %d or "
        "fewer, the longest %d)%s",
        *(len(classes), len(vocabulary), len(train.tokens), options.level),
        *(100 * known / max(1, train.tokens.total()), length),
        *(
            100 * options.whole,
            fitting,
            max(train.lengths, default=0),
            ", tags left out" if strip_html else "",
        ),
    )
    return TextSpec(
        classes=classes,
        vocabulary=vocabulary,
        sequence_length=length,
        level=options.level,
        standardize=options.standardize,
        strip_html=strip_html,
        oov_token=options.oov_token,
        padding=options.padding,
        truncating=options.truncating,
        documents=train.records,
        document_frequencies=tuple(train.documents[token] for token in vocabulary),
        letters=letters.size(length) if options.letters else 0,
        cased=options.cased and options.letters,
    )


def _vocabulary(train: TextSurvey, options: TextOptions) -> tuple[str, ...]:
    if not train.tokens:
        raise DataError(
            "Texts: expected tokens in the train split. Received: none, every text is empty once "
            f"standardised by {options.standardize!r}. Use analyze.features.standardize=none."
        )
    size, minimum = options.vocabulary_size - FIRST, options.minimum_count
    if options.level == "subword":
        return byte_pairs.learn(train.tokens, size, minimum)
    return text_survey.vocabulary(train.tokens, size, minimum)


def _has_tags(examples: Examples) -> bool:
    records = itertools.chain.from_iterable(map(read_records, examples.files("train")))
    texts = (record.text(decode(raw)) for raw in itertools.islice(records, _SAMPLED))
    return text_survey.has_tags(text for text in texts if text is not None)


def _survey_shard(shard: SplitFile, cut: Tokenizer) -> TextSurvey:
    """The survey of a shard; only the train split's tokens are counted."""
    batches = columns.batches(read_records(Path(shard.file)), shard.file, columns.TEXT_BYTES)
    if cut.hook is not None:
        from millrace.components.features import text_rows  # TensorFlow

        batches = text_rows.preprocessed(batches, cut.hook)
    return text_survey.of(batches, cut if shard.split == "train" else None)
