"""Which columns hold the texts and which the classes, where no option names them."""

import logging
from collections.abc import Mapping, Sequence

from millrace.components.errors import DataError, OptionError
from millrace.components.files.names import words
from millrace.serving.errors import few

Cells = Mapping[str, str]

# Usual names, the plainest first.
_TEXTS = (
    *("text", "content", "review", "headline", "message", "sms", "sentence", "comment", "tweet"),
    *("body", "article", "document", "title", "question", "description", "phrase", "utterance"),
    *("statement", "post", "news", "abstract", "summary", "caption", "lyrics"),
    *("transcript", "email"),
)
_LABELS = (
    *("label", "class", "category", "sentiment", "target", "topic", "intent", "polarity", "rating"),
    *("stars", "spam", "is_spam", "sarcastic", "is_sarcastic", "emotion", "type", "language"),
    *("labels", "y", "gold", "gold_label", "annotation", "class_name", "label_name", "genre"),
    *("tag", "tags", "classes", "categories", "author", "source"),
)
_JOINED = ("title", "headline", "subject", "heading", "summary", "abstract", "description")
_FEW = 50  # distinct values of a column that is taken for classes without such a name
_WORTH = 10  # times as long may another column be than one that is called like texts
_LONG = 20  # characters of a cell on average, from which it may be a text
_log = logging.getLogger("millrace.components.example_gen.text")


def choose(
    step: str, place: object, names: Sequence[str], rows: Sequence[Cells], text: str, label: str
) -> tuple[tuple[str, ...], str]:
    """The names of the columns of texts and of classes, `names` being all, `rows` the first ones.

    `text` and `label` are taken where they are not empty, several columns of texts with commas
    between them. Else the texts are the column with such a name, or that with the longest cells,
    joined with what is called a title, a summary or the like, in the order of the table;
    the classes that with such a name, or that with the fewest distinct cells, from 2 to 50.

    Raises:
        OptionError: there is no column of the name given.
        DataError: there is no column that can be meant.
    """
    given = named(names, text)
    _check(step, place, names, text=given, label=(label,) if label else ())
    found, how = (text, "as named") if given else text_column(_others(names, label), rows)
    texts = given or tuple(_with_titles(_others(names, label), found, rows))
    if len(texts) > 1 and not given:
        how = f"{found!r} {how}; {step}.text={found} takes it alone"
    classes, why = (label, "as named") if label else _label_column(_others(names, *texts), rows)
    if not texts or not classes or classes in texts:
        missing = "texts" if not texts else "classes"
        option = "text" if not texts else "label"
        raise DataError(
            f"{place}: expected a column of texts and one of classes. Received: none that looks "
            f"like {missing} among {few(map(repr, names))}. Name it by the option {option}."
        )
    _log.info(
        "%s: texts from column %s (%s), classes from column %r (%s)%s",
        *(step, " and ".join(map(repr, texts)), how, classes, why),
        _left_out(step, _others(names, *texts, classes), rows, texts),
    )
    return texts, classes


def _with_titles(names: Sequence[str], text: str, rows: Sequence[Cells]) -> list[str]:
    """`text`, and those of `names` that hold titles or the like, mostly another for each row."""
    return [name for name in names if text and (name == text or _is_title(name, rows))]


def _is_title(name: str, rows: Sequence[Cells]) -> bool:
    cells = {row.get(name, "") for row in rows}
    is_spoken = any(" " in cell for cell in cells) and 2 * len(cells) > len(rows)
    return is_spoken and name.strip().lower() in _JOINED


def named(names: Sequence[str], text: str) -> tuple[str, ...]:
    """The columns that the option `text` names: one of `names`, or several with commas."""
    if not text or text in names:
        return (text,) if text else ()
    return tuple(part.strip() for part in text.split(","))


def _others(names: Sequence[str], *taken: str) -> list[str]:
    return [name for name in names if name not in taken]


def _check(step: str, place: object, names: Sequence[str], **given: Sequence[str]) -> None:
    for option, chosen in given.items():
        for name in chosen:
            if name not in names:
                raise OptionError(
                    f"{step}, option {option}: expected a column of {place}: {few(names)}. "
                    f"Received: {name!r}. Correct the name."
                )


def _left_out(step: str, names: Sequence[str], rows: Sequence[Cells], texts: Sequence[str]) -> str:
    """What is said of the columns that are not used: texts among them can be joined."""
    if not names:
        return ""
    said = f"; not used: {few(map(repr, names))}"
    others = [name for name in names if name.strip().lower() in _TEXTS or _is_long(name, rows)]
    return f"{said}; {step}.text={','.join([*others, *texts])} joins several" if others else said


def _is_long(name: str, rows: Sequence[Cells]) -> bool:
    cells = [row.get(name, "") for row in rows]
    return any(" " in cell for cell in cells) and sum(map(len, cells)) >= _LONG * len(cells)


def text_column(names: Sequence[str], rows: Sequence[Cells]) -> tuple[str, str]:
    """The one of `names` with a usual name for texts, else with such a word in it, else with the
    longest cells, if any.

    Returns:
        Its name, and how it was found.
    """
    known = _known(names, _TEXTS)
    if known:
        return known, "by its name"
    sizes = {name: _size([row.get(name, "") for row in rows]) for name in names}
    longest = max(names, key=lambda name: sizes[name], default="")
    spoken = [name for name in names if sizes[name] and {*words(name)} & {*_TEXTS}]
    found = max(spoken, key=lambda name: sizes[name], default="")
    if found and _WORTH * sizes[found] >= sizes[longest]:
        return found, "by a word of its name"
    return longest, "its cells are the longest"


def _size(cells: Sequence[str]) -> int:
    """How long `cells` are, those that come again counted once: what repeats is no text."""
    return sum(map(_length, {*cells}))


def _length(cell: str) -> int:
    return 0 if cell.startswith("[") and cell.endswith("]") else len(cell)  # a list is no text


def _label_column(names: Sequence[str], rows: Sequence[Cells]) -> tuple[str, str]:
    distinct = {name: len({row[name] for row in rows if row.get(name)}) for name in names}
    known = _known([name for name in names if distinct[name]], _LABELS)
    if known:
        return known, "by its name"
    fitting = [name for name in names if 2 <= distinct[name] <= max(2, min(_FEW, len(rows) / 2))]
    spoken = {words(name)[-1]: name for name in reversed(fitting) if words(name)}
    if found := next((spoken[word] for word in _LABELS if word in spoken), ""):
        return found, "by the last word of its name"
    found = min(fitting, key=lambda name: distinct[name], default="")
    return found, "its cells are the most alike"


def _known(names: Sequence[str], wanted: Sequence[str]) -> str:
    """The first of `wanted` that is a name, or its part after the last dot, whatever its case."""
    folded = {name.split(".")[-1].strip().lower(): name for name in reversed(names)}
    folded |= {name.strip().lower(): name for name in reversed(names)}
    return next((folded[name] for name in wanted if name in folded), "")
