"""Texts in class folders, in tables of texts and classes, or a line each, to `Examples`."""

import functools

from etils.epath import Path

from millrace.components.artifacts import Examples, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.csv.encodings import BadBytes
from millrace.components.example_gen.shards.folders import list_classes
from millrace.components.example_gen.shards.splits import DEFAULT_SHARES, Shares, SplitRule
from millrace.components.example_gen.shards.tally import finish
from millrace.components.example_gen.texts.options import EmptyTexts, LabelSets, TextLayout
from millrace.components.options.ranges import Shards, Share, ShareBelowOne

_STEP = "text_example_gen"
AS_DETECTED = CsvFormat()


def text_example_gen(
    source: RawFiles,
    out: Path,
    *,
    run_on: BeamOptions,
    text: str = "",
    label: str = "",
    label_sets: LabelSets = "refuse",
    empty: EmptyTexts = "reject",
    csv: CsvFormat = AS_DETECTED,
    encoding: str | None = None,
    errors: BadBytes = "latin-1",
    layout: TextLayout = "auto",
    separator: str = "",
    splits: Shares = DEFAULT_SHARES,
    eval_from_train: ShareBelowOne = 0.0,
    max_rejected: Share = 0.01,
    shards: Shards = 0,
) -> Examples:
    """Turn class folders of text files, or tables with texts and classes, into records.

    Texts of equal content come into one split, unless the data comes in splits of its own;
    the summary counts them as `duplicates`. Rows without a label are counted apart.

    Args:
        source: `class/.../file` or `train/class/.../file` and so on; or a CSV, TSV, JSON lines
            or JSON array file, or a folder of such files (`train.csv`, `test/a.jsonl`: splits);
            or files of lines, see `layout`; or an archive of any of these.
        out: becomes the records.
        run_on: where Beam runs.
        text: a table's column of texts, chosen by name and length if not given, with a title or
            summary beside it; `title,body` joins two or more, with a line's end between them.
        label: a table's column of classes; chosen by name and by how few values it has.
        label_sets: what becomes of several labels in one cell, such as `a|b`: `refuse` fails,
            `whole` takes each combination as a class, `first` the first label.
        empty: whether an empty text counts as unusable (`reject`), or is left out (`drop`).
        csv: how a CSV or TSV is written. In texts nothing is missing but an empty cell.
        encoding: by Python's name. None: what a byte order mark (BOM) says, else UTF-8; of a
            table most of whose lines are not UTF-8, and of a class most of whose files are not,
            the one in which its words are likeliest.
        errors: what becomes of a text that is not in the encoding: `reject` sets it aside,
            `replace` puts U+FFFD for what has no meaning, `ignore` nothing, `latin-1` reads it as
            Windows-1252. The summary counts them.
        layout: whether the top folders are `classes` or `splits`; `class_files` for a file of
            lines per class (`pos.txt`, `x.neg`), `labelled_lines` for lines that begin with their
            label; `auto` looks at names, for tables, and for fastText's labels.
        separator: between the label and the text of such a line; empty for spaces.
        splits: share of each split, chosen by each text's content; used for texts that come in no
            split of their own.
        eval_from_train: share of a given train split to hold out as `eval`, where the data has
            no eval split of its own.
        max_rejected: share of unusable texts above which the step fails.
        shards: files per split; 0 makes one per 64 MiB or 65,536 texts.

    Raises:
        DataError: there are no two classes of texts, or too many texts are unusable.
        OptionError: the shares are not valid, or there is no such column.
    """
    from millrace.components.example_gen.shards.writing import write_class_folders
    from millrace.components.example_gen.texts import files, tables
    from millrace.components.example_gen.texts import rows as text_rows
    from millrace.components.example_gen.unlabelled_rows import source as sources
    from millrace.components.files import archives
    from millrace.components.files.walk import is_hidden

    rule = SplitRule.of(_STEP, splits, eval_from_train)
    files.check_encoding(_STEP, encoding)
    decoding = files.Decoding(encoding, errors, empty)
    examples = Examples(out)
    notes: dict[str, str] = {}
    with archives.unpacked(source.path, out, is_hidden) as root:
        if found := tables.look(root, layout, csv, decoding, separator):
            table, listing = found
            chosen = text_rows.columns(_STEP, table, listing, text, label)
            rows = text_rows.TextRows(
                *(table, tables.cut(table, listing, shards), *chosen),
                *(frozenset(csv.every_missing), empty, label_sets),
            )
            tally = text_rows.write_rows(_STEP, run_on, examples, rows, rule, max_rejected)
            tally.rejected.extend(listing.rejected)
            learnt = sources.TextSource(
                *(rows.text, csv, table.names, sources.form_of(table.kind), separator),
                *(frozenset(tally.classes), encoding, errors),
            )
            notes = rows.notes
        else:
            top = layout if layout == "classes" or layout == "splits" else "auto"
            listing = list_classes(root, top, files.TEXTS)
            likely = {} if encoding else files.likely_encodings(root, listing.rows)
            texts = functools.partial(files.TextFiles, str(root), decoding=decoding, likely=likely)
            tally = write_class_folders(run_on, examples, root, listing, rule, texts, shards=shards)
            learnt = sources.TextSource(form="classes", encoding=encoding, bad=errors)
        sources.write(learnt, examples)
    ignored = [*listing.ignored, *[files.DROPPED] * tally.remarks.get(files.DROPPED, 0)]
    return finish(_STEP, examples, tally, ignored, max_rejected, what="texts", notes=notes)
