"""Plain text, for a model that learns to continue it, to `Examples`."""

import dataclasses
import logging
from typing import Annotated, Literal

from etils.epath import Path
from pydantic import Field

from millrace.components.artifacts import Examples, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.shards.splits import DEFAULT_SHARES, Shares, SplitRule
from millrace.components.options.ranges import MOST, Shards, Share, ShareBelowOne

_STEP = "corpus_example_gen"
_log = logging.getLogger(__name__)


def corpus_example_gen(
    source: RawFiles,
    out: Path,
    *,
    run_on: BeamOptions,
    unit: Literal["auto", "line", "paragraph", "passage", "file"] = "auto",
    passage: Annotated[int, Field(ge=2, le=MOST)] = 1000,
    splits: Shares = DEFAULT_SHARES,
    eval_from_train: ShareBelowOne = 0.0,
    encoding: str | None = None,
    bad_bytes: Literal["reject", "replace", "ignore"] = "reject",
    max_rejected: Share = 0.01,
    shards: Shards = 0,
) -> Examples:
    """Turn text files into records: a line, a paragraph, a passage or a file each.

    Lines, paragraphs and files go into splits by their content, so that a verse that comes
    again is never both trained on and evaluated. Passages do not: a passage is cut within
    a sentence, its neighbours hold the rest of it and its speakers, and a model evaluated on
    it would have seen them. So the text, its files in the order of their paths, is cut between
    splits only once each: train first, then eval, then test.

    Args:
        source: a text file, or a folder of them; the folders or names `train`, `valid`, `test`
            are splits.
        out: becomes the records: `text`, `text/filename` (with the number of the record in it,
            `plays.txt#12`), `text/unit`.
        run_on: where Beam runs.
        unit: what a record is; `auto` takes lines where they are short and stand close, else
            passages. Paragraphs are separated by empty lines. Empty records are left out and
            counted.
        passage: characters of a passage, about.
        splits: share of each split, of text that comes in no split of its own.
        eval_from_train: share of a given train split to hold out as `eval`, where the text
            has no eval split of its own; of passages the last ones.
        encoding: of the files, by Python's name; none: found out, file by file.
        bad_bytes: what becomes of bytes that have no meaning in the encoding: `reject` sets the
            file aside, `replace` puts U+FFFD for them, `ignore` leaves them out.
        max_rejected: share of unusable records above which the step fails.
        shards: files per split; 0 makes one per 64 MiB, and no more than there are text
            files, or parts of 64 MiB of large ones.

    Raises:
        DataError: there is no text file, or too much is unusable.
        OptionError: the shares are not valid.
    """
    from millrace.components.example_gen.shards.tally import finish
    from millrace.components.example_gen.texts import corpora, cutting

    rule = SplitRule.of(_STEP, splits, eval_from_train)
    root, listing = corpora.list_texts(source.path)
    how = cutting.CorpusOptions("line", passage, encoding, bad_bytes)
    chosen = unit
    if chosen == "auto":
        chosen = cutting.fitting_unit(corpora.sample(root, listing.rows, how))
        _log.info("a record is a %s; set corpus_example_gen.unit for another", chosen)
    how = dataclasses.replace(how, unit=chosen)
    examples = Examples(out)
    tally = corpora.write_texts(run_on, examples, root, listing, rule, how, shards=shards)
    if not any(tally.counts.values()) and not tally.rejected:
        raise DataError(
            f"{source.path}: expected text. Received: {len(listing.rows)} files that are empty. "
            "Check the path."
        )
    return finish(
        _STEP,
        examples,
        tally,
        listing.ignored,
        max_rejected,
        what=f"{chosen}s",
        notes={"unit": chosen},
    )
