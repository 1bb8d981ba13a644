"""Text files that are no CSV, or one that readers take differently, and how to write them anew."""

import json
import re
import shlex
from collections.abc import Sequence

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import header as csv_header
from millrace.components.example_gen.csv.delimiters import DELIMITERS, lines_of, records_of
from millrace.components.example_gen.csv.header import Record

_JSON = re.compile(r'\s*(\[\s*)?\{\s*("|\})|\s*\[\s*\[')  # objects, lists
_JSON_LINES = re.compile(r"\s*\{[^\n]*\}\s*\n\s*\{")
_QUOTED = re.compile(r'"[^"]*"')  # a doubled quote is where two of these meet
_RETURN = re.compile(r"\r(?!\r*\n)")
_ESCAPED = re.compile(r'(?:^|[,;\t|])"[^"\n]*\\"[^,;\t|\r\n"]', re.MULTILINE)
_BLANKS = re.compile(r"[ \t]+")
_FIXED = 0.8  # share of lines with two spaces in a row, of a table of a fixed width
_ARFF = re.compile(r"(?:\s|%[^\n]*\n)*@relation\b", re.IGNORECASE)
_ARFF_NAME = re.compile(r"\s*@attribute\s+(?:'([^']*)'|\"([^\"]*)\"|(\S+))", re.IGNORECASE)
_ARFF_DATA = re.compile(r"\s*@data\b", re.IGNORECASE)
_SVM_LIGHT = re.compile(r"[-+]?[\d.]+(\s+qid:\d+)?(\s+\d+:[-+\d.eE]+)+\s*(#.*)?")
_TO_CSV = ".to_csv('table.csv', index=False)"


def check_kind(place: object, sample: str) -> None:
    """Refuse what is no table with a line for each record and a character between its cells.

    Raises:
        DataError: it is JSON, ARFF or SVMlight's form.
    """
    if _JSON.match(sample):
        lines = ", lines=True" * bool(_JSON_LINES.match(sample))
        raise DataError(
            f"{place}: expected a table, one record a line. Received: JSON. Write it as CSV, such "
            f"as by pandas.read_json({str(place)!r}{lines}){_TO_CSV}."
        )
    if _ARFF.match(sample):
        raise DataError(
            f"{place}: expected a table that begins with its columns' names. Received: ARFF. "
            + _without_head(lines_of(sample))
        )
    written = [line.strip() for line in lines_of(sample) if line.strip()]
    if written and all(map(_SVM_LIGHT.fullmatch, written)):
        raise DataError(
            f"{place}: expected a table with a cell for each column. Received: SVMlight's form, "
            "the cells with their columns' numbers. Write it as CSV, such as by x, y = "
            f"sklearn.datasets.load_svmlight_file({str(place)!r}); "
            f"pandas.DataFrame(x.toarray()).assign(label=y){_TO_CSV}."
        )


def _without_head(lines: Sequence[str]) -> str:
    """What to do with ARFF: its records are those of a CSV, below lines that name the columns."""
    names = [next(filter(None, found.groups())) for found in map(_ARFF_NAME.match, lines) if found]
    data = next((number for number, line in enumerate(lines, 1) if _ARFF_DATA.match(line)), None)
    if data is None:
        return "Remove what stands above its records, and write the columns' names there."
    is_plain = not any(set(name) & set(',"[]') for name in names)
    given = ",".join(names) if is_plain else json.dumps(names, ensure_ascii=False)
    return (
        f"Leave out what stands above its records by csv.skip_rows={data}, csv.header=false and "
        f"csv.names={shlex.quote(given)}."
    )


def check_line_ends(place: object, sample: str, quote: str) -> None:
    """Refuse lines that end as on old Macs beside others, by which records would be lost."""
    bare = _QUOTED.sub("", sample) if quote else sample
    newlines, returns = bare.count("\n"), len(_RETURN.findall(bare))
    first = bare.lstrip("\r\n").partition("\n")[0]
    if "\n" in sample and returns and (returns > newlines or _RETURN.search(first)):
        raise DataError(
            f"{place}: expected lines that all end alike. Received: {returns} that end in \\r, as "
            f"on old Macs, beside {sample.count(chr(10))} \\n. Write them again, such as by "
            "tr '\\r' '\\n' < old.csv > new.csv."
        )


def check_escapes(place: object, sample: str) -> None:
    """Refuse quotes that a backslash escapes, as MySQL writes them."""
    if found := _ESCAPED.search(sample):
        line = len(lines_of(sample[: found.end() - 1]))
        raise DataError(
            f'{place}, line {line}: expected quotes within a cell to be doubled, as in "a ""b""". '
            r"Received: \" for them. Write them again, such as by "
            r"""sed 's/\\"/""/g' old.csv > new.csv."""
        )


def check_parted(place: object, records: Sequence[Record], *, texts: bool) -> None:
    """Refuse records of which each is one cell, and that seem to have more.

    Args:
        place: the file, for errors.
        records: its first ones.
        texts: whether it holds texts, in which spaces part words.

    Raises:
        DataError: they are in quotes as a whole, or spaces part their cells.
    """
    if len(records) > 1 and all(len(record.cells) == 1 for record in records):
        _check_quoted(place, records)
        _check_spaces(place, records, texts=texts)


def _check_quoted(place: object, records: Sequence[Record]) -> None:
    """Refuse lines that are in quotes as a whole."""
    lines = [record.cells[0] for record in records]
    if not all(record.is_quoted for record in records):
        return
    for delimiter in DELIMITERS:
        widths = {
            len(record.cells) for line in lines for record in records_of(line, delimiter, '"')
        }
        if len(widths) == 1 and widths != {1} and f"{delimiter} " not in lines[0]:
            raise DataError(
                f"{place}, line 1: expected cells with {delimiter!r} between them. Received: "
                "quotes around whole lines. Take them off, such as by "
                r"""sed 's/^"//; s/"\r*$//; s/""/"/g' old.csv > new.csv."""
            )


def _check_spaces(place: object, records: Sequence[Record], *, texts: bool) -> None:
    """Refuse a table whose cells are parted by several spaces, or by where they stand."""
    lines = [record.cells[0].strip() for record in records]
    parts = [_BLANKS.split(line) for line in lines]
    cells = [cell for each in parts[1:] for cell in each]
    numbers = sum(map(csv_header.is_number, cells))
    if len({*map(len, parts)}) == 1 and len(parts[0]) > 1 and 2 * numbers >= len(cells):
        raise DataError(
            f"{place}, line 1: expected cells with one character between them. Received: spaces "
            f"between {len(parts[0])} cells. Write commas in their place, such as by "
            "sed 's/^ *//; s/ *$//; s/  */,/g' old.txt > new.csv."
        )
    if not texts and sum("  " in line for line in lines) >= _FIXED * len(lines):
        raise DataError(
            f"{place}, line 1: expected cells with one character between them. Received: cells of "
            "a fixed width. Write it as CSV, such as by "
            f"pandas.read_fwf({str(place)!r}, header=None).to_csv('table.csv', header=False, "
            "index=False)."
        )
